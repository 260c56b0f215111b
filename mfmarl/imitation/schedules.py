"""How often the expert acts in round i of DAgger: beta_i."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from mfmarl.errors import UserError

Schedule = Callable[[int], float]
"""Round, from 0 on -> probability that the expert acts."""
Form = Literal["exponential", "linear", "constant", "first"]


def exponential(decay: float = 0.95) -> Schedule:
    """decay^i.

    Raises:
        UserError: for a decay outside 0 < decay <= 1.
    """
    if not 0 < decay <= 1:
        raise UserError(f"beta_decay is {decay}; want more than 0 and at most 1")
    return lambda i: decay**i


def exponential_to(end: float, rounds: int) -> Schedule:
    """From 1 down to `end` in the last of `rounds`, by one factor, and `end` from then on.

    Raises:
        UserError: for an end of 0, which no factor leads to.
    """
    if not 0 < end <= 1:
        raise UserError(f"beta_end is {end}; an exponential schedule never comes to it: want more than 0 and at most 1")
    last = max(rounds - 1, 1)
    return lambda i: float(end ** (min(i, last) / last))


def linear(end: float, rounds: int) -> Schedule:
    """From 1 down to `end` in the last of `rounds`, and `end` from then on."""
    last = max(rounds - 1, 1)
    return lambda i: 1 - (1 - end) * min(i, last) / last


def constant(value: float) -> Schedule:
    """The same in every round."""
    return lambda _: value


def first() -> Schedule:
    """1[i = 0]: the expert in the first round, the learner from then on (Ross, Gordon and Bagnell 2011)."""
    return lambda i: float(i == 0)


def schedule(form: Form, decay: float, end: float | None, rounds: int) -> Schedule:
    """By its name; `end` is the constant's value, and 0 for a linear one that is given none.

    Raises:
        UserError: for a value out of range.
    """
    if form == "exponential":
        return exponential(decay) if end is None else exponential_to(end, rounds)
    if form == "linear":
        return linear(0.0 if end is None else end, rounds)
    if form == "constant":
        return constant(1.0 if end is None else end)
    return first()
