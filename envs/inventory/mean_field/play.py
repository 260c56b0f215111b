"""Playing a mean-field profile in the market of N agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from envs.inventory.mean_field.flow import Profile, checked_policy
from envs.inventory.mean_field.model import MeanFieldMarket
from envs.inventory.mean_field.process import TypeModel
from envs.inventory.reference import Market, Policy
from envs.population import Step, type_slices

Integers = NDArray[np.int64]


class SeenMarket(Market, Protocol):
    """What a profile reads of a market when it plays."""

    agent_types: NDArray[np.int64]
    type_names: Sequence[str]
    horizon: int
    t: int
    stock: NDArray[np.float32]
    backlog: NDArray[np.float32]
    pipeline: NDArray[np.float32]
    """[slots, B, N]: the order of period t in slot t mod slots."""


def profile_policy(game: MeanFieldMarket, profile: Profile, env: SeenMarket, seed: int) -> Policy:
    """Every agent plays its type's policy on what it has in stock, on order and in backlog; NumPy markets only.

    An agent whose mean demand differs from its type's (jitter) has its position scaled to the type's, so that it is
    covered for as many periods; without jitter nothing is scaled. Actions are drawn from the stream of `seed`.

    Raises:
        ValueError: where the market has other types, actions or another horizon than the game.
    """
    if [k.name for k in game.types] != list(env.type_names):
        raise ValueError(f"the game has types {[k.name for k in game.types]}, the market {list(env.type_names)}")
    if (game.horizon, game.config.action_grid) != (env.horizon, env.config.action_grid):
        raise ValueError(
            f"the game has horizon {game.horizon} and grid {game.config.action_grid}, "
            f"the market {env.horizon} and {env.config.action_grid}"
        )
    policies = [checked_policy(game, k, p) for k, p in zip(game.types, profile.policies, strict=True)]
    below = [np.cumsum(policy, -1) for policy in policies]
    parts = type_slices(env.agent_types)
    rng = np.random.default_rng(seed)
    taken: dict[int, Integers] = {}

    def act(step: Step) -> Integers:
        actions = np.empty((env.num_envs, env.num_agents), np.int64)
        uniform = rng.random(actions.shape)
        if not _continues(env, taken):
            # a new episode, or a state that was put back: what was ordered is read off what is on its way
            taken.clear()
        for k, part in enumerate(parts):
            rows = below[k][env.t][_states(game.types[k], part, env, taken)]
            drawn = (uniform[:, part, None] * rows[..., -1:] >= rows).sum(-1)
            actions[:, part] = np.minimum(drawn, rows.shape[-1] - 1)
        taken[env.t] = actions
        return actions

    return act


def _continues(env: SeenMarket, taken: Mapping[int, Integers]) -> bool:
    """Whether what is on its way is what these actions ordered, as far as the pipeline reaches back."""
    if env.t - 1 not in taken:
        return False
    slots, agents = env.pipeline.shape[0], np.arange(env.num_agents)
    for t in range(max(0, env.t - slots), env.t):
        if t in taken:
            ordered, waiting = env.order_levels[agents, taken[t]], env.pipeline[t % slots]
            # scarce supply sends less than was ordered
            as_ordered = waiting == ordered if env.config.capacity is None else waiting <= ordered
            if not as_ordered.all():
                return False
    return True


def _states(kind: TypeModel, part: slice, env: SeenMarket, taken: Mapping[int, Integers]) -> tuple[Integers, ...]:
    """Indices of the agents' states, [B, n] each; `taken` has the actions [B, N] by period, as far as known."""
    lead, slots = kind.agent.L, env.pipeline.shape[0]
    scale = kind.agent.mu / env.parameters.mu[part]
    if kind.lag or kind.order_first:
        position = env.inventory_position[:, part]
    else:
        position = env.stock[:, part] + env.pipeline[(env.t - lead) % slots][:, part]
    indices = [np.clip(np.rint(position * scale) - kind.low, 0, kind.size - 1).astype(np.int64)]
    for back in range(lead - 1, lead - 1 - kind.pipeline, -1):
        placed = env.t - back
        if placed in taken:
            indices.append(taken[placed][:, part])
        else:
            # of actions that order as much, the first
            waiting = env.pipeline[placed % slots][:, part]
            indices.append(abs(waiting[..., None] - env.order_levels[part]).argmin(-1))
    return tuple(indices)
