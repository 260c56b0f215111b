"""What play is measured by, and what trained policies are held against: by kind of environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.inventory.market import InventoryMarket
from envs.inventory.metrics import METRICS, MISSING, EpisodeMetrics
from envs.inventory.network.network import InventoryNetwork
from envs.inventory.reference import NAMES, Market, reference_policy
from envs.population import PopulationEnv, Step

Doubles = NDArray[np.float64]
Play = Callable[[Step], NDArray[Any]]
Player = Callable[[PopulationEnv, int], Play]
"""A profile: (environment, seed of its draws) -> what plays it from the start of an episode on, for all agents.

It reads the environment and never steps it.
"""
LEVELS = 11
"""Constant actions that are tried where actions are numbers."""


class Meter(Protocol):
    """Sums up episodes."""

    def add(self, step: Step) -> dict[str, Doubles] | None:
        """Count one step; where copies ended at it, metric -> [copies that ended, N]."""
        ...


@dataclass(frozen=True)
class Yardstick:
    """Metrics and reference policies of one kind of environment."""

    metrics: Sequence[str]
    missing: Mapping[str, str]
    """metric -> why it is NaN where it is."""
    meter: Callable[[int, int, float], Meter]
    """(copies, agents, discount) -> a meter"""
    references: Sequence[str]
    reference: Callable[[str, PopulationEnv, int, float], Play]
    """(name, environment, seed, discount) -> the policy; the environment may have been played afterwards."""


def yardstick_of(env: PopulationEnv) -> Yardstick:
    """Inventory metrics and rules where there is an inventory; else returns, random and constant actions."""
    if isinstance(env, InventoryMarket | InventoryNetwork):
        return Yardstick(list(METRICS), MISSING, EpisodeMetrics, NAMES, _inventory_reference)
    return Yardstick(("return", "profit"), {}, EpisodeReturns, ("random", "constant"), _plain_reference)


def _inventory_reference(name: str, env: PopulationEnv, seed: int, discount: float) -> Play:
    # of the settings the policies read two, which markets and networks both have
    return reference_policy(name, cast(Market, env), seed, discount=discount)


def _plain_reference(name: str, env: PopulationEnv, seed: int, discount: float) -> Play:
    return random_actions(env, seed) if name == "random" else best_constant(env, seed)


class EpisodeReturns:
    """Discounted return and mean reward of B copies x N agents; feed it every step after a reset, in order."""

    def __init__(self, num_envs: int, num_agents: int, discount: float) -> None:
        """`discount` per step, of the metric ``return``."""
        if not 0 <= discount <= 1:
            raise ValueError(f"discount is {discount}; it lies in 0..1")
        self.discount = discount
        self._age = np.zeros(num_envs, np.int64)
        self._return: Doubles = np.zeros((num_envs, num_agents))
        self._total: Doubles = np.zeros((num_envs, num_agents))

    def add(self, step: Step) -> dict[str, Doubles] | None:
        """Count one step; where copies ended at it, their rows: metric -> [copies that ended, N]."""
        reward = step.reward.astype(np.float64)
        self._return += (self.discount**self._age)[:, None] * reward
        self._total += reward
        self._age += 1
        ended = step.terminated | step.truncated
        if not ended.any():
            return None
        rows = {"return": self._return[ended], "profit": self._total[ended] / self._age[ended, None]}
        self._return[ended] = self._total[ended] = 0.0
        self._age[ended] = 0
        return rows


def random_actions(env: PopulationEnv, seed: int) -> Play:
    """Every action equally likely, independently, from the stream of `seed`.

    Raises:
        ValueError: for an action space that is neither Discrete nor Box.
    """
    rng, lead, space = np.random.default_rng(seed), (env.num_envs, env.num_agents), env.action_space
    if isinstance(space, gym.spaces.Discrete):
        size = int(space.n)
        return lambda step: rng.integers(size, size=lead)
    if isinstance(space, gym.spaces.Box):
        shape, low, high = (*lead, *space.shape), space.low, space.high
        return lambda step: rng.uniform(low, high, shape).astype(np.float32)
    raise ValueError(f"actions are {space}; reference policies play Discrete and Box")


def best_constant(env: PopulationEnv, seed: int) -> Play:
    """Everyone plays one action throughout: the one that earns the population most over the first episodes.

    Of an interval of actions, `LEVELS` are tried. It plays `env`, which must be reset afterwards.

    Raises:
        ValueError: for an action space that is neither Discrete nor Box.
    """
    space, lead = env.action_space, (env.num_envs, env.num_agents)
    tried: list[NDArray[Any]]
    if isinstance(space, gym.spaces.Discrete):
        tried = [np.full(lead, action) for action in range(int(space.n))]
    elif isinstance(space, gym.spaces.Box):
        shares = np.linspace(0, 1, LEVELS)
        levels = [(space.low + share * (space.high - space.low)).astype(np.float32) for share in shares]
        tried = [np.broadcast_to(level, (*lead, *space.shape)).copy() for level in levels]
    else:
        raise ValueError(f"actions are {space}; reference policies play Discrete and Box")
    best = tried[int(np.argmax([_earned(env, actions, seed) for actions in tried]))]
    return lambda step: best.copy()


def _earned(env: PopulationEnv, actions: NDArray[Any], seed: int) -> float:
    """Mean reward of the first episode of every copy."""
    env.reset(seed)
    meter, rewards, over = EpisodeReturns(env.num_envs, env.num_agents, 1.0), [], np.zeros(env.num_envs, np.bool_)
    while not over.all():
        step = env.step(actions)
        rows = meter.add(step)
        ended = step.terminated | step.truncated
        if rows is not None:
            rewards.append(rows["profit"][~over[ended]].sum(0))
            over |= ended
    return float(np.sum(rewards) / (env.num_envs * env.num_agents))
