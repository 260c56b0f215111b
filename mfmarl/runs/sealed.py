"""Arrays and words in one safetensors file under a SHA-256 of both: whole, or known not to be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.numpy
from numpy.typing import NDArray

from mfmarl.errors import DamagedFile
from mfmarl.runs.files import read_capped, unpacking, write_whole

Arrays = dict[str, NDArray[Any]]


def write_sealed(path: Path, key: str, text: str, arrays: Arrays) -> None:
    """Write contiguous arrays, and JSON text as the metadata `key`; the file is there whole or not at all.

    Equal arrays and text give equal bytes.

    Raises:
        StorageFailed: where the folder takes no file.
    """
    metadata = {key: text, "sha256": _digest(text, arrays)}
    write_whole(path, _in_order(safetensors.numpy.save(arrays, metadata)))


def read_sealed(path: Path, key: str, schema: int, largest: int) -> tuple[dict[str, Any], Arrays]:
    """(words, arrays) that `write_sealed` has written; the words say their `schema`.

    Raises:
        DamagedFile: where the file was cut short or changed, or is of another schema.
        StorageFailed: where it cannot be read, or has more than `largest` bytes.
    """
    data = read_capped(path, largest)
    with unpacking(path, "is damaged, or none of ours"):
        metadata = json.loads(data[8 : _header_end(data)])["__metadata__"]
        arrays = safetensors.numpy.load(data)
        whole = metadata["sha256"] == _digest(metadata[key], arrays)
        words: dict[str, Any] = json.loads(metadata[key])
    if not whole:
        raise DamagedFile(f"{path} is damaged: its SHA-256 does not fit")
    if not isinstance(words, dict):
        raise DamagedFile(f"{path} is damaged: its words are {type(words).__name__}, no JSON object")
    if words.get("schema") != schema:
        raise DamagedFile(f"{path} has schema {words.get('schema')!r}; this version reads {schema}")
    return words, arrays


def _header_end(data: bytes) -> int:
    """Where the JSON header of a safetensors file ends, which follows 8 bytes of its length."""
    return 8 + int.from_bytes(data[:8], "little")


def _in_order(data: bytes) -> bytes:
    """The same file with its metadata sorted: safetensors keeps them in a hash map, whose order changes."""
    end = _header_end(data)
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    # readers that map the file want arrays at multiples of 8
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[end:]


def _digest(text: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    sha = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        sha.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        sha.update(arrays[name].tobytes())
    return sha.hexdigest()
