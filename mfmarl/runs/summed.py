"""JSON with the SHA-256 of what it says: as it was written, or known not to be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mfmarl.errors import DamagedFile
from mfmarl.runs.files import read_capped, to_json

SUM = "sha256"


def summed(words: Mapping[str, Any]) -> bytes:
    """Canonical JSON of `words` and their sum, an indented line each.

    Raises:
        ValueError, TypeError: where they are not JSON-able, or have a sum of their own.
    """
    if SUM in words:
        raise ValueError(f"words under the key {SUM} would be lost")
    told = to_json(words)
    # what is read back is what counts: tuples are lists then
    body = json.loads(told) | {SUM: hashlib.sha256(told.encode()).hexdigest()}
    return (to_json(body, indent=1) + "\n").encode()


def read_summed(path: Path, limit: int, mend: str = "") -> dict[str, Any]:
    """The words that `summed` was given.

    Args:
        limit: bytes that the file may have.
        mend: what to do about a damaged file.

    Raises:
        DamagedFile: where a byte is not as it was written.
        StorageFailed: where it cannot be read, or has more bytes.
    """
    data, mending = read_capped(path, limit), f" ({mend})" if mend else ""
    try:
        words = json.loads(data)
        body = {key: value for key, value in words.items() if key != SUM}
        whole = summed(body) == data
    except (ValueError, TypeError, AttributeError, RecursionError, MemoryError):
        raise DamagedFile(f"{path} is damaged: it is no JSON object of ours{mending}") from None
    if SUM not in words:
        raise DamagedFile(f"{path} has no SHA-256: it was edited, or is of an earlier version{mending}")
    if not whole:
        raise DamagedFile(f"{path} is damaged or was edited: its SHA-256 does not fit{mending}")
    return body
