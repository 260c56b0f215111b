"""A real run, to be copied and spoilt."""

from __future__ import annotations

from pathlib import Path

import pytest

from mfmarl.config import TrainConfig
from mfmarl.evaluate import evaluate
from mfmarl.train import train

SMALL = {
    "env": "games/coordination", "num_agents": 4, "num_envs": 2, "num_episodes": 8, "fragment_length": 4, "seed": 1,
    "checkpoint_every": 4, "mfq": {"hidden": [8], "replay_population_steps": 64, "warmup_population_steps": 16},
}  # fmt: skip


def small_run(folder: Path) -> Path:
    """Trained and evaluated."""
    run = train(TrainConfig.model_validate(SMALL), folder, name="good", backend="local")
    evaluate(run, episodes=2)
    return run


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """To be read alone."""
    return small_run(tmp_path_factory.mktemp("runs"))
