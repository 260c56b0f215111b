"""Compiling loops with numba, kept on disk where there is a place for it."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from functools import cache
from itertools import takewhile
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache, UserProvidedCacheLocator
from numba.core.dispatcher import Dispatcher

Loop = TypeVar("Loop", bound=Callable[..., object])


def compiled(loop: Loop) -> Loop:
    """`loop` as machine code, the same arithmetic in the same order (no fast-math), so results do not depend on B.

    The code is kept in the user's cache, or beside the source; where nothing can be written it is compiled anew in
    every process, and so is a loop in whose closure is a function of another package, or an array.
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
    package = loop.__module__.split(".")[0]
    folder, made = _cache_folder(package), numba.njit(**options)(loop)
    if folder is None or _identity(loop, package) is None:
        return cast(Loop, made)
    config = numba.config
    before = config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES
    config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = folder, f"{PlaceByModule.__module__}.{PlaceByModule.__name__}"
    try:
        made._cache = CacheByIdentity(loop)
    finally:
        config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = before
    return cast(Loop, made)


Identity = tuple[object, ...]


def _identity(loop: Any, package: str) -> Identity | None:
    """What a loop is by its place in the sources and what it closes over; None where that does not tell it."""
    if loop.__module__.split(".")[0] != package:
        return None
    found: list[object] = [loop.__module__, loop.__qualname__, loop.__code__.co_firstlineno, loop.__code__.co_code]
    for cell in loop.__closure__ or ():
        value = cell.cell_contents
        value = value.py_func if isinstance(value, Dispatcher) else value
        inner = _identity(value, package) if isinstance(value, FunctionType) else None
        if inner is None and not isinstance(value, bool | int | float | str | None):
            return None
        found.append(inner or (type(value).__name__, repr(value)))
    return tuple(found)


class CacheByIdentity(FunctionCache):
    """numba's, which names the functions in a closure anew in each process and so never finds a loop with some."""

    def _index_key(self, sig: Any, codegen: Any) -> Identity:
        loop = self._py_func
        return sig, codegen.magic_tuple(), _identity(loop, loop.__module__.split(".")[0])


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
