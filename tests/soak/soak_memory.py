"""Resident memory while training goes on: less than 1 MB more for 1,000 episodes of 100 agents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.memory_slope import measured_growth_mb


@pytest.mark.parametrize("algorithm", ["mfq", "mfac"])
def test_memory_does_not_grow_with_episodes(
    algorithm: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    slope = measured_growth_mb(tmp_path, algorithm, warm=500, episodes=6000)
    record_property("MB per 1000 episodes", round(slope, 3))
    assert slope < 1.0
