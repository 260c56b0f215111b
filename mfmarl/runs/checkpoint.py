"""Checkpoints: runs/NAME/checkpoints/ckpt_000040/ with tensors as safetensors, the rest as JSON, and a manifest.

A checkpoint is built under `ckpt_000040.tmp`, its manifest last, made durable and then renamed, so that a killed
process leaves a whole checkpoint or none. Reading verifies size and SHA-256 of every file before it parses one, and
names the file that is damaged. No pickle, no torch, no Ray.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

import mfmarl
from mfmarl.errors import DamagedFile, StorageFailed, UserError
from mfmarl.runs.files import open_regular, read_capped, storing, sync_folder, to_json, unpacking, write_synced
from mfmarl.runs.summed import read_summed, summed

CHECKPOINTS = "checkpoints"
MANIFEST = "manifest.json"
SCHEMA = 1
KEEP = 2
MAX_MANIFEST = 4 << 20
MAX_FILE = 64 << 30

_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,99}")
_FILE = re.compile(r"[a-z0-9][a-z0-9_]{0,99}\.(safetensors|json)")
_FOLDER = re.compile(r"ckpt_([0-9]{6,12})")

Tensors = dict[str, dict[str, NDArray[Any]]]
States = dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on: `tensors` is file -> name -> array, `states` is file -> plain data."""

    iteration: int
    tensors: Tensors
    states: States
    config_hash: str = ""
    versions: dict[str, str] = field(default_factory=dict)


