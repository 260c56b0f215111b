"""Where demonstrations are, and of which environment, without reading them."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from mfmarl.errors import DamagedFile, UserError

MINARI = "minari:"


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


def check_file(path: Path) -> None:
    """Whether there is an npz file, or what is taken for one."""
    if not path.is_file():
        raise UserError(f"{path} is no file; record demonstrations with `mfmarl demonstrate --out {path}`")


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
    try:
        if where.startswith(MINARI):
            path = minari_root() / where.removeprefix(MINARI) / "data" / "metadata.json"
            spec = json.loads(path.read_text(encoding="utf-8")).get("env_spec")
            return str(json.loads(spec)["id"]) if spec else ""
        with np.load(where, allow_pickle=False) as file:
            return str(about_of(file["about"]).get("env") or "") if "about" in file.files else ""
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        # numpy's own advice is to load pickles, which is never done here
        why = "it has objects in place of numbers" if "pickle" in str(error) else str(error)
        raise DamagedFile(f"{where} is damaged, or holds no demonstrations: {why}") from error


def about_of(stored: Any) -> dict[str, Any]:
    """The words that an npz file stores as bytes of JSON."""
    words = json.loads(bytes(stored))
    if not isinstance(words, dict):
        raise ValueError(f"about is {type(words).__name__}, not a JSON object")
    return words
