"""What tests of several folders share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def one_ray() -> Iterator[None]:
    """One Ray for all tests of the session."""
    ray = pytest.importorskip("ray")
    from mfmarl.rllib.quiet import start_ray

    start_ray(num_cpus=9)
    yield
    ray.shutdown()