def versions() -> dict[str, str]:
    """The versions that computed a run; without importing what is heavy."""
    found = {"python": platform.python_version(), "mfmarl": mfmarl.__version__}
    for name in ("numpy", "torch", "ray", "gymnasium"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def write_checkpoint(
    run: Path,
    iteration: int,
    tensors: Mapping[str, Mapping[str, NDArray[Any]]],
    states: Mapping[str, Any],
    config_hash: str,
) -> Path:
    """Write the checkpoint of `iteration` and drop all but the last two.

    Checkpoints of later iterations belong to a future that a resume from an older one gave up; they go too.

    Returns:
        The checkpoint's folder.

    Raises:
        ValueError: where a name or a value cannot be stored; nothing is written then.
        StorageFailed: where the disk does not take it; the checkpoints before stand.
    """
    files = {f"{name}.safetensors": _tensor_bytes(name, arrays) for name, arrays in tensors.items()}
    files |= {f"{name}.json": _state_bytes(name, state) for name, state in states.items()}
    for name in (*tensors, *states):
        if not _NAME.fullmatch(name) or f"{name}.json" == MANIFEST:
            raise ValueError(f"a checkpoint file cannot be called {name!r}; want lower-case letters, digits and _")
    folder = run / CHECKPOINTS
    target = folder / f"ckpt_{iteration:06d}"
    temporary = folder / f"{target.name}.tmp"
    with storing(target):
        if not run.is_dir():
            raise StorageFailed(f"cannot write {target}: {run} is gone")
        _check_own(folder)
        folder.mkdir(exist_ok=True)
        for left_over in folder.glob("*.tmp"):
            shutil.rmtree(left_over)
        temporary.mkdir()
        try:
            for name, data in files.items():
                write_synced(temporary / name, data)
            write_synced(temporary / MANIFEST, _manifest_bytes(iteration, files, config_hash))
            sync_folder(temporary)
            if target.exists():
                target.rename(folder / f"{target.name}.replaced.tmp")
            temporary.rename(target)
            sync_folder(folder)
        except OSError:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        prune(run, iteration)
    return target


def prune(run: Path, iteration: int) -> None:
    """Keep the last two checkpoints up to `iteration`, and nothing that a killed writer left half done."""
    folder = run / CHECKPOINTS
    paths = checkpoint_paths(run)
    older = [p for p in paths if _iteration_of(p) <= iteration]
    for path in [*older[:-KEEP], *paths[len(older) :]]:
        # first, so that a half-deleted one is never taken for whole
        path.rename(folder / f"{path.name}.old.tmp")
    for left_over in folder.glob("*.tmp"):
        shutil.rmtree(left_over, ignore_errors=True)


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in folder `path`, every file verified.

    Raises:
        UserError: where `path` is no checkpoint folder.
        StorageFailed: where a file is missing, cut short or changed; names it.
    """
    named = _FOLDER.fullmatch(path.name)
    if named is None or not path.is_dir():
        raise UserError(f"{path} is not a checkpoint folder; want RUN/{CHECKPOINTS}/ckpt_000040 or the like")
    if not os.path.lexists(path / MANIFEST):
        raise DamagedFile(f"{path / MANIFEST} is missing")
    manifest = _read_manifest(path / MANIFEST)
    if manifest["iteration"] != int(named.group(1)):
        raise DamagedFile(f"{path / MANIFEST} is of iteration {manifest['iteration']}, not of {path.name}")
    tensors: Tensors = {}
    states: States = {}
    for name, told in sorted(manifest["files"].items()):
        data = _verified(path / name, told["size"], told["sha256"])
        stem, kind = name.rsplit(".", 1)
        with unpacking(path / name):
            if kind == "safetensors":
                tensors[stem] = safetensors.numpy.load(data)
            else:
                states[stem] = json.loads(data)
    return Checkpoint(manifest["iteration"], tensors, states, manifest["config_hash"], manifest["versions"])


def checkpoint_paths(run: Path) -> list[Path]:
    """The checkpoint folders of a run, oldest first; not verified."""
    folder = run / CHECKPOINTS
    _check_own(folder)
    if not folder.is_dir():
        return []
    with storing(folder, "cannot read"):
        return sorted((p for p in folder.iterdir() if _FOLDER.fullmatch(p.name) and p.is_dir()), key=_iteration_of)


def _check_own(folder: Path) -> None:
    """Old checkpoints are deleted: those of another folder are none of the run's."""
    if folder.is_symlink():
        raise DamagedFile(f"{folder} is a link; put the folder itself there")


def newest_iteration(run: Path) -> int | None:
    """Iteration of a run's newest checkpoint, not verified; None where it has none."""
    paths = checkpoint_paths(run)
    return _iteration_of(paths[-1]) if paths else None


def latest_valid(run: Path, mend: str | None = None) -> Checkpoint | None:
    """The newest checkpoint of a run, or None where it has none yet.

    Args:
        mend: said of a damaged one, where it is not `--resume` that goes on from another.

    Raises:
        StorageFailed: where the newest is damaged; the message says how to go back further, if the user wants to.
    """
    paths = checkpoint_paths(run)
    if not paths:
        return None
    try:
        return read_checkpoint(paths[-1])
    except StorageFailed as error:
        older = next((p for p in reversed(paths[:-1]) if mend is None and _is_whole(p)), None)
        if mend is None:
            mend = (
                f"to go on from the one before: --resume {older}"
                if older
                else "the run has no other that is whole: train again under another --name"
            )
        raise type(error)(f"{error}; {mend}") from error


def _is_whole(path: Path) -> bool:
    try:
        read_checkpoint(path)
    except StorageFailed:
        return False
    return True


def latest_checkpoint(run: Path) -> Checkpoint:
    """The newest checkpoint of a run folder.

    Raises:
        UserError: where `run` is no run folder or has no checkpoint yet.
        StorageFailed: where the checkpoint is damaged; names the file.
    """
    from mfmarl.runs.schema import COMPLETE, open_run

    open_run(run)
    checkpoint = latest_valid(run)
    if checkpoint is None and (run / COMPLETE).exists():
        raise UserError(f"{run} is complete, but its checkpoints are gone: put them back, or train anew")
    if checkpoint is None:
        raise UserError(f"{run} has no checkpoint yet; go on with `mfmarl train --resume {run}`")
    return checkpoint


def missing_part(path: Path) -> str | None:
    """The first file of a checkpoint that is missing or of another size, found without reading it; None where whole."""
    try:
        manifest = _read_manifest(path / MANIFEST)
    except StorageFailed as error:
        return str(error)
    for name, told in manifest["files"].items():
        try:
            size = (path / name).lstat().st_size
        except OSError:
            return f"{path / name} is missing"
        if size != told["size"]:
            return f"{path / name} has {size} bytes, its manifest says {told['size']}"
    return None


def _iteration_of(path: Path) -> int:
    return int(path.name.split("_")[1])


def _tensor_bytes(name: str, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    # order="C" copies what is not contiguous; ascontiguousarray would turn scalars into vectors
    whole = {key: np.array(value, order="C", copy=None) for key, value in arrays.items()}
    try:
        return bytes(safetensors.numpy.save(whole))
    except (ValueError, TypeError, KeyError, safetensors.SafetensorError) as error:
        raise ValueError(f"checkpoint file {name}: {error}") from error


def _state_bytes(name: str, state: Any) -> bytes:
    try:
        return to_json(state).encode()
    except (ValueError, TypeError) as error:
        raise ValueError(f"checkpoint file {name}: {error}") from error


def _manifest_bytes(iteration: int, files: Mapping[str, bytes], config_hash: str) -> bytes:
    told = {name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()}
    body = {
        "schema": SCHEMA,
        "iteration": iteration,
        "config_hash": config_hash,
        "versions": versions(),
        "files": told,
    }
    return summed(body)


def _read_manifest(path: Path) -> dict[str, Any]:
    body = read_summed(path, MAX_MANIFEST)
    if body.get("schema") != SCHEMA:
        raise DamagedFile(f"{path} has schema {body.get('schema')!r}; this version reads {SCHEMA}")
    with unpacking(path):
        _check_words(body)
    return body


def _check_words(body: Mapping[str, Any]) -> None:
    """Of a manifest whose SHA-256 fits, which anybody can compute."""
    if not isinstance(body["iteration"], int) or not isinstance(body["config_hash"], str):
        raise ValueError("iteration and config_hash are to be a number and text")
    if not isinstance(body["versions"], dict) or not isinstance(body["files"], dict):
        raise ValueError("versions and files are to be JSON objects")
    for name, told in body["files"].items():
        if not _FILE.fullmatch(name) or name == MANIFEST:
            raise ValueError(f"it names {name[:100]}, which no checkpoint has")
        if not isinstance(told["size"], int) or not isinstance(told["sha256"], str):
            raise ValueError(f"size and sha256 of {name} are to be a number and text")


def _verified(path: Path, size: int, digest: str) -> bytes:
    if not os.path.lexists(path):
        raise DamagedFile(f"{path} is missing")
    with open_regular(path) as file:
        found = os.fstat(file.fileno()).st_size
    # before it is read: it may be of any size
    if found != size:
        raise DamagedFile(f"{path} is damaged: it has {found} bytes, its manifest says {size}")
    data = read_capped(path, MAX_FILE)
    if hashlib.sha256(data).hexdigest() != digest:
        raise DamagedFile(f"{path} is damaged: its SHA-256 does not fit the manifest")
    return data
