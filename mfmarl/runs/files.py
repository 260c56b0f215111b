"""Files that are there whole or not at all: temporary name, fsync, rename, fsync of the folder."""

from __future__ import annotations

import errno
import glob
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from envs.unpacking import MEMORY, plain_reason
from mfmarl.errors import DamagedFile, StorageFailed, UserError

_REMEDY = {
    errno.ENOSPC: "the disk is full; free some room",
    errno.EDQUOT: "the disk quota is used up; free some room",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.ENOENT: "it is not there; was the folder moved or deleted meanwhile?",
    errno.ENOTDIR: "a file stands where a folder is needed",
    errno.EISDIR: "a folder stands where a file is needed; move it away",
    errno.ELOOP: "it is a link; put what it leads to in its place",
    errno.EIO: "the disk reports an error",
}


@contextmanager
def storing(path: Path, what: str = "cannot write") -> Iterator[None]:
    """Turn what the operating system refuses into one line that names the file and the mend.

    Raises:
        DamagedFile: for a link where a file is wanted.
        StorageFailed: for every other OSError within.
    """
    try:
        yield
    except StorageFailed:
        raise
    except OSError as error:
        why = _REMEDY.get(error.errno or 0, error.strerror or str(error))
        # links are not followed: that is no fault of the disk
        kind = DamagedFile if error.errno == errno.ELOOP else StorageFailed
        raise kind(f"{what} {error.filename or path}: {why}") from error


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file and make its contents durable; a half-written one is taken away."""
    try:
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to build the file at; it takes `path`'s place, durably, at the end.

    Where building fails, `path` stays as it was and nothing is left behind; what a killed one left goes next time.

    Raises:
        StorageFailed: where the folder takes no file.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with storing(path):
        for left_over in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
            if not _is_alive(left_over.name.split(".")[-2]) or left_over == temporary:
                left_over.unlink(missing_ok=True)
        try:
            yield temporary
            descriptor = os.open(temporary, os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(temporary, path)
            sync_folder(path.parent)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    return True


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file's contents, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """A regular file to read; links, pipes (which would wait for ever) and devices are refused.

    Raises:
        StorageFailed: names the file.
    """
    with storing(path, "cannot read"):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            what = "a folder, not a regular file" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise DamagedFile(f"{path} is {what}: move it away")
        with os.fdopen(descriptor, "rb") as file:
            yield file


def read_capped(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes.

    Raises:
        StorageFailed: names the file.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise DamagedFile(f"{path} has {size} bytes, more than the {limit} that it may have")
        try:
            if size > MEMORY:
                raise MemoryError
            return file.read(size)
        except MemoryError:
            raise DamagedFile(f"{path} has {size} bytes, more than there is memory for") from None


@contextmanager
def unpacking(
    what: object, is_: str = "is damaged", passing: tuple[type[Exception], ...] = (UserError, StorageFailed)
) -> Iterator[None]:
    """Turn every way in which reading what is in a file can fail into one line: `what`, what it `is_`, and why.

    Errors of `passing` are told already; what the operating system refuses is no damage, and comes out as it is.

    Raises:
        DamagedFile: for everything else.
    """
    try:
        yield
    except passing:
        raise
    except Exception as error:
        # a seek to where a damaged file points is an OSError too, of another number
        if isinstance(error, OSError) and error.errno in _REMEDY:
            raise
        raise DamagedFile(f"{what} {is_}: {plain_reason(error)}") from error


def read_json(path: Path, limit: int) -> Any:
    """What a JSON file of at most `limit` bytes says.

    Raises:
        DamagedFile: where it is no JSON.
        StorageFailed: where it cannot be read, or has more bytes.
    """
    data = read_capped(path, limit)
    with unpacking(path):
        return json.loads(data)


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Canonical JSON: sorted keys, no nan or infinity; numpy numbers are written as plain ones.

    Raises:
        ValueError, TypeError: where the value is not JSON-able.
    """
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(
        value, sort_keys=True, separators=separators, indent=indent, allow_nan=False, default=_plain_number
    )


def _plain_number(value: Any) -> Any:
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
