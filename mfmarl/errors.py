"""Errors that are the user's to mend. Each is one clear line and an exit code; the command line prints just that."""

from __future__ import annotations


class UserError(ValueError):
    """Bad input: a file, key, value, shape or folder. Exit code 2."""

    exit_code = 2


class TrainingFailed(RuntimeError):
    """A guard stopped training: a value that is not finite, a dead worker. Exit code 3; the last checkpoint stands."""

    exit_code = 3


class StorageFailed(OSError):
    """The disk does not take or give what is asked of it. Exit code 4."""

    exit_code = 4


class DamagedFile(StorageFailed):
    """What was read is cut short, changed or missing: bad input, not a failing disk. Exit code 2."""

    exit_code = 2
