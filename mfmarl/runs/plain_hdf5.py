"""HDF5 files that somebody else made: whatever they hold is in the file itself, and is numbers or text."""

from __future__ import annotations

import math
from typing import Any

import h5py

MAX_ENTRIES = 1 << 30
"""Of one dataset."""
MOST_PACKED = 1100
"""Bytes that gzip makes of one, 1,032 at most."""
SMALL = 1 << 20
"""Bytes of a dataset that may say more than the file has of it: what was never written reads as zeros."""


def why_not_plain(data: Any) -> str | None:
    """What speaks against reading a dataset, before any of it is read."""
    if data.is_virtual or data.external:
        return "takes its values from another file"
    if data.compression not in (None, "gzip") or data.scaleoffset is not None:
        return "uses a filter that this version does not read"
    entries = math.prod(data.shape or ())
    if entries > MAX_ENTRIES:
        return f"has {entries} entries, more than {MAX_ENTRIES}"
    held = data.id.get_storage_size()
    if entries * data.dtype.itemsize > MOST_PACKED * held + SMALL:
        return f"says {entries} entries, and the file has {held} bytes of them"
    return None


def why_no_link(link: Any) -> str | None:
    """What speaks against following a link."""
    return None if isinstance(link, h5py.HardLink) else "is a link to elsewhere"


def first_fault(file: Any) -> str | None:
    """The first node of a file that is not plain, and why; None where all are."""
    met, left = set(), [("", file)]
    while left:
        above, group = left.pop()
        for name in group:
            path = f"{above}/{name}"
            if why := why_no_link(group.get(name, getlink=True)):
                return f"{path} {why}"
            node = group[name]
            if isinstance(node, h5py.Group):
                # a group may be reached again, from within itself too
                at = h5py.h5o.get_info(node.id).addr
                if at not in met:
                    met.add(at)
                    left.append((path, node))
            elif isinstance(node, h5py.Dataset):
                text = h5py.check_string_dtype(node.dtype) is not None
                why = why_not_plain(node) or (None if text or node.dtype.kind in "biuf" else f"has type {node.dtype}")
                if why:
                    return f"{path} {why}"
            else:
                return f"{path} is neither a group nor a dataset"
    return None
