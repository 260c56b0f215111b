"""What happens to one agent in one period, written once for every backend.

Each formula takes numbers where a compiled loop calls it, and torch tensors where `tensors` does. Only arithmetic,
comparisons and the four functions below are used, so both give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba.extending
import numpy as np

OBSERVED_LIMIT = np.float32(2.5)
"""Quantities are observed in units of 4 mu, the largest order of the default grid, and clipped at this many."""


def formula(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a function that compiled loops may call, and that stays a Python function for tensors."""
    marked: Callable[..., Any] = numba.extending.register_jitable(function)
    return marked


def lesser(a: Any, b: Any) -> Any:
    """The lesser of an array and an array or number; in compiled loops of two numbers."""
    return a.clip(max=b)


def greater(a: Any, b: Any) -> Any:
    """The greater of an array and an array or number; in compiled loops of two numbers."""
    return a.clip(min=b)


def whole(a: Any) -> Any:
    """The nearest whole number, the even one of two equally near."""
    return a.round()


def single(a: Any) -> Any:
    """In float32."""
    return a.float()


def _in_loops(function: Callable[..., Any], on_numbers: Callable[..., Any]) -> None:
    """Let compiled loops call `on_numbers` in the place of `function`."""
    # overload wants a function of the arguments' types that returns the one to compile
    numba.extending.overload(function, strict=False)(on_numbers)


_in_loops(lesser, lambda a, b: lambda a, b: min(a, b))
_in_loops(greater, lambda a, b: lambda a, b: max(a, b))
_in_loops(whole, lambda a: lambda a: np.rint(a))
_in_loops(single, lambda a: lambda a: np.float32(a))


@formula
def lacking(level: Any, position: Any) -> Any:
    """Units that bring a position up to a level; none where it is above."""
    return greater(level - position, np.float32(0))


@formula
def wholesale_premium(slope: float, mean_order: Any, reference: float) -> Any:
    """$ on every unit bought: w_i - c_i = slope (m_t - m_ref)."""
    return slope * (mean_order - reference)


@formula
def retail_ratio(coupling: float, signal: Any, reference: float, floor: float) -> Any:
    """p_i / p0_i = max(1 - coupling (signal / reference - 1), floor)."""
    return greater(1 - coupling * (signal * (1 / reference) - 1), floor)


@formula
def spoilage(delta: Any, left: Any) -> Any:
    """Units of the stock left over that spoil, a whole number."""
    return single(whole(delta * left))


@formula
def reward(
    p0: Any, c: Any, h: Any, b: Any, ell: Any, K: Any, phi: Any, v: Any, price: Any, premium: Any, order: Any,
    bought: Any, sold: Any, stock: Any, backlog: Any, lost: Any, spoiled: Any,
) -> Any:  # fmt: skip
    """p sold - w bought - K[q > 0] - phi q^2 / 2 - h stock - b backlog - ell lost + v spoiled, in $."""
    sales = p0 * price * sold - (c + premium) * bought
    ordering = K * (order > 0) + 0.5 * phi * order * order
    return sales - ordering - h * stock - b * backlog - ell * lost + v * spoiled


@formula
def observed(units: Any, scale: Any) -> Any:
    """Units / 4 mu, clipped."""
    return lesser(units * scale, OBSERVED_LIMIT)


@formula
def shared_out(before: Any, now: Any, offset: Any, parts: Any) -> Any:
    """Whole units an agent gets by systematic rounding of real shares.

    The shares' running sums are before / parts and now / parts; a common random offset in 0..parts - 1 makes every
    agent's expected units its share. In whole-number arithmetic, so that the row's sum is exact.
    """
    return (now + offset) // parts - (before + offset) // parts


STIRLING = 16
"""From here on Stirling's series stands for the factorial."""
SMALLEST = 2.0**-60
"""A probability that no longer adds to a sum near 1."""


@formula
def stirling(x: Any) -> Any:
    """log Gamma(x + 1) less x log x - x + log(2 pi x) / 2, for x of at least `STIRLING`; to 1e-13."""
    square = x * x
    return (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * square)) / square) / square) / x
