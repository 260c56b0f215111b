"""journal.jsonl: one JSON line per iteration, appended while the run goes on.

A process killed while it writes leaves at most a torn last line, which reading drops. Numbers that are not finite
are written as null: missing, never 0.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from mfmarl.errors import DamagedFile, StorageFailed
from mfmarl.runs.files import open_regular, storing, to_json

JOURNAL = "journal.jsonl"
MAX_BYTES = 2 << 30
MAX_LINE = 1 << 20


class Journal:
    """The journal of a run, open for appending; a torn last line is cut off first. Use it as a context manager."""

    def __init__(self, run: Path) -> None:
        self.path = run / JOURNAL
        lines = read_journal(run) if self.path.exists() else []
        self.last_iteration = int(lines[-1]["iteration"]) if lines else 0
        with storing(self.path):
            # a link would have its target written to
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self.path, flags, 0o644)
            os.ftruncate(self._descriptor, _whole_lines(self.path))

    def append(self, line: Mapping[str, Any]) -> None:
        """Write one iteration's line; it survives the process from then on, and a power cut after `sync`.

        Raises:
            ValueError: where `iteration` does not follow the last line.
            StorageFailed: where it cannot be written whole; the journal then stays as it was.
        """
        iteration = line.get("iteration")
        if not isinstance(iteration, int) or iteration <= self.last_iteration:
            raise ValueError(f"iteration {iteration!r} does not follow {self.last_iteration} in {self.path}")
        data = (to_json(_finite(line)) + "\n").encode()
        if len(data) > MAX_LINE:
            raise ValueError(f"a journal line of {len(data)} bytes is longer than {MAX_LINE}")
        with storing(self.path):
            here, there = os.fstat(self._descriptor), os.stat(self.path)
            if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
                raise StorageFailed(f"cannot write {self.path}: another file stands there now")
            try:
                written = 0
                while written < len(data):
                    written += os.write(self._descriptor, data[written:])
            except OSError:
                os.ftruncate(self._descriptor, here.st_size)
                raise
        self.last_iteration = iteration

    def sync(self) -> None:
        """Make all lines durable; a checkpoint does so first."""
        with storing(self.path):
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Make all lines durable and let go of the file."""
        if self._descriptor >= 0:
            try:
                self.sync()
            finally:
                os.close(self._descriptor)
                self._descriptor = -1

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_journal(run: Path) -> list[dict[str, Any]]:
    """All whole lines of a run's journal; a torn last line is dropped, and a run without a journal has none.

    Raises:
        DamagedFile: where a line before the last is damaged; names it.
    """
    return [line for line, _ in _lines(run / JOURNAL)]


def last_line(run: Path) -> dict[str, Any] | None:
    """The newest whole line, read from the file's end."""
    return next(newest_lines(run), None)


def newest_lines(run: Path) -> Iterator[dict[str, Any]]:
    """The last whole lines, newest first, as far as the file's last 2 MB hold them."""
    path = run / JOURNAL
    if not path.exists():
        return
    with open_regular(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2 * MAX_LINE))
        tail = file.read(2 * MAX_LINE)
    for text in reversed(tail[: tail.rfind(b"\n") + 1].splitlines()):
        line = _parse(text)
        if line is not None:
            yield line


def truncate_after(run: Path, iteration: int) -> int:
    """Drop the lines after `iteration`, which a run that goes on from its checkpoint writes again; how many stay."""
    path = run / JOURNAL
    if not path.exists():
        return 0
    keep = kept = 0
    for line, end in _lines(path):
        if line["iteration"] > iteration:
            break
        keep, kept = end, kept + 1
    with storing(path), path.open("r+b") as file:
        file.truncate(keep)
        os.fsync(file.fileno())
    return kept


def _lines(path: Path) -> list[tuple[dict[str, Any], int]]:
    """(line, byte offset behind it) of every whole line."""
    if not path.exists():
        return []
    out: list[tuple[dict[str, Any], int]] = []
    end = _whole_lines(path)
    with open_regular(path) as file:
        offset, number = 0, 0
        while offset < end:
            data = file.readline(MAX_LINE + 1)
            offset, number = offset + len(data), number + 1
            line = _parse(data)
            if line is None:
                raise DamagedFile(
                    f"{path} line {number} is damaged; take the line out, or start the run anew under another name"
                )
            out.append((line, offset))
    return out


def _whole_lines(path: Path) -> int:
    """Bytes up to the end of the last whole line."""
    with open_regular(path) as file:
        size = file.seek(0, os.SEEK_END)
        if size > MAX_BYTES:
            raise DamagedFile(f"{path} has {size} bytes, more than the {MAX_BYTES} that it may have")
        file.seek(max(0, size - MAX_LINE))
        start = file.tell()
        tail = file.read()
    end = tail.rfind(b"\n") + 1
    if start and not end:
        raise DamagedFile(f"{path} is damaged: its last line is longer than {MAX_LINE} bytes")
    return start + end


def _parse(data: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(data)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(line, dict) and isinstance(line.get("iteration"), int)
    return line if whole else None


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
