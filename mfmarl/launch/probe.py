"""What a kind of cell costs, measured: a few seconds of its training, one evaluation, and the files of both."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from mfmarl.config import TrainConfig, config_hash
from mfmarl.evaluate import evaluate
from mfmarl.launch.cell_state import CellState
from mfmarl.launch.games import Game
from mfmarl.runs.checkpoint import CHECKPOINTS, KEEP, write_checkpoint
from mfmarl.runs.journal import JOURNAL, Journal
from mfmarl.runs.lock import hold
from mfmarl.train import new_run
from mfmarl.trainer import LocalTrainer

SECONDS = 3.0


@dataclass(frozen=True)
class Cost:
    """What one cell of a kind takes."""

    seconds: float
    """Of one processor, training and evaluation."""
    rate: float
    """Agent steps trained a second of one processor."""
    disk_bytes: float
    source: str
    """Where it is known from: probe, or how many cells that are done."""


def probe(config: TrainConfig, game: Game, episodes: int, seconds: float = SECONDS) -> Cost:
    """Train for `seconds` of processor time after learning has begun and code is compiled, and evaluate once.

    Raises:
        ValueError: for a configuration that trains on Ray only, which is not probed.
    """
    if config.is_baseline:
        raise ValueError(f"{config.algorithm} trains on Ray only, and is not probed")
    torch.set_num_threads(1)
    config = config.model_copy(update={"seed": 0})
    trainer = LocalTrainer(config)
    while trainer.progress()["gradient_steps"] == 0:
        trainer.iterate()
    trainer.iterate()
    before, began, lines = trainer.progress(), time.process_time(), 0
    with TemporaryDirectory(prefix="mfmarl-probe-") as folder:
        run = new_run(config, Path(folder), "probe")
        with hold(run), Journal(run) as journal:
            while not lines or time.process_time() - began < seconds:
                journal.append({"time_s": 0.123} | _counted(trainer, trainer.iterate()))
                lines += 1
            used, after = time.process_time() - began, trainer.progress()
            write_checkpoint(run, after["iteration"], *trainer.get_state(), config_hash(config))
        line_bytes = (run / JOURNAL).stat().st_size / lines
        (run / JOURNAL).unlink()
        # the first evaluation of a game compiles its reference policies
        evaluate(run, 1)
        began = time.process_time()
        evaluate(run, episodes)
        played = time.process_time() - began
        size, checkpoint = _size(run), _size(run / CHECKPOINTS)
    steps = config.num_episodes * game.horizon * game.num_agents
    rate = (after["agent_steps"] - before["agent_steps"]) / used
    iterations = steps / max(1, (after["agent_steps"] - before["agent_steps"]) / lines)
    disk = size + (KEEP - 1) * checkpoint + iterations * line_bytes
    return Cost(steps / rate + played, rate, disk, "probe")


def _counted(trainer: LocalTrainer, metrics: dict[str, float]) -> dict[str, object]:
    return {**trainer.progress(), "metrics": metrics}


def of_done(folder: Path, done: Sequence[CellState]) -> Cost:
    """The mean of cells that are done; seconds are by the clock, of training alone."""
    seconds = sum(s.seconds for s in done) / len(done)
    steps = sum(s.agent_steps for s in done) / len(done)
    disk = sum(_size(folder / s.cell.digest) for s in done) / len(done)
    told = f"{len(done)} cell{'s' * (len(done) != 1)} done"
    return Cost(seconds, steps / max(seconds, 1e-9), disk, told)


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
