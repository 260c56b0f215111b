"""Settings within their ranges: each that is not is refused in one line, however it was given."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def check_number(
    what: str,
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
        ValueError: names the game or solver, its setting, what was got and what is wanted.
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
        raise ValueError(
            f"{what}: {setting} is {value!r}; want {f'a number {wanted}' if wanted else 'a finite number'}"
        )


def check_probability(what: str, setting: str, value: Any) -> None:
    """Refuse what is no number 0 to 1; raises ValueError as `check_number`."""
    check_number(what, setting, value, least=0, most=1)


def check_numbers(
    what: str, setting: str, values: Any, count: int | None = None, *, least: float | None = None
) -> None:
    """Refuse what is no row of finite numbers, `count` of them or one at least, and `least` or more each.

    Raises:
        ValueError: names the first that is wrong, or how many there are.
    """
    if not isinstance(values, tuple | list | np.ndarray):
        raise ValueError(f"{what}: {setting} is {values!r}; want numbers")
    if len(values) != (count or max(len(values), 1)):
        raise ValueError(f"{what}: {setting} has {len(values)} entries; want {count or '1 or more'}")
    for i, value in enumerate(values):
        check_number(what, f"{setting}[{i}]", value, least=least)


def check_whole(what: str, setting: str, value: Any, *, least: int) -> None:
    """Refuse what is no whole number, `least` or more; raises ValueError as `check_number`."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise ValueError(f"{what}: {setting} is {value!r}; want a whole number, {least} or more")
