"""Settings of solvers within their ranges: each that is not is refused in one line, however it was given."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mfmarl.errors import UserError


def check_number(
    solver: str,
    setting: str,
    value: Any,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> None:
    """Refuse what is no finite number > above, >= least, < below and <= most, of those that are given.

    Raises:
        UserError: names the solver, its setting, what was got and what is wanted.
    """
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)
    inside = number and (
        (above is None or value > above)
        and (least is None or value >= least)
        and (below is None or value < below)
        and (most is None or value <= most)
    )
    if not inside:
        bounds = {"above {:g}": above, "{:g} or more": least, "below {:g}": below, "{:g} or less": most}
        wanted = ", ".join(words.format(bound) for words, bound in bounds.items() if bound is not None)
        raise UserError(f"{solver}: {setting} is {value!r}; want a number {wanted}")


def check_whole(solver: str, setting: str, value: Any, *, least: int) -> None:
    """Refuse what is no whole number, `least` or more; raises UserError as `check_number`."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise UserError(f"{solver}: {setting} is {value!r}; want a whole number, {least} or more")


def check_word(solver: str, setting: str, value: Any, words: tuple[Any, ...]) -> None:
    """Refuse what is none of the words that there are; raises UserError as `check_number`."""
    # 1 == True, and is no word for it
    if not any(type(value) is type(word) and value == word for word in words):
        raise UserError(f"{solver}: {setting} is {value!r}; want {' or '.join(map(repr, words))}")
