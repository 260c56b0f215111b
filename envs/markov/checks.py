"""What Markov games refuse: arrays of other shapes, numbers that are not finite, rows that are no distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
SUM_TOLERANCE = 1e-9
"""How far from 1 a distribution may sum; it is then taken as it is."""


class BadGame(ValueError):
    """Arrays, or a description, that are no Markov game: says which entry, what was got and what is wanted."""


class BadPolicy(ValueError):
    """An array that is no policy of the game: says whose, which row, what was got and what is wanted."""


def numbers(values: ArrayLike, what: str, error: type[ValueError]) -> Array:
    """A copy in float64; raises `error` for rows of unequal lengths, words, or what is not finite."""
    try:
        given = np.asarray(values)
    except ValueError:
        given = np.array(None)
    # NumPy would read words in quotes as numbers
    if given.dtype.kind not in "biuf":
        raise error(f"{what} are no array of numbers; want rows of equal lengths, of numbers only")
    found = given.astype(np.float64)
    if not np.isfinite(found).all():
        place = first(~np.isfinite(found))
        raise error(f"{what}: entry {place} is {found[tuple(place)]}; want finite numbers")
    return found


def check_rows(rows: Array, what: str, error: type[ValueError], *, axes: int = 1) -> None:
    """Refuse rows [..., A] that are no distributions over their last `axes` axes; raises `error`, naming the first."""
    flat = rows.reshape(*rows.shape[: rows.ndim - axes], -1)
    # a product is summed faster than short rows are; NaN compares false
    right = np.abs(flat @ np.ones(flat.shape[-1]) - 1) <= SUM_TOLERANCE
    if right.all() and flat.min() >= 0:
        return
    place = first(~(right & (flat >= 0).all(-1)))
    row = rows[tuple(place)]
    if not np.isfinite(row).all():
        told = f"holds {row[~np.isfinite(row)][0]}"
    else:
        told = f"holds {row.min():.6g}" if (row < 0).any() else f"sums to {row.sum():.12g}"
    at = f" at {place}" if place else ""
    raise error(f"{what}{at} {told}; want a distribution (0 or more, sum 1 within {SUM_TOLERANCE:g})")


def check_whole(what: str, value: Any, least: int) -> int:
    """A whole number, `least` or more; raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{what} is {value!r}; want a whole number, {least} or more")
    return int(value)


def first(wrong: NDArray[np.bool_]) -> list[int]:
    """The index of the first true entry."""
    return [int(i) for i in np.argwhere(wrong)[0]]
