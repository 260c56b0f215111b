"""Files that somebody else made: how much of one fits, and what went wrong in unpacking it, in one line.

Libraries that unpack (zip, gzip, HDF5, Parquet, numpy, safetensors, json) have no list of what they raise for bytes
that are none of theirs: damage has come out as EOFError, zlib.error, TypeError, MemoryError and RecursionError. Readers
catch every Exception about the unpacking, and about that alone.
"""

from __future__ import annotations

import os

MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
"""Bytes of this machine: what unpacks to more cannot be held."""


def plain_reason(error: Exception) -> str:
    """What an error says, in one line that is never empty."""
    if isinstance(error, MemoryError):
        return "it takes more memory than there is"
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, KeyError):
        return f"{error} is missing"
    told = " ".join(str(error).split())
    return told[:500] or type(error).__name__
