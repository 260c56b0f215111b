"""Finished pieces of an audit: a JSON file each with its SHA-256, told by the hash of all that it depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from mfmarl.errors import DamagedFile
from mfmarl.runs.files import to_json, write_whole
from mfmarl.runs.summed import read_summed, summed

MAX_BYTES = 64 << 20
PIECE = "piece"
T = TypeVar("T")


def digest(of: tuple[object, ...]) -> str:
    """Of plain data."""
    return hashlib.sha256(json.dumps(of).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Pieces:
    """The pieces in one folder that belong to the same subject."""

    folder: Path
    subject: tuple[object, ...]
    """All that every piece depends on, plain data."""

    def kept(self, name: str, kind: type[T], compute: Callable[[], T], *depends: object) -> T:
        """A piece from its file, or computed and written there."""
        found = self.found(name, kind, *depends)
        if found is None:
            found = compute()
            self.write(name, kind, found, *depends)
        return found

    def found(self, name: str, kind: type[T], *depends: object) -> T | None:
        """A piece from its file, None where it is not finished.

        Raises:
            DamagedFile: for a file that is no such piece.
        """
        path = self._path(name, depends)
        if not path.exists():
            return None
        try:
            words = read_summed(path, MAX_BYTES, "delete it")
            piece: T = TypeAdapter(kind).validate_json(to_json(words.get(PIECE)))
        except ValidationError as error:
            faults = error.error_count()
            raise DamagedFile(f"{path} is no finished piece of an audit ({faults} faults): delete it") from None
        return piece

    def write(self, name: str, kind: type[T], piece: T, *depends: object) -> None:
        """Whole or not at all.

        Raises:
            StorageFailed: where the disk does not take it.
        """
        write_whole(self._path(name, depends), summed({PIECE: TypeAdapter(kind).dump_python(piece, mode="json")}))

    def _path(self, name: str, depends: tuple[object, ...]) -> Path:
        return self.folder / f"{name}-{digest((*self.subject, *depends, name))}.json"
