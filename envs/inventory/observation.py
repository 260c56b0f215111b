"""What an agent of the market observes: ratios in a finite box, entry by entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.inventory.config import MarketConfig
from envs.inventory.formulas import OBSERVED_LIMIT
from envs.inventory.types import Parameters


@dataclass(frozen=True)
class Entry:
    """One entry of the observation and the range it is kept in."""

    name: str
    low: float
    high: float
    meaning: str


@dataclass(frozen=True)
class Observed:
    """The entries of every agent's observation, and the constant ones' values."""

    entries: Sequence[Entry]
    template: NDArray[np.float32]
    """[N, D]: the constant entries in their places, zero elsewhere."""

    @property
    def space(self) -> gym.spaces.Box:
        """Of one agent: [D], finite."""
        low, high = np.array([(e.low, e.high) for e in self.entries], np.float32).T
        return gym.spaces.Box(low, high, dtype=np.float32)

    def describe(self) -> str:
        """One line an entry: index, name, range and meaning."""
        return "\n".join(
            f"{i:3d}  {e.name:20s} [{e.low:g}, {e.high:g}]  {e.meaning}" for i, e in enumerate(self.entries)
        )


def market_observation(
    parameters: Parameters,
    agent_types: NDArray[np.int64],
    type_names: Sequence[str],
    config: MarketConfig,
    mean_demand: float,
) -> Observed:
    """The entries for agents with these parameters [N]; what a market does not have is not observed.

    mean_demand is m_ref, of the population that the agents belong to, u/period.
    """
    p, lead, limit = parameters, int(parameters.L.max()), float(OBSERVED_LIMIT)
    changing = [
        Entry("stock", 0, limit, "own stock / 4 mu, clipped"),
        Entry("backlog", 0, limit, "own backlog / 4 mu, clipped"),
        Entry("last_demand", 0, limit, "own demand of the last period / 4 mu, clipped"),
        *(
            Entry(f"pipeline_{i}", 0, limit, f"units that arrive {_when(i)} / 4 mu, clipped")
            for i in range(lead)
        ),
        Entry("mean_order", 0, limit, "mean order of all agents in the last period / 4 m_ref, clipped"),
        Entry("wholesale", 0, limit, "last mean wholesale price / mean c, clipped"),
        Entry("price", 0, limit, "last retail price / p0, clipped"),
    ]
    if config.capacity is not None:
        changing.append(Entry("fill_rate", 0, 1, "share of all orders that the supplier met in the last period"))
    if config.season_amplitude > 0:
        changing.append(Entry("season", 0, limit, "this period's seasonal factor of mean demand"))
    if config.ending == "finite":
        changing.append(Entry("time", 0, 1, "t / T"))
    own = (
        ("own_mu", "mu / m_ref", p.mu / mean_demand),
        *((("own_dispersion", "cv2", p.cv2),) if (p.cv2 > 0).any() else ()),
        ("own_cost", "c / p0", p.c / p.p0),
        ("own_holding", "h / p0", p.h / p.p0),
        ("own_backlog", "b / p0", p.b / p.p0),
        ("own_lost", "ell / p0", p.ell / p.p0),
        ("own_fixed", "K / (p0 mu)", p.K / (p.p0 * p.mu)),
        ("own_lead", "L / longest L", p.L / max(1, lead)),
        ("own_spoilage", "delta", p.delta),
    )
    entries = [
        *changing,
        *(Entry(name, 0, max(1.0, float(np.float32(v.max()))), f"own {text}, constant") for name, text, v in own),
        *(Entry(f"type_{name}", 0, 1, f"1 for agents of type {name}") for name in type_names),
    ]
    constants = np.column_stack([*(v for _, _, v in own), np.eye(len(type_names))[agent_types]])
    template = np.zeros((agent_types.size, len(entries)), np.float32)
    template[:, len(changing) :] = constants
    return Observed(entries, template)


def observed_of_all(
    config: MarketConfig, mean_demand: float, mean_cost: float, *, order: Any, premium: Any, price: Any, fill: Any,
    season: float, time: float,
) -> list[Any]:  # fmt: skip
    """What all agents observe alike, an array [B] an entry, before it is clipped; in the order of the entries.

    Args:
        mean_demand, mean_cost: m_ref, u/period, and mean c, $/u.
        order, premium, price, fill: [B] each, of the period before: mean order in u, $ on every unit, retail price /
            p0, and the share of orders that was met.
        season: this period's factor of mean demand.
        time: t / T.
    """
    shared = [order * (1 / (4 * mean_demand)), 1 + premium * (1 / max(mean_cost, 1e-6)), price]
    if config.capacity is not None:
        shared.append(fill)
    if config.season_amplitude > 0:
        shared.append(0 * price + season)
    if config.ending == "finite":
        shared.append(0 * price + time)
    return shared


def _when(periods: int) -> str:
    return "in this period" if periods == 0 else f"in {periods} period{'s' if periods > 1 else ''}"
