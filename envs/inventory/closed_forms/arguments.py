"""What the closed forms refuse: one clear ValueError that names the argument, what was got and what is allowed."""

from __future__ import annotations

import math


def need(condition: bool, name: str, value: float, allowed: str) -> None:
    """Refuse a value, naming it and what is allowed."""
    if not condition:
        raise ValueError(f"{name} is {value!r}; it must be {allowed}")


def positive(**values: float) -> None:
    """Refuse what is not a finite number above 0."""
    for name, value in values.items():
        need(math.isfinite(value) and value > 0, name, value, "a finite number above 0")


def not_negative(**values: float) -> None:
    """Refuse what is not a finite number of at least 0."""
    for name, value in values.items():
        need(math.isfinite(value) and value >= 0, name, value, "a finite number of at least 0")


def lead_time(L: int) -> None:
    """Refuse what is not a whole number of periods."""
    need(math.isfinite(L) and L >= 0 and int(L) == L, "L", L, "a whole number of periods, at least 0")
