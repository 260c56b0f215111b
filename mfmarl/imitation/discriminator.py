"""Telling an expert's steps from a policy's: the networks, their loss and the stabilisers that it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from mfmarl.imitation.networks import RunningNorm, perceptron
from mfmarl.imitation.spaces import Spaces

RewardForm = Literal["-log(1-D)", "log D", "log D - log(1-D)"]


def reward_of(logit: Tensor, form: RewardForm) -> Tensor:
    """What the policy is paid for a step whose logit of D, the probability that it is the expert's, is this.

    At the best D, -log(1-D) makes a policy minimise the Jensen-Shannon divergence of its occupancy from the expert's,
    log D twice KL((rho_E + rho_pi) / 2 || rho_E), and log D - log(1-D) KL(rho_pi || rho_E). The first is never below
    0, so it pays for survival, the second never above, so it pays for an early end (Kostrikov et al. 2019).
    """
    if form == "-log(1-D)":
        return functional.softplus(logit)
    if form == "log D":
        return -functional.softplus(-logit)
    return logit


def discriminator_loss(expert: Tensor, policy: Tensor, label_noise: float = 0.0) -> Tensor:
    """Binary cross-entropy in nats, expert = 1, the means over both added up: at the best D it is
    2 ln 2 - 2 JSD(rho_E, rho_pi).

    Args:
        expert, policy: logits [n], [m].
        label_noise: probability that a demonstration counts as the policy's step.
    """
    own = functional.softplus(-expert).mean()
    if label_noise:
        own = (1 - label_noise) * own + label_noise * functional.softplus(expert).mean()
    return own + functional.softplus(policy).mean()


def gradient_penalty(
    logit: Callable[[Tensor], Tensor], expert: Tensor, policy: Tensor, generator: torch.Generator
) -> Tensor:
    """Mean of (|grad logit| - 1)^2 between expert inputs [n, D] and policy inputs [n, D] (Gulrajani et al. 2017)."""
    mix = torch.rand((len(expert), 1), generator=generator)
    between = (mix * expert + (1 - mix) * policy).requires_grad_(True)
    (slope,) = torch.autograd.grad(logit(between).sum(), between, create_graph=True)
    penalty: Tensor = (slope.norm(dim=-1) - 1).square().mean()
    return penalty


class Inputs(torch.nn.Module):
    """States and actions as rows of one network: states normalised, actions one-hot, or as shares of their range."""

    def __init__(self, spaces: Spaces) -> None:
        super().__init__()
        self.spaces = spaces
        self.norm = RunningNorm(spaces.state_dim)
        low, high = torch.tensor(spaces.low), torch.tensor(spaces.high)
        self.register_buffer("centre", (low + high) / 2, persistent=False)
        self.register_buffer("reach", (high - low) / 2, persistent=False)

    centre: Tensor
    reach: Tensor

    @property
    def width(self) -> int:
        """Entries of a row."""
        return self.spaces.state_dim + self.spaces.action_dim

    def actions(self, actions: Tensor) -> Tensor:
        """[n] or [n, A] -> [n, A]; actions beyond their bounds count as the bound, which is what was played."""
        if not self.spaces.continuous:
            return functional.one_hot(actions.long(), self.spaces.action_dim).float()
        return ((actions - self.centre) / self.reach).clamp(-1.0, 1.0)

    def forward(self, states: Tensor, actions: Tensor) -> Tensor:
        """[n, D], [n] or [n, A] -> [n, width]"""
        return torch.cat([self.norm(states), self.actions(actions)], -1)


@dataclass(frozen=True)
class Stabilisers:
    """What keeps a discriminator from winning."""

    gradient_penalty: float = 10.0
    spectral_norm: bool = False
    dropout: float = 0.0
    label_noise: float = 0.0


def logit_network(
    inputs: int, hidden: Sequence[int], seed: int, stabilisers: Stabilisers
) -> torch.nn.Sequential:
    """Rows [n, inputs] -> logits [n, 1]."""
    return perceptron(
        inputs,
        hidden,
        1,
        torch.Generator().manual_seed(seed),
        spectral_norm=stabilisers.spectral_norm,
        dropout=stabilisers.dropout,
        last_gain=1.0,
    )
