"""Commands killed at random instants, gone on with until they end, and held against the one that nobody disturbed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mfmarl.runs.checkpoint import checkpoint_paths, latest_checkpoint
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
    """Of what it makes; where that is not there after a kill, the command begins anew."""
    contents: Callable[[Path], object]
    """All that it left but for times."""
    kept: Callable[[Path], None] = lambda folder: None
    """Asserts what has to hold after each kill."""
    code: int = 0
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
        warm: bool = False,
        settings: Mapping[str, Any] | None = None,
    ) -> Ended:
        """A command in `folder`, killed after so many seconds, or its workers every so many.

        `warm` runs it in the process that forks: what it compiles is there in all that come after.
        """
        folder.mkdir(parents=True, exist_ok=True)
        said = folder / "said.txt"
        asked = {
            "arguments": list(arguments), "folder": str(folder), "said": str(said), "kill_after": kill_after,
            "kill_workers": kill_workers, "seed": seed, "warm": warm, "set": dict(settings or {}),
        }  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()), said=said.read_text() if said.exists() else "")

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
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
        whole = nursery.run(job.begin, folder / name, settings=job.set, warm=name == "compiled")
        assert whole.code == job.code, whole.said
    wanted = job.contents(folder / "undisturbed" / job.folder)
    count, after_kill = Count(), False
    while count.kills < kills:
        count.rounds += 1
        place = folder / f"round_{count.rounds}"
        made = place / job.folder
        while True:
            due = float(rng.uniform(0, whole.seconds)) if count.kills < kills else None
            arguments = job.resume if made.exists() else job.begin
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


def lost(run: Path) -> int:
    """Iterations that are done and not saved, where a folder counts them."""
    if not (run / "journal.jsonl").exists():
        return 0
    newest = checkpoint_paths(run)
    return len(read_journal(run)) - (int(newest[-1].name.split("_")[1]) if newest else 0)


def run_contents(run: Path) -> object:
    """Of a training run: its last checkpoint bit for bit, and its journal but for times."""
    last = latest_checkpoint(run)
    tensors = {
        (file, name): (array.dtype.str, array.shape, array.tobytes())
        for file, arrays in last.tensors.items()
        for name, array in arrays.items()
    }
    lines = [{k: v for k, v in line.items() if k != "time_s"} for line in read_journal(run)]
    for line in lines:
        line["metrics"] = {k: v for k, v in line["metrics"].items() if not k.endswith("_s")}
    assert [line["iteration"] for line in lines] == list(range(1, last.iteration + 1)), "each update counts once"
    assert not list(run.rglob("*.tmp"))
    return last.iteration, last.states, tensors, lines


def training(algorithm: str, episodes: int = 96, every: int = 2) -> Job:
    """A run of some hundred iterations, all in one process."""
    small = ["num_envs=2", f"checkpoint_every={every}", "fragment_length=4"]
    small += [f"{algorithm}.{x}" for x in ("replay_population_steps=64", "warmup_population_steps=16", "hidden=[8]")]
    given = ["--env", "games/coordination", "--algorithm", algorithm, "--num-agents", "6", "--seed", "3"]
    base = ("train", "--local", "--quiet")

    def kept(run: Path) -> None:
        assert lost(run) <= every + 1

    begin = (*base, "--name", "x", *given, "--num-episodes", str(episodes), "--set", *small)
    return Job(begin, (*base, "--resume", "runs/x"), "runs/x", run_contents, kept)
