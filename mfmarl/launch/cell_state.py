"""What a cell is at this moment, from its folder alone; and what is kept beside it: its lock and its last error.

Both stand in STUDY/.cells/<hash>/ and not in the run folder, which is made in one rename and may not be there yet.
"""

from __future__ import annotations

import datetime
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mfmarl.errors import StorageFailed, UserError
from mfmarl.launch.study import Cell
from mfmarl.runs.checkpoint import checkpoint_paths
from mfmarl.runs.files import read_capped, storing, to_json, write_whole
from mfmarl.runs.journal import last_line
from mfmarl.runs.lock import holder
from mfmarl.runs.schema import COMPLETE, RUN, open_run
from mfmarl.runs.store import EVALUATION

NOTES = ".cells"
FAILED = "failed.json"
MAX_FAILED = 1 << 20

State = Literal["done", "running", "failed", "resumable", "to do"]
STATES: tuple[State, ...] = ("done", "running", "failed", "resumable", "to do")


@dataclass(frozen=True)
class CellState:
    """One cell at one moment; counters are those of its last journal line, 0 where there is none."""

    cell: Cell
    state: State
    detail: str = ""
    """Who works on it, the first line of its error, or where it goes on."""
    iteration: int = 0
    episodes: int = 0
    agent_steps: int = 0
    seconds: float = 0.0
    """Of training, by the clock."""

    @property
    def share(self) -> float:
        """How much of its training is done, 0 to 1; evaluation is not counted."""
        return min(1.0, self.episodes / self.cell.config.num_episodes)


def notes_of(folder: Path, digest: str) -> Path:
    """Where the cell's lock and error are kept."""
    return folder / NOTES / digest


def make_notes(notes: Path) -> None:
    """Make it, but not the study's folder, which is there unless it was moved away.

    Raises:
        StorageFailed: where it cannot be made.
    """
    with storing(notes):
        for path in (notes.parent, notes):
            path.mkdir(exist_ok=True)


def check_there(folder: Path) -> None:
    """Refuse to go on where the study's folder was moved away: all that is left would be done again elsewhere.

    Raises:
        StorageFailed: says so.
    """
    with storing(folder):
        folder.stat()


def state_of(folder: Path, cell: Cell) -> CellState:
    """What the cell is in the study's folder."""
    run, notes = folder / cell.digest, notes_of(folder, cell.digest)
    who = holder(notes) or holder(run)
    if not (run / RUN).exists():
        if who:
            return CellState(cell, "running", f"{who} begins it")
        error = failure(notes)
        return CellState(cell, "to do" if error is None else "failed", error or "")
    try:
        info, line = open_run(run), last_line(run)
    except (UserError, StorageFailed) as error:
        return CellState(cell, "failed", str(error))
    if info.config_hash != cell.digest:
        return CellState(cell, "failed", f"{run} is a run of configuration {info.config_hash}; move it elsewhere")
    state, detail = _state(run, notes, str(who) if who else "")
    if line is None:
        return CellState(cell, state, detail)
    counters = {name: int(line[name]) for name in ("iteration", "episodes", "agent_steps")}
    return CellState(cell, state, detail, **counters, seconds=float(line["time_s"]))


def _state(run: Path, notes: Path, who: str) -> tuple[State, str]:
    trained = (run / COMPLETE).exists()
    if who:
        return "running", f"{who} {'evaluates' if trained else 'trains'} it"
    if trained and (run / EVALUATION).exists():
        return "done", ""
    if (error := failure(notes)) is not None:
        return "failed", error
    if trained:
        return "resumable", "trained, not yet evaluated"
    return "resumable", "" if checkpoint_paths(run) else "no checkpoint yet: starts again"


def failure(notes: Path) -> str | None:
    """The first line of the cell's last error, None where it has none."""
    if not (notes / FAILED).exists():
        return None
    try:
        return str(json.loads(read_capped(notes / FAILED, MAX_FAILED))["error"])
    except (ValueError, TypeError, KeyError, OSError):
        return f"{notes / FAILED} is damaged"


def write_failure(notes: Path, error: str, trace: str = "") -> None:
    """Keep a cell's error for `mfmarl study status`.

    Raises:
        StorageFailed: where the disk does not take it.
    """
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    told = {"error": error, "traceback": trace[-100_000:], "when": when}
    make_notes(notes)
    write_whole(notes / FAILED, to_json(told, indent=1).encode() + b"\n")


def forget_failure(notes: Path) -> None:
    """The cell succeeded."""
    with suppress(FileNotFoundError):
        (notes / FAILED).unlink()
