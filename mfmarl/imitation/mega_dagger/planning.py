"""Short plans in a world model: what the learner's next action leads to, at best and as far as the model knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfmarl.imitation.mega_dagger.world import WorldModel
from mfmarl.imitation.networks import Policy

Score = Callable[[NDArray[np.float32], NDArray[np.generic]], NDArray[np.floating]]
"""states [n, D], actions -> what a step is worth [n]."""
Unsafe = Callable[[NDArray[np.float32]], NDArray[np.bool_]]
"""states [n, D] -> whether they must not be entered [n]."""


@dataclass(frozen=True)
class Plan:
    """The best of the candidates of each of B states."""

    uncertainty: Tensor
    """[B]: the largest u along it."""
    unsafe: Tensor
    """[B], bool: whether it enters a state that must not be entered."""


@torch.no_grad()
def checked_plan(
    world: WorldModel,
    policy: Policy,
    states: Tensor,
    actions: Tensor,
    generator: torch.Generator,
    *,
    horizon: int,
    candidates: int,
    spread: float,
    kappa: float,
    score: Score | None = None,
    unsafe: Unsafe | None = None,
) -> Plan:
    """Random shooting from states [B, D] whose first actions [B] or [B, A] are the learner's proposals.

    All candidates begin with the proposal. The first goes on as the learner would; the others leave it by noise of
    `spread` (in halves of a continuous action's range, else the share of actions drawn from all alike). The best by the
    sum of score - kappa u is what the proposal is judged by: pessimistic where the model does not know.
    """
    batch = len(states)
    now = states.repeat_interleave(candidates, 0)
    action = actions.repeat_interleave(candidates, 0)
    first = torch.arange(batch * candidates) % candidates == 0
    value, largest = torch.zeros(batch * candidates), torch.zeros(batch * candidates)
    entered = torch.zeros(batch * candidates, dtype=torch.bool)
    for step in range(horizon):
        if step:
            action = _near(policy, policy.mode(now), spread, first, generator)
        after, u = world.predict(now, action)
        value -= kappa * u
        if score is not None:
            value += torch.from_numpy(np.asarray(score(now.numpy(), action.numpy()), np.float32))
        largest = torch.maximum(largest, u)
        if unsafe is not None:
            entered |= torch.from_numpy(np.asarray(unsafe(after.numpy()), bool))
        now = after
    # a way into what must not be entered is taken only where there is no other
    judged = value.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    judged = torch.where(entered, judged - 1e9, judged).view(batch, candidates)
    best = judged.argmax(-1) + torch.arange(batch) * candidates
    return Plan(largest[best], entered[best])


def _near(policy: Policy, mode: Tensor, spread: float, exact: Tensor, generator: torch.Generator) -> Tensor:
    """Actions near the likeliest ones, but for those that are to be exact."""
    spaces = policy.spaces
    if not spaces.continuous:
        other = torch.randint(spaces.action_dim, mode.shape, generator=generator)
        changed = (torch.rand(mode.shape, generator=generator) < spread) & ~exact
        return torch.where(changed, other, mode)
    low, high = torch.tensor(spaces.low), torch.tensor(spaces.high)
    noise = spread * (high - low) / 2 * torch.randn(mode.shape, generator=generator)
    return torch.minimum(torch.maximum(torch.where(exact.unsqueeze(-1), mode, mode + noise), low), high)


@torch.no_grad()
def imagined(world: WorldModel, policy: Policy, states: Tensor, horizon: int, tau: float) -> Tensor:
    """States [m, D] that the learner would come to from states [B, D] within `horizon` steps, along which u <= tau."""
    now, known, found = states, torch.ones(len(states), dtype=torch.bool), []
    for _ in range(horizon):
        now, u = world.predict(now, policy.mode(now))
        known = known & (u <= tau)
        found.append(now[known])
    return torch.cat(found)
