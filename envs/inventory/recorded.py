"""The market on a sales table of one's own: its agents are the agents, what they sold is their demand."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from envs import UnknownName
from envs.inventory.backend import Backend
from envs.inventory.fitted import SEASONS_NEEDED, harmonic_terms
from envs.inventory.grouping import grouped
from envs.inventory.market import InventoryMarket
from envs.inventory.record import RecordConfig, play, played_whole, refuse_decided
from envs.inventory.sales_table import pivot, read_sales
from envs.inventory.table_file import BadTable
from envs.inventory.types import Parameters

SCALED = ("p0", "c", "h", "b", "ell", "K", "phi", "v")
"""What an agent's recorded price scales: all that is counted in $."""
STARTS = 10
"""Of the k-means that finds types."""
Doubles = NDArray[np.float64]


class SalesConfig(RecordConfig):
    """The market on a sales table."""

    sales: str = Field(description="sales table, CSV or Parquet: agent, period, units, optional price and type")
    test_periods: int = Field(
        0, ge=0, le=100_000, description="how many of the last periods are held out for split=test; 0: none"
    )
    num_types: int | None = Field(
        None, ge=1, le=1000, description="clusters of agents where the table has no types; one a type if not given"
    )

    @model_validator(mode="before")
    @classmethod
    def _whole_test(cls, given: Any) -> Any:
        held_out = given.get("test_periods") if isinstance(given, dict) else None
        return played_whole(given, held_out) if held_out else given

    @property
    def periods_held_out(self) -> int:
        """See `RecordConfig.periods_held_out`."""
        return self.test_periods


def make_recorded(
    config: SalesConfig, *, num_envs: int, num_agents: int | None, seed: int, backend: Backend
) -> InventoryMarket:
    """The market of the agents in `config.sales`, with the columns agent, period, units and, if there are, price, type.

    mu is an agent's mean recorded units. Without a column `type` the agents are clustered by their own series, and the
    clusters get the types of `config` by rank of mean demand; see `_found_kinds`. Costs are the type's; with a column
    `price` they are all multiplied by the agent's mean price / the type's p0. There is no jitter. All of this is worked
    out from the training periods.

    Raises:
        BadTable: for a table that cannot be used: file, row and reason.
        UnknownName: for a type in the table that `config` has not.
        ValueError: where settings contradict the table.
    """
    path = Path(config.sales)
    refuse_decided(config, str(path))
    table = read_sales(path)
    last = int(table["period"].max()) - config.test_periods
    units, names, periods = pivot(path, table, config.gaps, cuts=(last + 1,))
    training = len(periods) - config.test_periods
    _check(config, path, names, training, num_agents)
    train, test = units[:training], units[training:]
    silent = train.sum(0) == 0
    if silent.any():
        agent = names[int(silent.argmax())]
        raise BadTable(f"{path}: agent {agent} never sold anything in periods {periods[0]} to {last}; leave it out")
    table = table[table["period"] <= last]
    price = table.groupby("agent")["price"].mean()[names].to_numpy(float) if "price" in table.columns else None
    if "type" in table.columns:
        if config.num_types is not None:
            raise ValueError(f"num_types is {config.num_types}, but {path} has a column type; leave one out")
        kinds = _told_kinds(path, table, names, config)
    else:
        kinds = _found_kinds(train, price, config)
    present = [name for name in config.types if name in kinds]
    order = sorted(range(len(names)), key=lambda i: present.index(kinds[i]))
    agent_types = np.array([present.index(kinds[i]) for i in order], np.int64)
    played = play(config, train[:, order], test[:, order], agent_types)
    columns = {
        f.name: np.array([getattr(config.types[kinds[i]], f.name) for i in order], float) for f in fields(Parameters)
    }
    columns |= {"mu": played.mu, "cv2": played.cv2}
    if price is not None:
        ratio = price[order] / columns["p0"]
        columns |= {name: columns[name] * ratio for name in SCALED}
    lead = columns.pop("L").astype(np.int64)
    market = InventoryMarket(
        config.model_copy(update={"season_amplitude": played.season_amplitude}),
        num_envs=num_envs,
        parameters=Parameters(**columns, L=lead),
        agent_types=agent_types,
        type_names=present,
        agent_names=[names[i] for i in order],
        demand=played.demand,
        seed=seed,
        backend=backend,
    )
    market.known_demand = played.known
    return market


def _check(config: SalesConfig, path: Path, names: list[str], training: int, num_agents: int | None) -> None:
    """Refuse settings that contradict the table."""
    if num_agents not in (None, len(names)):
        raise ValueError(f"num_agents is {num_agents}, but {path} has {len(names)} agents; leave it out")
    if len(names) < 2:
        raise BadTable(f"{path}: one agent; a population has at least 2")
    if training < 1:
        raise ValueError(
            f"test_periods is {config.test_periods}, but {path} has {training + config.test_periods} periods; "
            "leave some for training"
        )
    if config.split == "test" and config.test_periods == 0:
        raise ValueError("split is test, but test_periods is 0: set it to how many of the last periods are held out")
    if config.num_types is not None and config.num_types > len(config.types):
        raise ValueError(
            f"num_types is {config.num_types}, but there are costs for {len(config.types)} types: "
            f"{', '.join(config.types)}"
        )


def _told_kinds(path: Path, table: pd.DataFrame, names: list[str], config: SalesConfig) -> list[str]:
    """The type of every agent in `names`, as the table tells."""
    told = table.groupby("agent")["type"].unique()
    for agent in names:
        if len(told[agent]) > 1:
            raise BadTable(f"{path}: agent {agent} has the types {', '.join(told[agent])}; one is allowed")
        if told[agent][0] not in config.types:
            raise UnknownName(f"type of agent {agent} in {path}", told[agent][0], list(config.types))
    return [told[agent][0] for agent in names]


def _found_kinds(train: Doubles, price: Doubles | None, config: SalesConfig) -> list[str]:
    """The type of every agent, by clusters of their series [W, N].

    k-means on log mean demand, its coefficient of variation, the share of its variance that one yearly wave explains
    (where 1.5 seasons are recorded) and log mean price (where there are prices). The clusters, from the one of least
    mean demand, get the types from the one of least mu; fewer clusters than types get types spread evenly over them.
    """
    mean, spread = train.mean(0), train.std(0)
    features = [np.log(mean), spread / mean]
    if len(train) >= SEASONS_NEEDED * config.season_period:
        waves = harmonic_terms(len(train), config.season_period, 1)
        rest = train - waves @ np.linalg.lstsq(waves, train, rcond=None)[0]
        features.append(1 - rest.var(0) / np.where(spread > 0, spread, 1.0) ** 2)
    if price is not None:
        features.append(np.log(price))
    groups = grouped(np.column_stack(features), config.num_types or len(config.types), starts=STARTS)
    ranked = np.argsort([mean[groups == g].mean() for g in range(groups.max() + 1)], kind="stable")
    by_mu = sorted(config.types, key=lambda name: config.types[name].mu)
    places = np.rint(np.linspace(0, len(by_mu) - 1, len(ranked))).astype(int)
    type_of = {int(group): by_mu[place] for group, place in zip(ranked, places, strict=True)}
    return [type_of[int(g)] for g in groups]
