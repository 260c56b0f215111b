"""What tests of several folders share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

# tests that have a home of their own find the machine code that is there already
os.environ.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))

# a shell has what it starts in the background ignore Ctrl-C, and so would every command that tests interrupt
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def the_mode_of_rays_tokens_stays() -> Iterator[None]:
    """What joins a cluster sets it for its process, and a Ray that a later test starts would want a token of it."""
    before = os.environ.get("RAY_AUTH_MODE")
    yield
    if before is None:
        os.environ.pop("RAY_AUTH_MODE", None)
    else:
        os.environ["RAY_AUTH_MODE"] = before


@pytest.fixture(scope="session")
def one_ray() -> Iterator[None]:
    """One Ray for all tests of the session."""
    ray = pytest.importorskip("ray")
    from mfmarl.rllib.quiet import start_ray

    start_ray(num_cpus=9)
    yield
    ray.shutdown()
