"""One writer per run folder, by flock: the lock goes with its process, however that ends."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mfmarl.errors import DamagedFile, UserError
from mfmarl.runs.files import storing

LOCK = "lock"
ATTEMPTS = 5


@dataclass(frozen=True)
class Holder:
    """Who writes to a run."""

    pid: int
    host: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@contextmanager
def hold(run: Path) -> Iterator[None]:
    """Hold the run's lock.

    Raises:
        UserError: where another process holds it; says which.
        StorageFailed: where the folder takes no lock.
    """
    path = run / LOCK
    with storing(path, "cannot lock"):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DamagedFile(f"{path} is not a regular file: move it away")
        for attempt in range(ATTEMPTS):
            try:
                with storing(path, "cannot lock"):
                    _take(descriptor, fcntl.LOCK_EX)
                break
            except UserError:
                # `mfmarl ls` looks by taking the lock for an instant
                if attempt == ATTEMPTS - 1:
                    who = _read(descriptor) or "another process"
                    raise UserError(f"{run} is in use: {who} writes to it; wait for it, or end it") from None
                time.sleep(0.05)
        with storing(path, "cannot lock"):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
        yield
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def holder(run: Path) -> Holder | None:
    """Who writes to the run at this moment, or None."""
    try:
        descriptor = os.open(run / LOCK, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        _take(descriptor, fcntl.LOCK_SH)
    except UserError:
        return _read(descriptor) or Holder(0, "an unknown host")
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


def _take(descriptor: int, kind: int) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError("the lock is taken") from None


def _read(descriptor: int) -> Holder | None:
    try:
        told = json.loads(os.pread(descriptor, 4096, 0))
        return Holder(int(told["pid"]), str(told["host"])[:200])
    except (ValueError, TypeError, KeyError, OSError):
        return None
