"""A profile in its game: what deviators leave, and what they may start from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from envs.population import PopulationEnv
from mfmarl.deviation import DeviationEnv, Sight, Units, observed_mean, one_deviator, whole_type
from mfmarl.network import PolicyNetwork
from mfmarl.players import network_player, network_sight
from mfmarl.yardstick import Player

Who = Literal["one", "type"]
"""One agent of the type deviates, or all of them together."""
Start = Literal["fresh", "checkpoint"]
"""From new networks, or from those of the profile itself."""
UNIT_EPISODES, LEAST_SCALE = 32, 0.01


@dataclass(frozen=True)
class Trained:
    """Networks that a deviator may start from."""

    network: PolicyNetwork
    reward_scale: NDArray[np.float32]
    """[N], of the rewards that action values are told in; 1 where outputs are no values."""


@dataclass(frozen=True)
class Subject:
    """A profile in its game."""

    make: Callable[[int], PopulationEnv]
    """copies -> the game"""
    player: Player
    discount: float
    algorithm: Literal["mfq", "mfac"] = "mfq"
    trained: Trained | None = None

    @classmethod
    def of_networks(
        cls,
        make: Callable[[int], PopulationEnv],
        trained: Trained,
        discount: float,
        algorithm: Literal["mfq", "mfac"],
    ) -> Subject:
        """A profile of trained networks."""
        return cls(make, network_player(trained.network), discount, algorithm, trained)

    def deviation(
        self, kind: int, who: Who, copies: int, seed: int, *, start: Start = "fresh", units: Units | None = None,
        first: int = 0,
    ) -> DeviationEnv:  # fmt: skip
        """The game of type `kind`'s deviators; `first` is the agent of the type that deviates in copy 0."""
        inner = self.make(copies)
        places = one_deviator(inner, kind, first) if who == "one" else whole_type(inner, kind)
        return DeviationEnv(inner, self.player, places, seed=seed, sight=self._sight(start), units=units)

    def _sight(self, start: Start) -> Sight:
        if start == "fresh":
            return observed_mean
        if self.trained is None:
            raise ValueError("this profile has no networks to start from: train its deviators fresh")
        return network_sight(self.trained.network)


def measured_units(subject: Subject, kind: int, start: Start, seed: int) -> tuple[Units, float]:
    """(units, spread of the rewards) of the agents of a type where everyone stays."""
    env = subject.deviation(kind, "type", UNIT_EPISODES, seed, start=start)
    step, obs, rewards = env.reset(seed), [], []
    for _ in range(env.horizon):
        obs.append(step.obs)
        step = env.stay()
        rewards.append(step.reward)
    rows = np.concatenate(obs).reshape(-1, obs[0].shape[-1]).astype(np.float64)
    spread = rows.std(0)
    scale = np.where(spread < LEAST_SCALE, 1.0, spread)
    return Units(rows.mean(0).astype(np.float32), scale.astype(np.float32)), float(np.std(rewards)) or 1.0
