"""Demand processes: exogenous, drawn period by period from the copies' keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from envs.inventory.backend import Array, Backend
from envs.inventory.streams import SHOCK, Keys, copy_uniforms

Doubles = NDArray[np.float64]


class Episode(Protocol):
    """The demand of one episode of B copies."""

    def units(self, t: int) -> Array:
        """Whole units [B, N] of period t, float32."""
        ...

    def season(self, t: int) -> float:
        """What the calendar multiplies mean demand by in period t, known to everyone; 1 where there is none."""
        ...


class Demand(Protocol):
    """What the market needs of a demand process."""

    def episode(self, keys: Keys, periods: int, backend: Backend) -> Episode:
        """The demand of an episode; `keys` [B] are the copies'."""
        ...

    def quantile(self, probability: Doubles, periods: NDArray[np.int64]) -> Doubles:
        """Per agent, the smallest level that demand over `periods` periods stays within with `probability`: [N]."""
        ...


AT_ONCE = 1024
"""Agents whose tables are worked out together: in one go, N = 100,000 would need half a gigabyte for a moment."""
LONGEST_TABLE = 2048
"""Entries of an agent's quantile table; demand that spreads wider is searched for instead."""
GUIDES = 64
"""Entries of a quantile table's guide: where to start looking, by the uniform's first six bits."""


@dataclass(frozen=True)
class Shock:
    """A shock common to all agents of a copy: mean demand x exp(z_t - var z / 2), z_t = rho z_{t-1} + sigma e_t.

    It starts from its stationary law, and its mean is 1.
    """

    rho: float
    sigma: float
    """Standard deviation of the innovations."""

    def path(self, keys: Keys, periods: int) -> Doubles:
        """The factors [T, B] of an episode."""
        variance = self.sigma**2 / (1 - self.rho**2)
        path = np.empty((periods, keys.size))
        for t in range(periods):
            normal = special.ndtri(copy_uniforms(keys, SHOCK, t))
            path[t] = np.sqrt(variance) * normal if t == 0 else self.rho * path[t - 1] + self.sigma * normal
        return np.asarray(np.exp(path - variance / 2))


class CountDemand:
    """Independent counts with means mu [N] x season x shock: Poisson, or negative binomial where cv2 is positive.

    An agent's units are the quantile of one 32-bit uniform a period, so tails below 2^-32 do not occur. Where the
    means stay the same a table gives the quantile; its i-th entry is 2^32 P(demand <= lowest + i).
    """

    def __init__(
        self, mu: Doubles, cv2: Doubles | None = None, *, season: Sequence[float] | Doubles = (1.0,),
        shock: Shock | None = None,
    ) -> None:  # fmt: skip
        """`season` [S] or [S, N] are factors of mean demand by period modulo S; cv2 [N]: variance mu + cv2 mu^2."""
        self.mu = np.asarray(mu, float)
        self.cv2 = np.zeros(self.mu.size) if cv2 is None else np.asarray(cv2, float)
        self.factors = np.asarray(season, float)
        if not np.isfinite(self.factors).all() or (self.factors <= 0).any():
            raise ValueError(f"seasonal factors must be positive; the least is {self.factors.min()}")
        if self.factors.ndim == 1:
            self.factors = np.repeat(self.factors[:, None], self.mu.size, 1)
        self.shock = shock
        self._tables: dict[Backend, tuple[Array, ...]] = {}

    @property
    def constant(self) -> bool:
        """Whether means are the same in all periods."""
        return self.shock is None and bool((self.factors == self.factors[0]).all())

    @property
    def tabled(self) -> bool:
        """Whether units are looked up in a table."""
        mean = self.mu * self.factors[0]
        # 2^-33 of a Poisson lies beyond 6.5 standard deviations, of a gamma's tail beyond 23 of its scales
        width = 13 * np.sqrt(mean + self.cv2 * mean**2) + 23 * self.cv2 * mean
        return self.constant and bool(width.max() < LONGEST_TABLE)

    def episode(self, keys: Keys, periods: int, backend: Backend) -> Episode:
        """See `Demand.episode`."""
        if self.tabled:
            if backend not in self._tables:
                table = quantile_table(self.mu * self.factors[0], self.cv2)
                self._tables[backend] = tuple(backend.array(part) for part in table)
            return _Tabled(keys, backend, self._tables[backend])
        path = None if self.shock is None else self.shock.path(keys, periods)
        return _Counted(self, keys, path, backend)

    def quantile(self, probability: Doubles, periods: NDArray[np.int64]) -> Doubles:
        """Exact without season and shock, which it leaves out: the sum over periods is of the same family."""
        mean = self.mu * periods
        levels = np.asarray(stats.poisson.ppf(probability, mean), float)
        spread = self.cv2 > 0
        if spread.any():
            cv2 = self.cv2[spread]
            levels[spread] = stats.nbinom.ppf(
                np.broadcast_to(probability, mean.shape)[spread],
                np.broadcast_to(periods, mean.shape)[spread] / cv2,
                1 / (1 + cv2 * self.mu[spread]),
            )
        return levels


