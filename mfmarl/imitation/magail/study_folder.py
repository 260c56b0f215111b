"""The folder of one MAGAIL study: of one kind and one choice of settings, so that the same call goes on with it.

`results.json` is there from the start and says whether it is complete; it is written last, so that all other files of
a complete study are whole. `training.safetensors` is the checkpoint, and goes at the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mfmarl.errors import DamagedFile, UserError
from mfmarl.runs.checkpoint import versions
from mfmarl.runs.files import storing, to_json, write_whole
from mfmarl.runs.lock import LOCK, hold
from mfmarl.runs.summed import read_summed, summed

RESULTS, CHECKPOINT = "results.json", "training.safetensors"
SCHEMA = 1
MEND = "move it away, and the study begins anew"
LARGEST = 1 << 30
"""Bytes of results that are read."""


@contextmanager
def claimed(folder: Path, study: str, settings: Mapping[str, Any]) -> Iterator[dict[str, Any] | None]:
    """Hold a study's folder, made where there is none: its results where it is complete, None where there is work left.

    Args:
        study: "magail-zero-sum" and the like.
        settings: plain data, all that decides what comes out.

    Raises:
        UserError: where the folder holds another study, or this one with other settings; or another process writes.
        DamagedFile: where its results cannot be read.
        StorageFailed: where it cannot be made.
    """
    standing(folder, study, settings)
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with hold(folder):
        words = standing(folder, study, settings)
        if words is None:
            _write(folder, study, settings, {}, complete=False)
        yield words if words is not None and words["complete"] else None


def standing(folder: Path, study: str, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a folder has of a study of these settings, complete or not; None where it has no study.

    Raises:
        UserError: where it holds another study, or this one with other settings; or is no folder.
        DamagedFile: where its results cannot be read.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; want a folder: give another --outdir")
    above = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not above.is_dir():
        raise UserError(f"{above} is a file, where {folder} wants a folder: give another --outdir")
    if not (folder / RESULTS).exists():
        return None
    words = read(folder)
    if not words["complete"] and {path.name for path in folder.iterdir()} <= {RESULTS, LOCK}:
        # begun, and killed before anything was kept
        return None
    if words["study"] != study:
        raise UserError(f"{folder} holds a study {words['study']}; choose another folder by --outdir or --tag")
    # as a file would give them back: tuples are lists
    had, wanted = words["settings"], json.loads(to_json(settings))
    if had != wanted:
        key = next(k for k in sorted({*had, *wanted}) if had.get(k) != wanted.get(k))
        raise UserError(
            f"{folder} holds this study with {key} {had.get(key)}, not {wanted.get(key)}; "
            "choose another folder by --outdir or --tag"
        )
    return words


def finish(folder: Path, study: str, settings: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Write the results of a study whose other files are written, and read them; the checkpoint goes.

    Raises:
        StorageFailed: where the folder takes no file.
    """
    _write(folder, study, settings, found, complete=True)
    with storing(folder):
        (folder / CHECKPOINT).unlink(missing_ok=True)
    return read(folder)


def read(folder: Path) -> dict[str, Any]:
    """The words of `results.json`: schema, study, settings, versions, complete, and what was found.

    Raises:
        DamagedFile: where they are no words of a study.
    """
    path = folder / RESULTS
    words = read_summed(path, LARGEST, MEND)
    fine = words.get("schema") == SCHEMA and isinstance(words.get("settings"), dict)
    if not fine or not {"study", "complete"} <= words.keys():
        raise DamagedFile(f"{path} is no results of a study of schema {SCHEMA}; {MEND}")
    return words


def _write(folder: Path, study: str, settings: Mapping[str, Any], found: Mapping[str, Any], *, complete: bool) -> None:
    words = {
        "schema": SCHEMA,
        "study": study,
        "settings": dict(settings),
        "versions": versions(),
        "complete": complete,
        **found,
    }
    write_whole(folder / RESULTS, summed(words))
