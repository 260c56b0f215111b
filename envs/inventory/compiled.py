"""Compiling loops over agents with numba, kept on disk where there is a place for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Loop = TypeVar("Loop", bound=Callable[..., object])


def compiled(loop: Loop) -> Loop:
    """`loop` as machine code, the same arithmetic in the same order (no fast-math), so results do not depend on B.

    The code is kept beside the source; where nothing can be written it is compiled anew in every process.
    """
    try:
        return cast(Loop, numba.njit(cache=True, error_model="numpy")(loop))
    except RuntimeError:
        # numba's "no locator available": neither the source's folder nor the user's cache can be written
        return cast(Loop, numba.njit(error_model="numpy")(loop))
