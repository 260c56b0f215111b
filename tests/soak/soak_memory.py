"""Resident memory while training goes on: less than 1 MB more for 1,000 episodes of 100 agents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.memory_slope import measured_growth_mb

Record = Callable[[str, object], None]


@pytest.mark.parametrize("algorithm", ["mfq", "mfac"])
def test_memory_does_not_grow_with_episodes(algorithm: str, tmp_path: Path, record_property: Record) -> None:
    slope = measured_growth_mb(tmp_path, algorithm, warm=500, episodes=6000)
    record_property("MB per 1000 episodes", round(slope, 3))
    assert slope < 1.0


@pytest.mark.ray
@pytest.mark.parametrize("algorithm", ["mfq", "mfac"])
def test_nor_does_that_of_a_driver_a_runner_and_a_learner_on_ray(
    algorithm: str, tmp_path: Path, record_property: Record
) -> None:
    slope = measured_growth_mb(tmp_path, algorithm, warm=4000, episodes=16000, processes=1)
    record_property("MB per 1000 episodes", round(slope, 3))
    assert slope < 1.0
