"""Playing a record: which part of it, and how."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from envs.inventory.config import MarketConfig
from envs.inventory.demand import Demand
from envs.inventory.fitted import fit_counts
from envs.inventory.trace import TraceDemand

Doubles = NDArray[np.float64]
DECIDED = ("jitter", "population_seed", "season_amplitude", "shock_rho", "shock_sigma")
"""Settings of drawn populations and their demand, which a record has of its own."""


class RecordConfig(MarketConfig):
    """The market on recorded demand."""

    split: Literal["train", "test"] = Field("train", description="the training periods, or those held out at the end")
    demand_mode: Literal["window", "series", "bootstrap", "fitted"] = Field(
        "window",
        description="window: T periods from a random start; series: the first T; bootstrap: blocks of periods in "
        "random order; fitted: counts drawn from a seasonal law fitted to the training periods; split=test plays the "
        "series if not given",
    )
    horizon: int = Field(
        52, ge=1, le=100_000, description="periods of an episode, T; split=test plays all of them if not given"
    )
    gaps: Literal["missing", "zero", "interpolate"] = Field(
        "missing", description="an agent-period without a row: an error, no demand, or the line between neighbours"
    )
    block_length: int = Field(4, ge=1, le=100_000, description="demand_mode=bootstrap: periods of a block; 1: none")
    season_period: int = Field(52, ge=2, le=10_000, description="demand_mode=fitted: periods of a season")
    harmonics: int = Field(
        1, ge=0, le=10, description="demand_mode=fitted: sines and cosines of the season; 0: no season"
    )

    @property
    @abstractmethod
    def periods_held_out(self) -> int:
        """How many periods `split=test` has; 0 where nothing is held out."""


def played_whole(given: Any, held_out: int) -> Any:
    """The settings `given` to a RecordConfig, with what split=test means where it was not said."""
    if isinstance(given, dict) and given.get("split") == "test":
        return {"demand_mode": "series", "horizon": held_out} | given
    return given


def refuse_decided(config: RecordConfig, place: str, also: tuple[str, ...] = ()) -> None:
    """Raise ValueError for a setting that the record decides."""
    told = [name for name in (*DECIDED, *also) if name in config.model_fields_set]
    if told:
        raise ValueError(f"environment option {told[0]}: {place} takes its agents from its data; leave it out")


@dataclass(frozen=True)
class Played:
    """What a record says of its agents' demand."""

    demand: Demand
    known: Demand
    """What may be known beforehand: from the training periods only."""
    mu: Doubles
    """[N]: mean demand."""
    cv2: Doubles
    """[N]: dispersion where demand is drawn from a law, else 0."""
    season_amplitude: float
    """Half the swing of the season that all know; 0 where there is none."""


def play(config: RecordConfig, train: Doubles, test: Doubles, agent_types: NDArray[np.int64]) -> Played:
    """The demand of a record: training periods [W, N] and those held out, which follow on them.

    A type's agents share the season of the fitted law.
    """
    train, test = np.rint(train), np.rint(test)
    held_out = config.split == "test"
    if config.demand_mode == "fitted":
        law = fit_counts(train, agent_types, period=config.season_period, harmonics=config.harmonics)
        demand = law.demand(len(train) if held_out else 0)
        means = law.means(0, len(law.season)).sum(1) / law.mu.sum()
        return Played(demand, demand, law.mu, law.cv2, float(np.ptp(means)) / 2)
    played = TraceDemand(test if held_out else train, config.demand_mode, config.block_length)
    return Played(played, TraceDemand(train, "series"), train.mean(0), np.zeros(train.shape[1]), 0.0)
