"""Short real runs, evaluated, for tests of the report."""

from __future__ import annotations

from pathlib import Path

from mfmarl.config import TrainConfig
from mfmarl.evaluate import evaluate
from mfmarl.train import train


def make_run(folder: Path, method: str, seed: int, name: str = "", **changes: object) -> Path:
    """A run of a second or so in FOLDER/NAME, evaluated over three episodes."""
    small = {
        "num_agents": 9,
        "num_envs": 4,
        "num_episodes": 12,
        "seed": seed,
        "method": method,
        "mfq": {"warmup_population_steps": 52, "hidden": [8]},
    }
    config = TrainConfig.model_validate(small | changes)
    run = train(config, folder, name=name or f"{method}-{seed}", backend="local")
    evaluate(run, episodes=3)
    return run
