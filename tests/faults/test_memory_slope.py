from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.faults.memory_slope import growth_mb, measured_growth_mb


def test_memory_does_not_grow_with_episodes(tmp_path: Path) -> None:
    """tests/soak/soak_memory.py counts ten times as many."""
    assert measured_growth_mb(tmp_path, "mfq", warm=300, episodes=600) < 1.0


@pytest.mark.parametrize(("leaked", "found"), [(0, 0.0), (2, 2.0), (20, 20.0)])
def test_a_leak_is_found_and_a_pool_that_grows_once_is_none(leaked: float, found: float) -> None:
    """What leaks is taken from the system 132 KiB at a time."""
    played = np.arange(300, 901, 30)
    resident = 2e8 + np.floor(leaked * 1e6 * played / 1000 / 135_168) * 135_168
    resident[12:] += 1.8e6
    assert growth_mb(played, resident) == pytest.approx(found, abs=0.5)
