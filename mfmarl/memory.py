"""Keeping the memory that every training iteration needs anew."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of glibc's `mallopt`."""
KEPT = 256 << 20
LARGEST = 32 << 20
"""glibc takes no larger one."""


def keep_freed_memory() -> bool:
    """Let freed blocks of up to 32 MiB wait for their next use, up to 256 MiB of them; whether that can be set.

    A fragment and a draw from the replay are some megabytes. By default glibc hands such blocks back to the system and
    takes them again, page by page, in every iteration: up to a tenth of training's time on one core.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        # another C library, or another system
        return False
    return bool(set_option(M_TRIM_THRESHOLD, KEPT)) and bool(set_option(M_MMAP_THRESHOLD, LARGEST))
