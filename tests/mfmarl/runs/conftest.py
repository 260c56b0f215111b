"""A run folder to write into."""

from __future__ import annotations

from pathlib import Path

import pytest

from mfmarl.config import TrainConfig
from mfmarl.runs.schema import create_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A fresh run of three agents of two types."""
    return create_run(
        TrainConfig(seed=7),
        tmp_path / "runs",
        name="one",
        agent_types=[0, 0, 1],
        type_names=["small", "large"],
        agent_names=["a", "b", "c"],
        device="cpu",
    )
