from __future__ import annotations

from pathlib import Path

from tests.faults.memory_slope import slope_mb


def test_memory_does_not_grow_with_episodes(tmp_path: Path) -> None:
    """tests/soak/soak_memory.py counts ten times as many."""
    assert slope_mb(tmp_path, "mfq", warm=300, episodes=600) < 1.0
