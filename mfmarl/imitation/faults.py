"""What is wrong with numbers that were given, found before they are cast: a cast hides it, or warns of it at best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from mfmarl.errors import UserError

EXACT = 2**53
"""Whole numbers below it are the same as float64 and as int64."""


@dataclass(frozen=True)
class Fault:
    """The first row that is wrong."""

    row: int
    what: str
    want: str


def array_of(values: ArrayLike, where: str) -> NDArray[Any]:
    """Numbers or flags as one array, none of them changed.

    Raises:
        UserError: for rows of unequal length, and what holds no numbers; `where` begins the message.
    """
    try:
        found = np.asarray(values)
    except ValueError as error:
        raise UserError(f"{where} of unequal lengths; want one array of numbers") from error
    if found.dtype.kind not in "biuf":
        raise UserError(f"{where} of type {found.dtype}; want numbers")
    return found


def fault_of(values: NDArray[Any], kind: DTypeLike) -> Fault | None:
    """Of rows [n, ...] of numbers that are to be cast to `kind`: a float type, int64 or bool. None: nothing is lost.

    Flags may be 0 and 1; whole numbers may be stored as floats.
    """
    kind = np.dtype(kind)
    if not values.size or (values.dtype == kind and kind.kind != "f"):
        return None
    tests = [(np.isfinite(values), "finite numbers")]
    if kind.kind == "b":
        tests.append((np.isin(values, (0, 1)), "0 or 1"))
    elif kind.kind != "f":
        tests.append((_whole(values), "whole numbers"))
    elif kind.itemsize < values.dtype.itemsize:
        with np.errstate(over="ignore"):
            tests.append((np.isfinite(values.astype(kind)), f"{np.finfo(kind).max:.2g} at most"))
    for right, want in tests:
        right = right.reshape(len(values), -1)
        if not right.all():
            row = int(np.argmin(right.all(1)))
            wrong = values.reshape(len(values), -1)[row][~right[row]][0]
            return Fault(row, str(wrong.item()) if np.isfinite(wrong) else "NaN or infinity", want)
    return None


def _whole(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind in "bi":
        return np.ones(values.shape, bool)
    right: NDArray[np.bool_] = (values == np.floor(values)) & (np.abs(values) <= EXACT)
    return right
