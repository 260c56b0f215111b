"""Backward induction of one population against given flows: what all games of this folder share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.kernel import Array, Kernel


@dataclass(frozen=True)
class BestResponse:
    """What is best against a flow."""

    policy: Array
    """[..., T, S, A], deterministic: the first best action of each state."""
    values: Array
    """V[..., T+1, S]"""
    q: Array
    """Q[..., T, S, A]; -inf for actions that a state does not have."""


@dataclass(frozen=True)
class Frozen:
    """The decision process of one agent while the population's flow is given."""

    kernel: Kernel
    rewards: Array
    """[..., T, S, A]"""
    seen: Any
    """What the kernel's law sees at step t: `seen(t)`."""
    terminal: Array
    """[..., S]"""
    mask: NDArray[np.bool_] | None
    """[S, A]"""


def values_of(process: Frozen, pi: Array, lead: tuple[int, ...]) -> Array:
    """V[..., T+1, S] of pi; `lead` is the shape of the batch."""
    T = process.rewards.shape[-3]
    values = np.empty((*lead, T + 1, process.kernel.num_states))
    values[..., -1, :] = process.terminal
    for t in reversed(range(T)):
        q = process.rewards[..., t, :, :] + process.kernel.expect(t, values[..., t + 1, :], process.seen(t))
        values[..., t, :] = (pi[..., t, :, :] * _without(q, process.mask, 0.0)).sum(-1)
    return values


def action_values_of(process: Frozen, pi: Array, lead: tuple[int, ...]) -> Array:
    """Q[..., T, S, A] of who plays pi; 0 for actions that a state has not."""
    values = values_of(process, pi, lead)
    steps = [
        process.rewards[..., t, :, :] + process.kernel.expect(t, values[..., t + 1, :], process.seen(t))
        for t in range(process.rewards.shape[-3])
    ]
    return _without(np.stack(steps, -3), process.mask, 0.0)


def best_response_of(process: Frozen, lead: tuple[int, ...]) -> BestResponse:
    """The best values, and the first of the best actions in each state."""
    T, S = process.rewards.shape[-3], process.kernel.num_states
    q = np.empty((*lead, T, S, process.kernel.num_actions))
    values = np.empty((*lead, T + 1, S))
    values[..., -1, :] = process.terminal
    for t in reversed(range(T)):
        found = process.rewards[..., t, :, :] + process.kernel.expect(t, values[..., t + 1, :], process.seen(t))
        q[..., t, :, :] = _without(found, process.mask, -np.inf)
        values[..., t, :] = q[..., t, :, :].max(-1)
    policy = np.zeros(q.shape)
    np.put_along_axis(policy, q.argmax(-1)[..., None], 1.0, -1)
    return BestResponse(policy, values, q)


def gains_of(process: Frozen, pi: Array, mu: Array, initial: Array) -> Array:
    """Best value from the initial distribution less what pi earns there, in one backward pass: shape of the batch.

    Args:
        mu: [..., T+1, S], the flow that agents who play pi have in this process: what they earn is what their occupancy
            meets, so that their values need no sweep.
    """
    T = process.rewards.shape[-3]
    earned = mu[..., :-1, :, None] * pi * _without(process.rewards, process.mask, 0.0)
    own = earned.sum((-3, -2, -1)) + (mu[..., -1, :] * process.terminal).sum(-1)
    best = process.terminal
    for t in reversed(range(T)):
        q = process.rewards[..., t, :, :] + process.kernel.expect(t, best, process.seen(t))
        best = _without(q, process.mask, -np.inf).max(-1)
    return np.asarray(best @ initial - own)


def _without(q: Array, mask: NDArray[np.bool_] | None, value: float) -> Array:
    """Q with a value for actions that a state has not; rewards may be infinite there, and 0 x inf is no number."""
    return q if mask is None else np.where(mask, q, value)
