"""Where demonstrations are, and of which environment, without reading them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from mfmarl.errors import UserError
from mfmarl.imitation.npz_arrays import arrays_in, check_file
from mfmarl.runs.files import read_json, unpacking

MINARI = "minari:"
LARGEST_WORDS = 1 << 24
"""Bytes of a Minari data set's metadata."""


def minari_root() -> Path:
    """Where Minari keeps data sets: $MINARI_DATASETS_PATH, or ~/.minari/datasets."""
    return Path(os.environ.get("MINARI_DATASETS_PATH", Path.home() / ".minari" / "datasets"))


def check_is_there(where: str) -> None:
    """Of `FILE.npz`, or of `minari:ID`.

    Raises:
        UserError: where there is none.
    """
    if where.startswith(MINARI):
        check_minari(minari_root() / where.removeprefix(MINARI))
    else:
        check_file(Path(where))


def check_minari(folder: Path) -> None:
    """Whether there is a data set, as Minari stores them: `folder/data/...`."""
    if not (folder / "data").is_dir():
        raise UserError(f"{folder} is no Minari data set: it has no folder data")


def env_in(where: str) -> str:
    """The environment of demonstrations, or nothing where they do not name it.

    Raises:
        UserError: where there are none.
        DamagedFile: where the words about them cannot be read.
    """
    check_is_there(where)
    if not where.startswith(MINARI):
        with unpacking(where, "is damaged, or holds no demonstrations"):
            found = arrays_in(Path(where), ("about",))
            return str(about_of(found["about"]).get("env") or "") if found else ""
    path = minari_root() / where.removeprefix(MINARI) / "data" / "metadata.json"
    words = read_json(path, LARGEST_WORDS)
    with unpacking(path):
        spec = words.get("env_spec")
        return str(json.loads(spec)["id"]) if spec else ""


def about_of(stored: Any) -> dict[str, Any]:
    """The words that an npz file stores as bytes of JSON."""
    words = json.loads(bytes(stored))
    if not isinstance(words, dict):
        raise ValueError(f"about is {type(words).__name__}, not a JSON object")
    return words
