"""The folder of one imitation: what is in it, written so that a killed process leaves nothing torn.

`imitation.json` says what was done and what came of it, `history.csv` has a row a round, `evaluations.csv` a row an
episode of evaluation, `agent/` the imitator. Tables are written before the agent: whatever they have beyond it is left
out when learning goes on.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mfmarl.errors import DamagedFile, UserError
from mfmarl.imitation.asked import WORDS, check_free
from mfmarl.imitation.plan import Plan
from mfmarl.imitation.result import Counts
from mfmarl.runs.checkpoint import versions
from mfmarl.runs.files import read_capped, storing, unpacking, write_whole
from mfmarl.runs.summed import read_summed, summed

HISTORY, EVALUATIONS, AGENT = "history.csv", "evaluations.csv", "agent"
SCHEMA = 1
MEND = "move its folder away, and imitate again"
LARGEST = 1 << 30
"""Bytes of a file that is read."""

Row = dict[str, Any]


def take(folder: Path, plan: Plan, more: Mapping[str, Any]) -> None:
    """Make the folder of an imitation that has not begun.

    Raises:
        UserError: where it has one already.
        StorageFailed: where it cannot be made, or takes no file.
    """
    check_free(folder)
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_words(folder, plan, more)


def write_words(folder: Path, plan: Plan, more: Mapping[str, Any]) -> None:
    """`imitation.json`: what was planned, and `more`."""
    shown = None
    if plan.demonstrations is not None:
        shown = {"path": plan.demonstrations, "sha256": plan.sha256, **more["demonstrations"]}
    told = {
        "schema": SCHEMA,
        "method": plan.method,
        "env": plan.env,
        "seed": plan.seed,
        "config": plan.config,
        "expert": ", ".join(plan.experts) or None,
        "versions": versions(),
        "planned": plan.model_dump(mode="json", exclude={"config"}),
        **more,
        "demonstrations": shown,
    }
    write_whole(folder / WORDS, summed(told))


def read_words(folder: Path) -> dict[str, Any]:
    """What `write_words` has written.

    Raises:
        UserError: where there is none.
        DamagedFile: where it is not whole.
    """
    path = folder / WORDS
    if not path.exists():
        raise UserError(f"{folder} has no {WORDS}; `mfmarl imitate` makes such a folder")
    words = read_summed(path, LARGEST, MEND)
    if words.get("schema") != SCHEMA:
        raise DamagedFile(f"{path} is of another version, or damaged; want schema {SCHEMA}")
    return words


def plan_in(folder: Path) -> Plan:
    """What the imitation in a folder is to do."""
    words = read_words(folder)
    with unpacking(folder / WORDS):
        return Plan.model_validate({**words["planned"], "config": words["config"]})


def imitations_in(folder: Path) -> list[Path]:
    """The folder itself, or those in it and in its folders, one a seed.

    Raises:
        UserError: where there is none.
    """
    if (folder / WORDS).exists():
        return [folder]
    with storing(folder, "cannot read"):
        found = sorted(one.parent for depth in ("*", "*/*") for one in folder.glob(f"{depth}/{WORDS}"))
    if not found:
        raise UserError(f"{folder} has no imitation ({WORDS}); `mfmarl imitate` makes one")
    return found


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """A table with the columns of all rows; what a row does not have is left empty."""
    columns = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


def read_rows(path: Path, until: Counts) -> list[Row]:
    """Rows of a table up to the counts that an agent has; none where there is no table. Cells stay text.

    Raises:
        DamagedFile: where a row has no counts.
    """
    if not path.exists():
        return []
    with unpacking(path):
        rows = list(csv.DictReader(io.StringIO(read_capped(path, LARGEST).decode())))
        kept = [r for r in rows if int(r["interactions"]) <= until.interactions and int(r["updates"]) <= until.updates]
    return [{name: cell for name, cell in row.items() if cell != ""} for row in kept]
