"""What tests of several folders share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# tests that have a home of their own find the machine code that is there already
os.environ.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))


@pytest.fixture(scope="session")
def one_ray() -> Iterator[None]:
    """One Ray for all tests of the session."""
    ray = pytest.importorskip("ray")
    from mfmarl.rllib.quiet import start_ray

    start_ray(num_cpus=9)
    yield
    ray.shutdown()
