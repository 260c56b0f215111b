"""Demand of one period as exact tables over positions: where they leave an agent, what is sold, lost and spoiled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Doubles = NDArray[np.float64]


def probabilities(mean: float, cv2: float, last: int) -> tuple[Doubles, Doubles]:
    """P(D = d) and P(D > d) for d = 0..last: Poisson, or negative binomial of variance mean + cv2 mean^2."""
    d = np.arange(last + 1)
    if cv2 == 0:
        return np.asarray(stats.poisson.pmf(d, mean)), np.asarray(stats.poisson.sf(d, mean))
    size = 1 / cv2
    chance = size / (size + mean)
    return np.asarray(stats.nbinom.pmf(d, size, chance)), np.asarray(stats.nbinom.sf(d, size, chance))


@dataclass(frozen=True)
class LostSales:
    """One period from z = 0..n-1 units on offer, what is unmet being lost."""

    kernel: Doubles
    """[n, n]: probability of y units left, given z on offer."""
    sold: Doubles
    """[n]: expected units."""
    sold_squared: Doubles
    """[n]: expected square of the units sold."""
    lost: Doubles
    """[n]: expected units."""


def lost_sales(mean: float, cv2: float, top: int) -> LostSales:
    """Exact: demand above what is on offer counts as what is on offer, so nothing is truncated.

    Args:
        mean: u/period.
        cv2: dispersion; variance = mean + cv2 mean^2.
        top: most units on offer; n = top + 1.
    """
    pmf, above = probabilities(mean, cv2, top)
    z = np.arange(top + 1)
    left = np.zeros((top + 1, top + 1))
    for units in z:
        left[units, 1 : units + 1] = pmf[:units][::-1]
        left[units, 0] = above[units - 1] if units else 1.0
    # E min(z, D) and E min(z, D)^2 as sums over j < z of P(D > j) and (2 j + 1) P(D > j)
    sold = np.concatenate([[0.0], np.cumsum(above[:-1])])
    squared = np.concatenate([[0.0], np.cumsum((2 * z + 1)[:-1] * above[:-1])])
    return LostSales(left, sold, squared, mean - sold)


def sell_all(top: int) -> LostSales:
    """Whatever is offered is sold."""
    z = np.arange(top + 1.0)
    kernel = np.zeros((z.size, z.size))
    kernel[:, 0] = 1.0
    return LostSales(kernel, z, z * z, np.zeros(z.size))


@dataclass(frozen=True)
class Shortfall:
    """Demand over several periods against positions low..top."""

    short: Doubles
    """[n]: E(D - x)+, the backlog that position x leaves."""
    mean: float
    """E D."""

    def over(self, x: Doubles) -> Doubles:
        """E(x - D)+, the stock that position x leaves: x - E D + E(D - x)+."""
        return x - self.mean + self.short


def shortfall(laws: list[tuple[float, float]], x: Doubles) -> Shortfall:
    """Of the sum of independent demands with (mean, cv2) each, at positions x [n] of steps of 1; exact to 1e-15 mass.

    No demand at all (an empty list) leaves what there was.
    """
    mean = sum(m for m, _ in laws)
    pmf = np.ones(1)
    for m, cv2 in laws:
        last = int(stats.poisson.isf(1e-15, m) if cv2 == 0 else stats.nbinom.isf(1e-15, 1 / cv2, 1 / (1 + cv2 * m)))
        pmf = np.convolve(pmf, probabilities(m, cv2, last + 1)[0])
    d = np.arange(pmf.size)
    short = np.maximum(d - x[:, None], 0.0) @ pmf
    return Shortfall(short, mean)


def exceeds(laws: list[tuple[float, float]], x: Doubles, level: float) -> Doubles:
    """[n]: P(x - D > level) for the sum of independent demands, as in `shortfall`."""
    pmf = np.ones(1)
    for m, cv2 in laws:
        pmf = np.convolve(pmf, probabilities(m, cv2, int(max(x.max() - level, 0)) + 1)[0])
    below = np.concatenate([[0.0], np.cumsum(pmf)])
    return np.asarray(below[np.clip(np.ceil(x - level), 0, pmf.size).astype(int)])
