"""What customers ask for at the leaves, and what is known of it at every node above."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from envs.inventory.backend import Array, Backend
from envs.inventory.demand import GUIDES, CountDemand, Episode, quantile_table
from envs.inventory.network.config import NetworkConfig
from envs.inventory.sales_table import pivot, read_sales
from envs.inventory.streams import Keys
from envs.inventory.table_file import BadTable
from envs.inventory.trace import TraceDemand

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]
Tables = tuple[NDArray[np.uint32], NDArray[np.integer[Any]], Integers]
"""Quantile tables [S, entries], guides [S, GUIDES] and lowest units [S]; see `demand.quantile_table`."""
TOP = 2**32 - 1
MAX_ENTRIES = 50_000_000
LEAST_MEAN = 1e-12
"""Stands for a mean of zero, which has no table: a unit is then less likely than the least uniform."""


class Played(Protocol):
    """A demand process of the leaf agents."""

    def episode(self, keys: Keys, periods: int, backend: Backend) -> Episode:
        """See `Demand.episode`."""
        ...


@dataclass(frozen=True)
class Customers:
    """Customers of the leaf agents."""

    demand: Played
    """Units [B, leaf agents]."""
    mean: Doubles
    """[leaf agents], u/period."""
    most: float
    """The largest demand of a leaf agent in a period, u."""
    quantile: Callable[[Doubles, Integers], Doubles]
    """(probability [N], periods [N]) -> [N]: the least level that demand of all customers below an agent stays within.
    Exact for independent demand at its mean rate; of a record, empirical."""


class LawDemand:
    """Independent draws of one law a period, the same for all leaf agents; a table gives the quantile of a uniform."""

    def __init__(self, tables: Tables, leaves: int) -> None:
        """`tables` has a row for every period t modulo S."""
        self.tables = tables
        self.leaves = leaves
        self._placed: dict[Backend, tuple[Array, Array]] = {}

    def episode(self, keys: Keys, periods: int, backend: Backend) -> Episode:
        """See `Demand.episode`."""
        table, guide, lowest = self.tables
        if backend not in self._placed:
            self._placed[backend] = backend.array(table), backend.array(guide)
        return _Drawn(keys, *self._placed[backend], lowest, self.leaves, backend)


class _Drawn:
    """Draws of an episode."""

    def __init__(self, keys: Keys, table: Array, guide: Array, lowest: Integers, leaves: int, backend: Backend) -> None:
        self._passes = backend.passes
        self._keys = backend.array(keys)
        self._table, self._guide, self._lowest, self._leaves = table, guide, lowest, leaves

    def units(self, t: int) -> Array:
        row = t % self._lowest.size
        return self._passes.customer_units(
            self._keys, t, self._table[row], self._guide[row], int(self._lowest[row]), self._leaves
        )

    def season(self, t: int) -> float:
        return 1.0


def uniform_sum_quantile(low: int, high: int, served: Integers, probability: Doubles, periods: Integers) -> Doubles:
    """[N]: quantiles of sums of `served` x `periods` independent uniform units on low..high; exact."""
    law = np.full(high - low + 1, 1 / (high - low + 1))
    share, terms = np.broadcast_arrays(np.asarray(probability, float), served * periods)
    levels = np.empty(terms.shape)
    for count in np.unique(terms).tolist():
        mine = terms == count
        size = count * (law.size - 1) + 1
        # the transform of a sum is the law's to the power of its terms; what rounding adds stays below 1e-12
        cumulative = np.fft.irfft(np.fft.rfft(law, 2 * size) ** count, 2 * size)[:size].clip(0).cumsum()
        levels[mine] = count * low + np.searchsorted(cumulative, share[mine] - 1e-12).clip(0, size - 1)
    return levels


def make_customers(config: NetworkConfig, leaf_names: list[str], served: NDArray[np.bool_]) -> Customers:
    """The customers of a network.

    Args:
        leaf_names: of the leaf agents, as a sales table must name them.
        served: [N, leaf agents], whether a leaf agent is below an agent.

    Raises:
        BadTable: for a sales table that cannot be used, has an agent that is no leaf, or lacks one.
        ValueError: for a season whose tables would not fit in memory.
    """
    if config.recorded:
        return _recorded(config, leaf_names, served)
    number = served.sum(1).astype(np.int64)
    quantile: Callable[[Doubles, Integers], Doubles]
    if config.demand_mode == "uniform":
        tables = _uniform_table(config.demand_low, config.demand_high)
        quantile = partial(uniform_sum_quantile, config.demand_low, config.demand_high, number)
    else:
        tables = _poisson_tables(config)
        quantile = CountDemand(np.maximum(config.mean, LEAST_MEAN) * number).quantile
    table, _, lowest = tables
    most = float((lowest + (table < TOP).sum(1)).max())
    mean = np.full(len(leaf_names), config.mean)
    return Customers(LawDemand(tables, len(leaf_names)), mean, most, quantile)


def _poisson_tables(config: NetworkConfig) -> Tables:
    means = np.array([config.mean])
    if config.demand_mode == "sine":
        period = config.horizon if config.season_period is None else config.season_period
        means = config.mean + config.demand_amplitude * np.sin(2 * np.pi * np.arange(period) / period)
    entries = means.size * (14 * np.sqrt(means.max()) + 64)
    if entries > MAX_ENTRIES:
        raise ValueError(
            f"a season of {means.size} periods with means up to {means.max():g} needs tables of {entries:.2g} entries, "
            f"more than {MAX_ENTRIES:.2g}: set a shorter season_period, or a lower demand_mean"
        )
    return quantile_table(np.maximum(means, LEAST_MEAN), np.zeros(means.size))


def _uniform_table(low: int, high: int) -> Tables:
    count = high - low + 1
    table = np.array([[min(i * 2**32 // count, TOP) for i in range(1, count + 1)]], np.uint32)
    starts = (np.arange(GUIDES) * (2**32 // GUIDES)).astype(np.uint32)
    guide = np.searchsorted(table[0], starts, "right").astype(np.int32)
    return table, guide[None], np.array([low], np.int64)


def _recorded(config: NetworkConfig, leaf_names: list[str], served: NDArray[np.bool_]) -> Customers:
    assert config.sales is not None
    assert config.demand_mode in ("window", "series", "bootstrap")
    path = Path(config.sales)
    table = read_sales(path)
    sellers = list(dict.fromkeys(table["agent"]))
    unknown = [name for name in sellers if name not in leaf_names]
    absent = [name for name in leaf_names if name not in sellers]
    told = ", ".join(leaf_names[:4]) + (", ..." if len(leaf_names) > 4 else "")
    if unknown:
        raise BadTable(f"{path}: agent {unknown[0]} is no leaf of the tree; its leaves are {told}")
    if absent:
        raise BadTable(f"{path}: the leaf {absent[0]} has no rows; the leaves are {told}, and each needs its sales")
    units, names, _ = pivot(path, table, config.gaps)
    units = np.rint(units[:, [names.index(name) for name in leaf_names]])
    return Customers(
        demand=TraceDemand(units, config.demand_mode),
        mean=units.mean(0),
        most=float(units.max()),
        quantile=TraceDemand(units @ served.T, config.demand_mode).quantile,
    )
