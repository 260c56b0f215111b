"""The market on a sales table of one's own: its agents are the agents, what they sold is their demand."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd

from envs import UnknownName
from envs.inventory.backend import Backend
from envs.inventory.config import MarketConfig
from envs.inventory.market import InventoryMarket
from envs.inventory.sales_table import BadTable, pivot, read_sales
from envs.inventory.trace import TraceDemand
from envs.inventory.types import Parameters, counts_of

SCALED = ("p0", "c", "h", "b", "ell", "K", "phi", "v")
"""What an agent's recorded price scales: all that is counted in $."""


def make_recorded(
    config: MarketConfig, *, num_envs: int, num_agents: int | None, seed: int, backend: Backend
) -> InventoryMarket:
    """The market of the agents in `config.sales`, with the columns agent, period, units and, if there are, price, type.

    mu is an agent's mean recorded units. Without a column `type`, agents are given the types of `config` in proportion
    to their shares, those that sell least the type of least mu. Costs are the type's; with a column `price` they are
    all multiplied by the agent's mean price / the type's p0. There is no jitter.

    Raises:
        BadTable: for a table that cannot be used: file, row and reason.
        UnknownName: for a type in the table that `config` has not.
        ValueError: where settings contradict the table.
    """
    assert config.sales is not None
    mode = config.demand_mode
    if mode == "counts" or mode == "sell_all":
        raise ValueError(f"demand_mode is {mode}, but `sales` is recorded: choose window, series or bootstrap")
    path = Path(config.sales)
    table = read_sales(path)
    units, names, _ = pivot(path, table, config.gaps)
    if num_agents not in (None, len(names)):
        raise ValueError(f"num_agents is {num_agents}, but {path} has {len(names)} agents; leave it out")
    if len(names) < 2:
        raise BadTable(f"{path}: one agent; a population has at least 2")
    mu = units.mean(0)
    if (mu == 0).any():
        raise BadTable(f"{path}: agent {names[int((mu == 0).argmax())]} never sold anything; leave it out of the table")
    kinds = _kinds(path, table, names, mu, config)
    present = [name for name in config.types if name in kinds]
    order = sorted(range(len(names)), key=lambda i: present.index(kinds[i]))
    columns = {
        f.name: np.array([getattr(config.types[kinds[i]], f.name) for i in order], float) for f in fields(Parameters)
    }
    columns["mu"] = mu[order]
    if "price" in table.columns:
        price = table.groupby("agent")["price"].mean()[[names[i] for i in order]].to_numpy(float)
        ratio = price / columns["p0"]
        if (ratio <= 0).any():
            agent = names[order[int((ratio <= 0).argmax())]]
            raise BadTable(f"{path}: agent {agent} has a mean price that is not positive")
        columns |= {name: columns[name] * ratio for name in SCALED}
    lead = columns.pop("L").astype(np.int64)
    return InventoryMarket(
        config,
        num_envs=num_envs,
        parameters=Parameters(**columns, L=lead),
        agent_types=np.array([present.index(kinds[i]) for i in order], np.int64),
        type_names=present,
        agent_names=[names[i] for i in order],
        demand=TraceDemand(units[:, order], mode),
        seed=seed,
        backend=backend,
    )


def _kinds(path: Path, table: pd.DataFrame, names: list[str], mu: np.ndarray, config: MarketConfig) -> list[str]:
    """The type of every agent in `names`."""
    if "type" in table.columns:
        told = table.groupby("agent")["type"].unique()
        for agent in names:
            if len(told[agent]) > 1:
                several = ", ".join(map(str, told[agent]))
                raise BadTable(f"{path}: agent {agent} has the types {several}; one is allowed")
            if str(told[agent][0]) not in config.types:
                raise UnknownName(f"type of agent {agent} in {path}", str(told[agent][0]), list(config.types))
        return [str(told[agent][0]) for agent in names]
    by_mu = sorted(config.types, key=lambda name: config.types[name].mu)
    counts = counts_of([config.types[name].share for name in by_mu], len(names))
    ranked = [name for name, count in zip(by_mu, counts, strict=True) for _ in range(count)]
    kinds = [""] * len(names)
    for name, agent in zip(ranked, np.argsort(mu, kind="stable"), strict=True):
        kinds[int(agent)] = name
    return kinds
