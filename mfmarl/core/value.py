"""Boltzmann policies and mean-field temporal-difference targets (Yang et al. 2018, eq. 9 to 12)."""

from __future__ import annotations

import torch
from torch import Tensor


def boltzmann_log_probs(q: Tensor, temperature: Tensor | float) -> Tensor:
    """log pi(a) proportional to exp(q / temperature), normalised over the last axis."""
    return torch.log_softmax(q / temperature, -1)


def sample_actions(log_probs: Tensor, generator: torch.Generator) -> Tensor:
    """One action per row of `log_probs` [..., A] by the Gumbel-max trick, as int64 [...]."""
    # -log(-log u) is Gumbel; u = 0 gives -inf, an action that is not chosen, and u < 1 always
    uniform = torch.rand(log_probs.shape, generator=generator, dtype=log_probs.dtype, device=generator.device)
    uniform = uniform.to(log_probs.device)
    return (log_probs - uniform.log_().neg_().log_()).argmax(-1)


def mean_field_value(probs: Tensor, next_q: Tensor) -> Tensor:
    """v(s') = sum_a pi(a|s', mean action) Q(s', a, next mean action): [..., A] x [..., A] -> [...]."""
    return (probs * next_q).sum(-1)


def mean_field_target(reward: Tensor, discount: float, terminated: Tensor, next_value: Tensor) -> Tensor:
    """r + discount (1 - terminated) v(s'); a truncated step bootstraps, a terminated one does not.

    `reward` and `next_value` are [M, N], `terminated` is [M]: a copy of the game ends for all its agents.
    """
    if reward.shape != next_value.shape or reward.shape[:-1] != terminated.shape:
        raise ValueError(
            f"reward {tuple(reward.shape)}, next value {tuple(next_value.shape)} and terminated "
            f"{tuple(terminated.shape)} must be [M, N], [M, N] and [M]"
        )
    return reward + discount * (~terminated).to(reward.dtype).unsqueeze(-1) * next_value
