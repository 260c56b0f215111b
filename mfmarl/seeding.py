"""The seed tree: every random stream of a run has a path, and paths do not collide.

Ray's own seeds are sums (root + runner + copy) and collide: 8 runners of 4 copies get 11 streams. Here a stream's
seed is a hash of its whole path.
"""

from __future__ import annotations

import hashlib
import secrets

import numpy as np

SEED_LIMIT = 2**63


def stream(root: int, *path: str | int) -> int:
    """Seed in [0, 2**63) of the stream at `path` below `root`, e.g. ``stream(7, "env", runner, copy)``."""
    text = "/".join([str(root), *(f"{type(p).__name__}:{p}" for p in path)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % SEED_LIMIT


def generator(root: int, *path: str | int) -> np.random.Generator:
    """A NumPy generator on the stream at `path`."""
    return np.random.default_rng(stream(root, *path))


def draw_seed() -> int:
    """A root seed for a run that was given none; the caller prints and stores it."""
    return secrets.randbelow(2**31)
