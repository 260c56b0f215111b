"""Profiles as players: what plays a trained network, or a reference policy, on an environment for all agents."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from envs.inventory.market import InventoryMarket
from envs.inventory.mean_field import MeanFieldMarket, Profile, profile_policy
from envs.inventory.mean_field.play import SeenMarket
from envs.inventory.network.network import InventoryNetwork
from envs.population import PopulationEnv, Step
from mfmarl.deviation import Sight
from mfmarl.network import PolicyNetwork
from mfmarl.yardstick import Play, Player, random_actions, yardstick_of


def network_player(network: PolicyNetwork) -> Player:
    """All agents draw from the laws of `network`."""

    def player(env: PopulationEnv, seed: int) -> Play:
        generator = torch.Generator().manual_seed(seed)
        last: NDArray[Any] | None = None
        sees = shown_sight(network)

        def play(step: Step) -> NDArray[Any]:
            nonlocal last
            ended = step.terminated | step.truncated
            # copies start together, and nobody has played before
            seen = sees(step, None if ended.any() else last)
            drawn = network.play(torch.from_numpy(step.obs), torch.from_numpy(seen), generator)
            last = drawn.action.numpy()
            return last

        return play

    return player


def network_sight(network: PolicyNetwork) -> Sight:
    """What the policies of `network` act on beside the observation, so that a deviator can start as one of them."""
    return _sight(network, acted_on=True)


def shown_sight(network: PolicyNetwork) -> Sight:
    """What the policies of `network` are shown of the others, beside the observation."""
    return _sight(network, acted_on=False)


def _sight(network: PolicyNetwork, acted_on: bool) -> Sight:
    mean_field = network.shape.mean_field()

    def sees(step: Step, last: NDArray[Any] | None) -> NDArray[np.float32]:
        copies, agents = step.reward.shape
        started = torch.full((copies,), last is None)
        known = torch.zeros((copies, agents)) if last is None else torch.from_numpy(np.asarray(last))
        seen = mean_field.shown(torch.from_numpy(step.mean_action), known, started)
        if acted_on:
            seen = network.acted_on(torch.from_numpy(step.obs), seen)
        told: NDArray[np.float32] = seen.numpy()
        return told

    return sees


def reference_player(name: str, discount: float) -> Player:
    """The reference policy `name` of the environment's kind, with levels and values at `discount`.

    The player raises ValueError on an environment that the policy cannot be played on, or that has none of that name.
    """

    def player(env: PopulationEnv, seed: int) -> Play:
        yardstick = yardstick_of(env)
        if isinstance(env, InventoryMarket | InventoryNetwork):
            return yardstick.reference(name, env, seed, discount)
        if name != "random":
            raise ValueError(
                f"{name} is no profile of {type(env).__name__}: there random is, and what `constant_player` or "
                "`answer_player` plays"
            )
        return random_actions(env, seed)

    return player


def constant_player(action: float) -> Player:
    """All agents play one action throughout."""

    def player(env: PopulationEnv, seed: int) -> Play:
        actions = np.full((env.num_envs, env.num_agents), action, env.action_space.dtype)
        return lambda step: actions

    return player


def answer_player(laws: NDArray[np.float64]) -> Player:
    """A profile [K, S, A] of a one-shot game: type k draws from laws[k, s] where it sees signal s."""
    below = laws.cumsum(-1)

    def player(env: PopulationEnv, seed: int) -> Play:
        rng = np.random.default_rng(seed)

        def play(step: Step) -> NDArray[np.int64]:
            rows = below[env.agent_types, step.obs.argmax(-1)]
            drawn = (rng.random(step.reward.shape)[..., None] * rows[..., -1:] >= rows).sum(-1)
            actions: NDArray[np.int64] = np.minimum(drawn, rows.shape[-1] - 1)
            return actions

        return play

    return player


def profile_player(game: MeanFieldMarket, profile: Profile) -> Player:
    """A profile of the exact mean field, played by N agents of the market."""

    def player(env: PopulationEnv, seed: int) -> Play:
        if not isinstance(env, InventoryMarket):
            raise ValueError(f"a mean-field profile is played in the market, and this is a {type(env).__name__}")
        return profile_policy(game, profile, cast(SeenMarket, env), seed)

    return player
