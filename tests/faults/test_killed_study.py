"""A study whose driver or workers are killed loses nothing: the same call again ends with every cell done, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mfmarl.cli import run_command
from mfmarl.launch.cell_state import failure, notes_of, state_of
from mfmarl.launch.drive import drive
from mfmarl.launch.local_pool import LocalPool
from mfmarl.launch.study import Study
from mfmarl.launch.work import Job
from mfmarl.runs.checkpoint import checkpoint_paths, latest_checkpoint
from mfmarl.runs.journal import read_journal
from mfmarl.runs.lock import holder
from tests.mfmarl.launch.conftest import SMALL, Driven, small_study

ROOT = Path(__file__).resolve().parents[2]
LONG = SMALL.replace("num_episodes: 8", "num_episodes: 60").replace("checkpoint_every: 4", "checkpoint_every: 10")
DRIVER = """
import sys
from pathlib import Path
from mfmarl.launch.drive import drive
from mfmarl.launch.local_pool import LocalPool
from mfmarl.launch.study import read_study

study = read_study(Path("small.yaml"))
weights = dict.fromkeys((cell.digest for cell in study.cells), 1.0)
sys.exit(bool(drive(study, Path("runs/small"), LocalPool(int(sys.argv[1])), weights, told=print)))
"""


def until(condition: Callable[[], bool], child: subprocess.Popen[bytes]) -> None:
    while child.poll() is None and not condition():
        time.sleep(0.005)


def checkpoints(study: Study, folder: Path) -> int:
    """The newest iterations that are saved, of all cells together."""
    newest = (checkpoint_paths(folder / cell.digest)[-1:] for cell in study.cells)
    return sum(int(path.name.split("_")[1]) for paths in newest for path in paths)


@pytest.mark.parametrize(
    ("seeds", "starts"), [([1, 2], [2, 1]), pytest.param([1, 2, 3, 4, 5, 6], [2, 1, 2, 1, 2], marks=pytest.mark.soak)]
)
def test_a_driver_killed_again_and_again_ends_as_the_undisturbed_one(
    seeds: list[int], starts: list[int], tmp_path: Path
) -> None:
    """Started with so many processes, and killed, each time."""
    study, folder = small_study(tmp_path, LONG.replace("seed: [1, 2]", f"seed: {seeds}")), tmp_path / "runs" / "small"
    assert len(study.cells) == 2 * len(seeds)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    workers: set[int] = set()
    for processes in starts:
        before = checkpoints(study, folder)
        command = [sys.executable, "-c", DRIVER, str(processes)]
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as child:
            until(lambda before=before: checkpoints(study, folder) > before + 20, child)
            workers |= {who.pid for cell in study.cells if (who := holder(notes_of(folder, cell.digest)))}
            child.send_signal(signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL
    # the processes at work went with their driver, and left their cells to the next
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert workers
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    interrupted = [cell for cell in study.cells if state_of(folder, cell).state == "resumable"]
    assert interrupted
    # to the end in this process, and from the beginning elsewhere
    assert Driven(study, folder).failed == {}
    assert Driven(study, tmp_path / "undisturbed").failed == {}
    for cell in study.cells:
        assert state_of(folder, cell).state == "done"
        run, other = folder / cell.digest, tmp_path / "undisturbed" / cell.digest
        mine, theirs = latest_checkpoint(run), latest_checkpoint(other)
        assert mine.states == theirs.states
        # each update once
        assert [line["iteration"] for line in read_journal(run)] == list(range(1, theirs.iteration + 1))
        for file, arrays in theirs.tensors.items():
            assert all(mine.tensors[file][name].tobytes() == array.tobytes() for name, array in arrays.items())
    assert not list(folder.rglob("*.tmp"))


class WatchedPool(LocalPool):
    """Kills the process of each cell's first attempt, as the system does for want of memory."""

    def __init__(self) -> None:
        super().__init__(1)
        self.killed: list[str] = []

    def begin(self, job: Job) -> None:
        first = job.digest not in self.killed
        super().begin(job)
        if first:
            self.killed.append(job.digest)
            next(w for w in self._workers if w.job == job).process.kill()


def test_a_process_that_dies_costs_an_attempt_and_only_its_own_cell(tmp_path: Path) -> None:
    study, folder = small_study(tmp_path, SMALL.replace("seed: [1, 2]", "seed: [1]")), tmp_path / "small"
    pool, told = WatchedPool(), list[str]()
    weights = {cell.digest: 1.0 for cell in study.cells}
    try:
        assert drive(study, folder, pool, weights, told=told.append) == {}
    finally:
        pool.close()
    assert pool.killed == [cell.digest for cell in study.cells]
    assert sum("its process was killed by SIGKILL; was there memory enough?" in line for line in told) == 2
    assert [state_of(folder, cell).state for cell in study.cells] == ["done", "done"]
    assert failure(notes_of(folder, study.cells[0].digest)) is None


def test_the_command_plans_runs_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SMALL.replace("seed: [1, 2]", "seed: [1]").replace("retries: 1", "retries: 0")
    study, folder = small_study(tmp_path, text), tmp_path / "runs" / "small"
    arguments = [str(tmp_path / "small.yaml"), "--runs-dir", str(tmp_path / "runs")]
    assert run_command(["study", "plan", *arguments, "--no-probe"]) == 0
    shown = capsys.readouterr()
    assert not folder.exists()
    assert [line.split()[-2:] for line in shown.out.splitlines()[1:3]] == [["not", "measured"]] * 2
    assert "core-hours left: not measured" in shown.err
    # a cell that cannot be begun
    (folder / study.cells[0].digest / "x").mkdir(parents=True)
    assert run_command(["study", "run", *arguments, "--jobs", "1"]) == 3
    shown = capsys.readouterr()
    assert shown.out == f"{folder}\n"
    assert f"mfmarl: 1 of 2 cells failed; {study.cells[0].digest} (seed 1, method mf): " in shown.err
    assert run_command(["study", "status", *arguments]) == 3
    assert "1 done, 1 failed" in capsys.readouterr().out
