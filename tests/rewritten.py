"""Files of ours with other words, and the SHA-256 that fits them, which anybody can compute."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mfmarl.runs.store import USER_BLOCK, with_sum
from mfmarl.runs.summed import SUM, summed


def words_of(path: Path) -> dict[str, Any]:
    """What a summed file says."""
    return {key: value for key, value in json.loads(path.read_text()).items() if key != SUM}


def rewrite(path: Path, change: dict[str, Any] | Callable[[dict[str, Any]], object]) -> None:
    """Change some words, or as `change` does."""
    words = words_of(path)
    words.update(change) if isinstance(change, dict) else change(words)
    path.write_bytes(summed(words))


def rewrite_sum(path: Path) -> None:
    """Of an evaluation.h5 that was changed in place."""
    path.write_bytes(with_sum(path.read_bytes()[USER_BLOCK:]))
