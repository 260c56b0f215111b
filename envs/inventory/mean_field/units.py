"""How the field moves units, not only prices: allotment of scarce supply, and customers who come from elsewhere.

Quantities that the field sets are means and no whole numbers; an agent gets the whole number below or above, with the
probabilities that keep the mean, as the market rounds them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.compiled import compiled

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Passage:
    """What one type gets from the field, besides prices."""

    granted: Doubles
    """[T, A]: units that an order brings."""
    visitors: Doubles
    """[T]: units of other sellers' unmet demand that come to an agent."""


def allot(orders: Doubles, weights: Doubles, capacity: float, rule: str) -> Doubles:
    """What orders [M] of population weights [M] get where their mean exceeds the capacity, u per agent.

    proportional: all the same share; uniform: everyone the same quantity, none more than it ordered; linear: everyone
    the same quantity less, none below zero. The mean of what is granted is the capacity.
    """
    mean = float(weights @ orders)
    if mean <= capacity:
        return orders
    if rule == "proportional":
        return orders * (capacity / mean)
    # the mean is piecewise linear in the level between the orders, so interpolation is exact
    levels = np.unique(np.concatenate([[0.0], orders]))
    if rule == "uniform":
        means = np.array([weights @ np.minimum(orders, level) for level in levels])
        return np.asarray(np.minimum(orders, np.interp(capacity, means, levels)))
    means = np.array([weights @ np.maximum(orders - level, 0.0) for level in levels])
    return np.asarray(np.maximum(orders - np.interp(capacity, means[::-1], levels[::-1]), 0.0))


NEGLIGIBLE = 1e-12
"""Below this a fraction of a unit is an error of rounding."""


def rounded(units: float) -> list[tuple[int, float]]:
    """The whole numbers around `units` with their probabilities."""
    whole = int(np.floor(units + NEGLIGIBLE))
    rest = units - whole
    return [(whole, 1.0)] if rest <= NEGLIGIBLE else [(whole, 1 - rest), (whole + 1, rest)]


@compiled
def _join(mass: Doubles, granted: Doubles, after: Doubles) -> None:
    """after [n, R] += mass [n, A, R] moved up by granted [A] units, in whole numbers that keep the mean."""
    n, actions, rest = mass.shape
    for a in range(actions):
        whole = int(np.floor(granted[a] + NEGLIGIBLE))
        more = granted[a] - whole
        if more <= NEGLIGIBLE:
            more = 0.0
        for x in range(n):
            low, high = min(x + whole, n - 1), min(x + whole + 1, n - 1)
            for r in range(rest):
                moved = mass[x, a, r]
                if moved > 0:
                    after[low, r] += (1 - more) * moved
                    if more > 0:
                        after[high, r] += more * moved


def joined(mass: Doubles, granted: Doubles) -> Doubles:
    """Probabilities [n, ...] of positions after orders: mass [n, A, ...], units granted [A], none above the highest."""
    n, actions, *others = mass.shape
    after = np.zeros((n, *others))
    _join(np.ascontiguousarray(mass).reshape(n, actions, -1), granted, after.reshape(n, -1))
    return after


def before_joining(value: Doubles, granted: Doubles) -> Doubles:
    """Expected value [n, A, ...] of positions before orders, of value [n, ...] after them; `joined` backward."""
    n = value.shape[0]
    whole = np.floor(granted + NEGLIGIBLE).astype(np.int64)
    low = np.arange(n)[:, None] + whole
    expected = value[np.minimum(low, n - 1)]
    rest = np.where(granted - whole > NEGLIGIBLE, granted - whole, 0.0)
    if rest.any():
        share = rest.reshape(-1, *(1,) * (value.ndim - 1))
        expected = (1 - share) * expected + share * value[np.minimum(low + 1, n - 1)]
    return np.asarray(expected)


def visited(mass: Doubles, visitors: float) -> Doubles:
    """Probabilities [n, ...] of stock after visitors bought what they found of it."""
    if visitors <= 0:
        return mass
    after = np.zeros_like(mass)
    for units, chance in rounded(visitors):
        down = min(units, mass.shape[0] - 1)
        after[: mass.shape[0] - down] += chance * mass[down:]
        after[0] += chance * mass[:down].sum(0)
    return after


def before_visits(value: Doubles, visitors: float) -> Doubles:
    """Expected value [n, ...] of stock before visitors, of value [n, ...] after them; `visited` backward."""
    if visitors <= 0:
        return value
    n = value.shape[0]
    parts = [chance * value[np.maximum(np.arange(n) - units, 0)] for units, chance in rounded(visitors)]
    return np.asarray(sum(parts))
