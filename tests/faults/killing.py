"""Commands killed at random instants, gone on with until they end, and held against the one that nobody disturbed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mfmarl.runs.checkpoint import checkpoint_paths
from mfmarl.runs.journal import read_journal

ROOT = Path(__file__).resolve().parents[2]
SIGKILL = -9


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, or -9 where it was killed."""

    code: int
    killed: int
    seconds: float
    said: str


@dataclass(frozen=True)
class Job:
    """A command that leaves a folder, how one goes on with it, and what of the folder has to be equal."""

    begin: tuple[str, ...]
    resume: tuple[str, ...]
    folder: str
    """Of what it makes."""
    begun: str
    """What is there as soon as one can go on; without it the command begins anew."""
    contents: Callable[[Path], object]
    """All that it left but for times."""
    kept: Callable[[Path], None] = lambda folder: None
    """Asserts what has to hold after each kill."""
    code: int = 0
    before: Path | None = None
    """Of what has to be there first; a copy of it."""
    set: Mapping[str, Any] = field(default_factory=dict)
    """Constants of modules, "module:NAME" -> value."""


@dataclass
class Count:
    """Kills, and the starts after them that neither failed nor refused."""

    kills: int = 0
    resumes: int = 0
    rounds: int = 0
    most_lost: int = 0


class Nursery:
    """Runs commands in processes forked from one that has imported everything."""

    def __init__(self) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "tests.faults.forking"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(
        self,
        arguments: Sequence[str],
        folder: Path,
        *,
        kill_after: float | None = None,
        kill_workers: int = 0,
        seed: int = 0,
        settings: Mapping[str, Any] | None = None,
    ) -> Ended:
        """A command in `folder`, killed after `kill_after` seconds.

        With `kill_workers` it is so many times one of its workers, each after uniform(0, `kill_after`).
        """
        folder.mkdir(parents=True, exist_ok=True)
        said = folder / "said.txt"
        asked = {
            "arguments": list(arguments), "folder": str(folder), "said": str(said), "kill_after": kill_after,
            "kill_workers": kill_workers, "seed": seed, "set": dict(settings or {}),
        }  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"what forks ended by itself, with {self._process.wait()}"
        return Ended(**json.loads(answer), said=said.read_text() if said.exists() else "")

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        finally:
            self._process.kill()
            self._process.stdout.close()


@contextmanager
def nursery() -> Iterator[Nursery]:
    """One for a block."""
    made = Nursery()
    try:
        yield made
    finally:
        made.close()


def killed_until_done(nursery: Nursery, job: Job, folder: Path, kills: int, rng: np.random.Generator) -> Count:
    """Kill a command `kills` times, each after uniform(0, the time it takes undisturbed), going on after each kill.

    It is done in as many rounds as that takes; each ends with the contents of the undisturbed one.
    """
    for name in ("compiled", "undisturbed"):
        whole = nursery.run(job.begin, laid(job, folder / name), settings=job.set)
        assert whole.code == job.code, whole.said
    wanted = job.contents(folder / "undisturbed" / job.folder)
    # the first of the two compiled
    count, after_kill = Count(), False
    while count.kills < kills:
        count.rounds += 1
        place = laid(job, folder / f"round_{count.rounds}")
        made = place / job.folder
        while True:
            due = float(rng.uniform(0, whole.seconds)) if count.kills < kills else None
            arguments = job.resume if (place / job.begun).exists() else job.begin
            ended = nursery.run(arguments, place, kill_after=due, settings=job.set)
            assert ended.code in (SIGKILL, job.code), f"after {count.kills} kills {arguments}: {ended.said}"
            count.resumes += after_kill
            if not (after_kill := ended.code == SIGKILL):
                break
            count.kills += 1
            if made.exists():
                count.most_lost = max(count.most_lost, lost(made))
                job.kept(made)
        assert job.contents(made) == wanted, f"round {count.rounds}"
    return count


def laid(job: Job, place: Path) -> Path:
    """A new folder, with what has to be there first."""
    place.mkdir(parents=True)
    if job.before is not None:
        shutil.copytree(job.before, place, dirs_exist_ok=True)
    return place


@contextmanager
def in_memory() -> Iterator[Path]:
    """A folder in memory, where there is such: a process that is killed loses nothing that the system has, and fsync,
    which takes most of the time on a disk, is held by tests of its own."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


def lost(run: Path) -> int:
    """Iterations that are done and not saved, where a folder counts them."""
    if not (run / "journal.jsonl").exists():
        return 0
    newest = checkpoint_paths(run)
    return len(read_journal(run)) - (int(newest[-1].name.split("_")[1]) if newest else 0)
