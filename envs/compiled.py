"""Compiling loops with numba, kept on disk where there is a place for it."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import TypeVar, cast

import numba
from numba.core.caching import UserProvidedCacheLocator
from numba.core.dispatcher import Dispatcher

Loop = TypeVar("Loop", bound=Callable[..., object])


def compiled(loop: Loop) -> Loop:
    """`loop` as machine code, the same arithmetic in the same order (no fast-math), so results do not depend on B.

    The code is kept in the user's cache, or beside the source; where nothing can be written it is compiled anew in
    every process, and so is a loop that has compiled ones in its closure: numba names those anew each time.
    """
    return _compiled(loop, set())


def reordered(loop: Loop) -> Loop:
    """`compiled`, with sums in the order that vectors of the processor take them in: for the sum of one row."""
    return _compiled(loop, {"reassoc", "contract"})


def inlined(loop: Loop) -> Loop:
    """A loop for the inside of compiled ones, taken in as if written there: lengths known there are known in it."""
    return cast(Loop, numba.njit(error_model="numpy", inline="always")(loop))


def _compiled(loop: Loop, fastmath: set[str]) -> Loop:
    options = {"error_model": "numpy", "fastmath": fastmath}
    folder = _cache_folder(loop.__module__.split(".")[0])
    inner = [cell.cell_contents for cell in getattr(loop, "__closure__", None) or ()]
    if folder is None or any(isinstance(value, Dispatcher) for value in inner):
        return cast(Loop, numba.njit(**options)(loop))
    config = numba.config
    before = config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES
    config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = folder, f"{PlaceByModule.__module__}.{PlaceByModule.__name__}"
    try:
        return cast(Loop, numba.njit(cache=True, **options)(loop))
    finally:
        config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = before


class PlaceByModule(UserProvidedCacheLocator):
    """Where a module's code is kept, by its name and not its path: a Ray job has the sources in a folder of its own."""

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        """Of `.../envs/inventory/loops.py`: `envs.inventory`."""
        folder = Path(py_file).resolve().parent
        packages = [folder, *folder.parents]
        names = [package.name for package in takewhile(lambda at: (at / "__init__.py").exists(), packages)]
        return ".".join(reversed(names))


@cache
def _cache_folder(package: str) -> str | None:
    """A folder of a package's very sources: numba notices a change of a loop's own file, not of one it calls."""
    root = Path(str(sys.modules[package].__file__)).parent
    digest = hashlib.sha256()
    for source in sorted(root.rglob("*.py")):
        digest.update(source.read_bytes())
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for place in (caches / "mfmarl", root / "__pycache__"):
        folder = place / f"numba-{digest.hexdigest()[:16]}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return str(folder)
    return None
