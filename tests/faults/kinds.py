"""What is killed, each small, and what of each has to be equal at the end."""

from __future__ import annotations

from pathlib import Path

from mfmarl.runs.checkpoint import latest_checkpoint
from mfmarl.runs.journal import read_journal
from tests.faults.killing import Job, lost

TRAIN = ("train", "--local", "--quiet")
GAME = ("--env", "games/coordination", "--num-agents", "6", "--seed", "3")


def run_contents(run: Path) -> object:
    """Of a training run: its last checkpoint bit for bit, and its journal but for times, each update in it once."""
    last = latest_checkpoint(run)
    tensors = {
        (file, name): (array.dtype.str, array.shape, array.tobytes())
        for file, arrays in last.tensors.items()
        for name, array in arrays.items()
    }
    lines = [{k: v for k, v in line.items() if k != "time_s"} for line in read_journal(run)]
    for line in lines:
        line["metrics"] = {k: v for k, v in line["metrics"].items() if not k.endswith("_s")}
    assert [line["iteration"] for line in lines] == list(range(1, last.iteration + 1))
    assert not list(run.rglob("*.tmp"))
    return last.iteration, last.states, tensors, lines


def training(algorithm: str, episodes: int = 48, every: int = 2) -> Job:
    """A run in one process; no more than `every` iterations, and the one that was saved, are done again."""
    small = ["num_envs=2", f"checkpoint_every={every}", "fragment_length=4"]
    small += [f"{algorithm}.{x}" for x in ("replay_population_steps=64", "warmup_population_steps=16", "hidden=[8]")]

    def kept(run: Path) -> None:
        assert lost(run) <= every + 1

    given = (*GAME, "--algorithm", algorithm, "--num-episodes", str(episodes), "--set", *small)
    begin, resume = (*TRAIN, "--name", "x", *given), (*TRAIN, "--resume", "runs/x")
    return Job(begin, resume, "runs/x", "runs/x", run_contents, kept)
