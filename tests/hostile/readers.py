"""Readers as functions of bytes, for fuzzing: each ends with a result, or with an error for the user."""

from __future__ import annotations

import gzip
import io
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.imitations import read_imitation
from envs.inventory.sales_table import BadTable, pivot, read_sales
from mfmarl.config import read_config
from mfmarl.errors import StorageFailed, UserError
from mfmarl.imitation import BCAgent
from mfmarl.imitation.demonstrated import env_in
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.launch.study import read_study
from mfmarl.policy import Policy
from mfmarl.runs.checkpoint import latest_valid, read_checkpoint
from mfmarl.runs.journal import last_line, newest_lines, read_journal
from mfmarl.runs.schema import open_run, summarise
from mfmarl.runs.sealed import write_sealed
from mfmarl.runs.store import USER_BLOCK, read_evaluation, with_sum
from mfmarl.runs.summed import summed

ROOT = Path(__file__).parents[2]

TELLS = (UserError, StorageFailed, BadTable)
"""What a reader may raise."""

Reader = Callable[[bytes, Path], None]


def lines_only(read: Callable[[], object]) -> None:
    """Read; an error of `TELLS` is to be one line that the command line prints, and any other goes through."""
    try:
        read()
    except TELLS as error:
        text = str(error)
        # the command line folds lines; what is not text cannot be printed
        text.encode()
        if not text or len(text) > 20_000:
            raise AssertionError(f"an error of {len(text)} signs") from error


def configuration(data: bytes, folder: Path) -> None:
    """A run's configuration, and the same bytes as a study's."""
    path = folder / "c.yaml"
    path.write_bytes(data)
    lines_only(lambda: read_config(path))
    lines_only(lambda: read_study(path))


def sales_table(data: bytes, folder: Path) -> None:
    """The first byte says what the others are called."""
    kind = ("csv", "csv.gz", "parquet")[data[0] % 3] if data else "csv"
    path = folder / f"sales.{kind}"
    path.write_bytes(data[1:])
    for gaps in ("missing", "interpolate"):
        lines_only(lambda gaps=gaps: pivot(path, read_sales(path), gaps))  # type: ignore[misc]


def demonstrations(data: bytes, folder: Path) -> None:
    """Whole, and what says the environment alone."""
    path = folder / "d.npz"
    path.write_bytes(data)
    lines_only(lambda: Demonstrations.from_npz(path))
    lines_only(lambda: env_in(str(path)))


PARTS = ("run.json", "journal.jsonl", "manifest.json", "sealed manifest", "evaluation.h5", "policy.json",
         "policy.safetensors", "agent", "imitation.json", "evaluations.csv")  # fmt: skip


def run_folder(data: bytes, folder: Path) -> None:
    """The first byte says in place of what file the others stand; `folder` has `run`, `policy` and `imitation`."""
    part, held = PARTS[data[0] % len(PARTS)] if data else PARTS[0], data[1:]
    if part in ("run.json", "journal.jsonl", "evaluation.h5"):
        run = folder / "run"
        if part == "evaluation.h5":
            # with the sum that fits
            held = with_sum(held[USER_BLOCK:])
        with _in_place(run / part, held):
            lines_only(lambda: summarise(run))
            lines_only(lambda: open_run(run))
            lines_only(lambda: (read_journal(run), last_line(run), list(newest_lines(run))))
            lines_only(lambda: read_evaluation(run / "evaluation.h5"))
    elif part.endswith("manifest.json") or part == "sealed manifest":
        path = max((folder / "run" / "checkpoints").iterdir()) / "manifest.json"
        if part == "sealed manifest":
            with suppress(ValueError, RecursionError, AttributeError):
                held = summed({k: v for k, v in json.loads(held).items() if k != "sha256"})
        with _in_place(path, held):
            lines_only(lambda: read_checkpoint(path.parent))
            lines_only(lambda: latest_valid(folder / "run"))
            lines_only(lambda: summarise(folder / "run"))
    elif part.startswith("policy"):
        with _in_place(folder / "policy" / part, held):
            lines_only(lambda: Policy.load(folder / "policy"))
    elif part == "agent":
        # with the sum that fits
        write_sealed(folder / "agent.safetensors", "agent", held.decode(errors="replace"), {"a": np.zeros(2)})
        lines_only(lambda: BCAgent.load(folder))
    else:
        with _in_place(folder / "imitation" / part, held):
            lines_only(lambda: read_imitation(folder / "imitation"))


class _in_place:  # reads as what it does
    """Other bytes in a file for a moment."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.good = path, path.read_bytes()
        path.write_bytes(data)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.path.write_bytes(self.good)


READERS: dict[str, Reader] = {
    "configuration": configuration,
    "sales_table": sales_table,
    "demonstrations": demonstrations,
    "run_folder": run_folder,
}


def good_files(name: str, folder: Path, run: Path) -> list[bytes]:
    """What a reader takes; `run` is an evaluated run, and what a reader needs beside its bytes comes into `folder`."""
    if name == "configuration":
        return [path.read_bytes() for path in sorted((ROOT / "configs").rglob("*.yaml"))]
    if name == "sales_table":
        rows = {"agent": ["a", "b"] * 3, "period": [1, 1, 2, 2, 3, 3], "units": range(6), "price": [1.5, 2] * 3}
        frame, out = pd.DataFrame(rows), io.BytesIO()
        frame.to_parquet(out)
        text = frame.to_csv(index=False).encode()
        return [b"\0" + text, b"\1" + gzip.compress(text, mtime=0), b"\2" + out.getvalue()]
    if name == "demonstrations":
        from tests.hostile.test_npz import packed

        return [packed(), packed(0), packed(about=None), packed(actions=np.zeros((4, 1), np.float32), about=None)]
    return _of_runs(folder, run)


def _of_runs(folder: Path, run: Path) -> list[bytes]:
    from mfmarl.export import export
    from tests.analysis.small_imitations import make_imitation

    shutil.copytree(run, folder / "run")
    export(folder / "run", "safetensors", folder / "policy")
    make_imitation(folder / "imitations", "bc", 1).rename(folder / "imitation")
    agent = BCAgent({"state_dim": 2, "action_dim": 2, "hidden_dims": (4,)}, seed=1)
    agent.save(folder / "agent")
    manifest = max((run / "checkpoints").iterdir()) / "manifest.json"
    places = {
        "manifest.json": manifest, "sealed manifest": manifest, "agent": folder / "agent" / "agent.json",
        **{name: run / name for name in ("run.json", "journal.jsonl", "evaluation.h5")},
        **{name: folder / "policy" / name for name in ("policy.json", "policy.safetensors")},
        **{name: folder / "imitation" / name for name in ("imitation.json", "evaluations.csv")},
    }  # fmt: skip
    return [bytes([PARTS.index(name)]) + path.read_bytes() for name, path in places.items()]
