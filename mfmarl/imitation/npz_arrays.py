"""The arrays of an npz file, of which nothing is believed: sizes are looked at before room is made for them."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Container
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.unpacking import MEMORY
from mfmarl.errors import UserError
from mfmarl.runs.files import unpacking

LARGEST = 16 << 30
"""Bytes of a file that is read."""
LARGEST_UNPACKED = min(LARGEST, MEMORY)
"""Bytes of its arrays; zeros pack a thousand to one."""
LARGEST_HEADER = 1 << 14
"""Bytes at the head of an array that say what it is."""
READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def arrays_in(path: Path, names: Container[str] | None = None) -> dict[str, NDArray[Any]]:
    """The arrays of an npz file, or those of `names` that it has.

    Raises:
        UserError: where there is no such file, or it is too large.
        DamagedFile: where it is no npz file of numbers.
    """
    check_file(path)
    _check_size(path, "", path.stat().st_size, LARGEST)
    with unpacking(path, "is damaged, or no npz file"), zipfile.ZipFile(path) as file:
        members = {member.filename.removesuffix(".npy"): member for member in file.infolist()}
        wanted = {name: member for name, member in members.items() if names is None or name in names}
        _check_size(path, " of arrays", sum(member.file_size for member in wanted.values()), LARGEST_UNPACKED)
        return {name: _array(file, member) for name, member in wanted.items()}


def check_file(path: Path) -> None:
    """Whether there is an npz file, or what is taken for one.

    Raises:
        UserError: where there is none.
    """
    if not path.is_file():
        raise UserError(f"{path} is no file; record demonstrations with `mfmarl demonstrate --out {path}`")


def _check_size(path: Path, of: str, size: int, most: int) -> None:
    if size > most:
        raise UserError(f"{path} has {size} bytes{of}; want {most} at most")


def _array(file: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with file.open(member) as stream:
        head = io.BytesIO(stream.read(LARGEST_HEADER))
    version = np.lib.format.read_magic(head)
    if version not in READERS:
        raise ValueError(f"{member.filename} is of version {version}; want 1.0 or 2.0")
    shape, _, dtype = READERS[version](head)
    if dtype.hasobject:
        raise ValueError(f"{member.filename} has objects in place of numbers")
    # numpy makes room for the shape before it reads
    if math.prod(map(abs, shape)) * max(dtype.itemsize, 1) > member.file_size:
        raise ValueError(f"{member.filename} says shape {shape}, for which its {member.file_size} bytes are too few")
    with file.open(member) as stream:
        found: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return found
