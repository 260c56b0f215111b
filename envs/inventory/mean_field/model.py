"""The market of infinitely many agents: the types' decision processes, and how their means make prices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.inventory.config import MarketConfig
from envs.inventory.mean_field.couplings import Couplings, couplings_of, season_of
from envs.inventory.mean_field.process import TypeModel, type_model
from envs.unsolvable import Unsolvable

Doubles = NDArray[np.float64]
RECORDED = ("window", "series", "bootstrap", "fitted")
QUANTITIES = ("levels", "absolute")


@dataclass(frozen=True)
class MeanFieldMarket:
    """A market of infinitely many agents: the types' processes and how their means make prices."""

    config: MarketConfig
    types: tuple[TypeModel, ...]
    gamma: float
    slope: float
    """Wholesale: $/u per u of mean order."""
    reference: float
    """m_ref: share-weighted mean of mu, u/period."""
    couplings: Couplings
    left_out: tuple[str, ...]
    """What the market with N agents has and this one has not."""

    @property
    def horizon(self) -> int:
        """T."""
        return self.config.horizon

    @property
    def units_follow_field(self) -> bool:
        """Whether the field moves units, not only prices: scarce supply, or customers from elsewhere."""
        return self.couplings.capacity is not None or self.couplings.spill > 0

    @property
    def shares(self) -> Doubles:
        """[K]."""
        return np.array([k.share for k in self.types])

    @property
    def discount(self) -> Doubles:
        """[T]: gamma^t."""
        return np.asarray(self.gamma ** np.arange(self.horizon, dtype=float))


def mean_field(config: MarketConfig, *, gamma: float = 0.99) -> MeanFieldMarket:
    """The market of `config` with infinitely many agents.

    Args:
        config: its jitter is left out, and said so in `left_out`; the rest is played as it stands, or refused.
        gamma: discount of the values, in (0, 1].

    Raises:
        Unsolvable: for what has no mean field here, with the setting and what to set instead.
        ValueError: for a discount out of range.
    """
    if not 0 < gamma <= 1:
        raise ValueError(f"gamma is {gamma}; a discount is above 0 and at most 1")
    if config.demand_mode in RECORDED:
        raise Unsolvable(f"demand_mode is {config.demand_mode}: the exact mean field needs a demand law, not a record")
    if config.action_mode not in QUANTITIES:
        raise Unsolvable(
            f"action_mode is {config.action_mode}: the exact mean field takes quantities; set levels, or absolute with "
            "the quantities in action_grid"
        )
    if config.shock_sigma > 0:
        raise Unsolvable(
            "the demand shock is common to all agents, so that their means are no path known in advance and there is "
            "no exact mean field: set shock_sigma=0"
        )
    total = sum(kind.share for kind in config.types.values())
    season = season_of(config)
    types = tuple(type_model(name, kind, kind.share / total, config, season) for name, kind in config.types.items())
    shares = np.array([k.share for k in types])
    reference = float(shares @ [k.agent.mu for k in types])
    coupled = couplings_of(config, reference)
    slope = config.congestion * float(shares @ [k.agent.c for k in types]) / reference
    left_out = [f"jitter {config.jitter:g}: all agents of a type are alike here"] if config.jitter > 0 else []
    if config.unmet == "backlog" and any(k.lag for k in types):
        left_out.append("room for stock with backlog and L >= 1; residual has the chance that it would bind")
    if coupled.capacity is not None and any(k.pipeline for k in types):
        left_out.append(
            "lost sales, L >= 2: agents know what they asked for, and what was granted only when it arrives"
        )
    return MeanFieldMarket(config, types, gamma, slope, reference, coupled, tuple(left_out))