def quantile_table(
    mu: Doubles, cv2: Doubles
) -> tuple[NDArray[np.uint32], NDArray[np.int16], NDArray[np.int64]]:
    """The quantile table [N, entries], its guide [N, GUIDES] and each agent's lowest units [N]."""
    spread = cv2 > 0

    size, success = 1 / np.where(spread, cv2, 1.0), 1 / (1 + cv2 * mu)
    tail = 2.0**-33
    lowest = np.where(spread, stats.nbinom.ppf(tail, size, success), stats.poisson.ppf(tail, mu))
    highest = np.where(spread, stats.nbinom.isf(tail, size, success), stats.poisson.isf(tail, mu))
    lowest, highest = lowest.clip(0).astype(np.int64), highest.astype(np.int64)
    steps = np.arange(int((highest - lowest).max()) + 1)
    table = np.empty((mu.size, steps.size), np.uint32)
    guide = np.empty((mu.size, GUIDES), np.int16)
    starts = (np.arange(GUIDES) * (2**32 // GUIDES)).astype(np.uint32)
    for first in range(0, mu.size, AT_ONCE):
        part = slice(first, first + AT_ONCE)
        units = lowest[part, None] + steps
        cumulative = special.pdtr(units, mu[part, None])
        if spread[part].any():
            binomial = special.betainc(size[part, None], units + 1.0, success[part, None])
            cumulative = np.where(spread[part, None], binomial, cumulative)
        table[part] = np.rint(cumulative * 2.0**32).clip(0, 2.0**32 - 1)
        # above every uniform, so that a search ends there
        table[part][steps >= (highest - lowest)[part, None]] = 2**32 - 1
    for n in range(mu.size):
        guide[n] = np.searchsorted(table[n], starts, "right")
    return table, guide, lowest


class _Tabled:
    """Counts whose means stay the same."""

    def __init__(self, keys: Keys, backend: Backend, table: tuple[Array, ...]) -> None:
        self._passes = backend.passes
        self._keys = backend.array(keys)
        self._table = table

    def units(self, t: int) -> Array:
        return self._passes.tabled_units(self._keys, t, *self._table)

    def season(self, t: int) -> float:
        return 1.0


class _Counted:
    """Counts whose means change."""

    def __init__(self, demand: CountDemand, keys: Keys, path: Doubles | None, backend: Backend) -> None:
        self._passes = backend.passes
        self._keys = backend.array(keys)
        self._path = backend.array(np.ones((1, keys.size)) if path is None else path)
        self._means = backend.array(demand.factors * demand.mu)
        self._cv2 = backend.array(demand.cv2)
        self._season = (demand.factors * demand.mu).sum(1) / demand.mu.sum()

    def units(self, t: int) -> Array:
        means = self._means[t % len(self._means)]
        return self._passes.counted_units(self._keys, t, means, self._cv2, self._path[min(t, len(self._path) - 1)])

    def season(self, t: int) -> float:
        return float(self._season[t % self._season.size])
