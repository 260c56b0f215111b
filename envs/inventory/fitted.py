"""Seasonal counts fitted to a record: negative binomial demand whose mean follows the calendar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from envs.inventory.demand import CountDemand

Doubles = NDArray[np.float64]
SEASONS_NEEDED = 1.5
"""Seasons that a record must hold for a season to be fitted; in fewer it cannot be told from a trend."""
LARGEST_CV2 = 100.0
HALVINGS = 36
"""Of the interval of log cv2, which is at most 28 wide: to 4e-10."""


@dataclass(frozen=True)
class SeasonalCounts:
    """Demand of agent n in recorded period t: variance m + cv2[n] m^2 about the mean m = mu[n] season[t mod S, n]."""

    mu: Doubles
    """[N], mean over a whole season."""
    cv2: Doubles
    """[N]; 0 is Poisson."""
    season: Doubles
    """[S, N], of mean 1 over S; S = 1 where there is none. Row 0 is the first recorded period."""

    def means(self, start: int, periods: int) -> Doubles:
        """[periods, N]: mean demand from period `start` of the record on; it may lie beyond its end."""
        return np.asarray(self.mu * self.season[np.arange(start, start + periods) % len(self.season)])

    def demand(self, start: int) -> CountDemand:
        """The process from period `start` of the record on."""
        return CountDemand(self.mu, self.cv2, season=np.roll(self.season, -start, 0))


def fit_counts(units: Doubles, groups: NDArray[np.int64], *, period: int = 52, harmonics: int = 1) -> SeasonalCounts:
    """Fit `SeasonalCounts` to a record [W, N] of whole units; agents of one group [N] share their season.

    log season is a sum of `harmonics` sines and cosines of the calendar, fitted to the group's total by Poisson
    pseudo-likelihood, which is consistent whatever the dispersion (Gourieroux, Monfort and Trognon 1984, "Pseudo
    maximum likelihood methods: applications to Poisson models"); mu is its maximum too. cv2 maximises the negative
    binomial likelihood given the means. Without harmonics, or where the record holds fewer than 1.5 seasons, there is
    no season.

    Raises:
        ValueError: for a record that is not of whole units, an agent that sold nothing, or harmonics that the period
            cannot tell apart.
    """
    if units.ndim != 2 or not np.isfinite(units).all() or (units < 0).any() or (units % 1 != 0).any():
        raise ValueError("counts are fitted to an array [periods, agents] of whole units, none negative")
    if not units.any(0).all():
        raise ValueError(f"agent {int((~units.any(0)).argmax())} of the record sold nothing; leave it out")
    if not 0 <= 2 * harmonics < period:
        raise ValueError(f"harmonics is {harmonics}; a season of {period} periods tells 0 to {(period - 1) // 2} apart")
    weeks, agents = units.shape
    season = np.ones((1, agents))
    if harmonics > 0 and weeks >= SEASONS_NEEDED * period:
        season = np.empty((period, agents))
        for group in np.unique(groups):
            mine = groups == group
            season[:, mine] = _season(units[:, mine].sum(1), period, harmonics)[:, None]
    recorded = season[np.arange(weeks) % len(season)]
    mu = units.sum(0) / recorded.sum(0)
    return SeasonalCounts(mu, _dispersion(units, mu * recorded), season)


def harmonic_terms(periods: int, period: int, harmonics: int) -> Doubles:
    """[periods, 1 + 2 harmonics]: a constant, then cosines and sines of 2 pi k t / period."""
    angle = 2 * np.pi * np.arange(periods)[:, None] * np.arange(1, harmonics + 1) / period
    return np.column_stack([np.ones(periods), np.cos(angle), np.sin(angle)])


def _season(total: Doubles, period: int, harmonics: int) -> Doubles:
    """[period]: the factors, of mean 1, that a group's total [W] follows."""
    terms = harmonic_terms(total.size, period, harmonics)
    # so that the tolerance of the search does not depend on the units
    scaled = total / total.mean()

    def loss(beta: Doubles) -> float:
        return float(np.exp(terms @ beta).sum() - scaled @ (terms @ beta))

    def slope(beta: Doubles) -> Doubles:
        return np.asarray(terms.T @ (np.exp(terms @ beta) - scaled))

    def curvature(beta: Doubles) -> Doubles:
        return np.asarray((terms * np.exp(terms @ beta)[:, None]).T @ terms)

    found = optimize.minimize(loss, np.zeros(terms.shape[1]), jac=slope, hess=curvature, method="trust-exact")
    factors = np.exp(harmonic_terms(period, period, harmonics) @ found.x)
    return np.asarray(factors / factors.mean())


def _dispersion(units: Doubles, means: Doubles) -> Doubles:
    """[N]: the cv2 of greatest negative binomial likelihood of units [W, N] about their means; 0 to LARGEST_CV2.

    The likelihood's derivative in the size r = 1 / cv2 is positive below the maximum and negative above it.
    """

    def derivative(size: Doubles) -> Doubles:
        terms = special.digamma(units + size) - special.digamma(size) - np.log1p(means / size)
        return np.asarray((terms + (means - units) / (size + means)).sum(0))

    # at the largest size the variance is the mean's within 1 in 10,000: as good as Poisson
    largest = np.log(1e4 * np.maximum(1.0, means.mean(0)))
    low, high = np.full(units.shape[1], -np.log(LARGEST_CV2)), largest
    poisson = derivative(np.exp(largest)) >= 0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        rising = derivative(np.exp(middle)) > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    return np.where(poisson, 0.0, np.exp(-(low + high) / 2))
