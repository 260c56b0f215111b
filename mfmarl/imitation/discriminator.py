"""Telling an expert's steps from a policy's: what networks see of a step, their loss, and what it pays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from mfmarl.imitation.networks import RunningNorm
from mfmarl.imitation.spaces import Spaces
from mfmarl.imitation.steps import Steps

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
    score: Callable[[Tensor], Tensor], expert: Tensor, policy: Tensor, generator: torch.Generator, flags: int = 0
) -> Tensor:
    """Mean of (|grad score| - 1)^2 between expert inputs [n, W] and policy inputs [n, W] (Gulrajani et al. 2017).

    Args:
        flags: so many last entries are no points of a space: they are the nearer side's, and their slope is not asked.
    """
    mix = torch.rand((len(expert), 1), generator=generator)
    seen = expert.shape[1] - flags
    between = (mix * expert + (1 - mix) * policy)[:, :seen].detach().requires_grad_(True)
    nearer = torch.where(mix > 0.5, expert, policy)[:, seen:].detach()
    (slope,) = torch.autograd.grad(score(torch.cat([between, nearer], -1)).sum(), between, create_graph=True)
    penalty: Tensor = (slope.norm(dim=-1) - 1).square().mean()
    return penalty


class Inputs(nn.Module):
    """Steps as rows of a network: states normalised, actions one-hot or as shares of their range."""

    centre: Tensor
    reach: Tensor

    def __init__(self, spaces: Spaces, norm: RunningNorm) -> None:
        """Args:
        norm: the policy's own, which sees the same states.
        """
        super().__init__()
        self.spaces, self.norm = spaces, norm
        low, high = torch.tensor(spaces.low), torch.tensor(spaces.high)
        self.register_buffer("centre", (low + high) / 2, persistent=False)
        self.register_buffer("reach", (high - low) / 2, persistent=False)

    @property
    def width(self) -> int:
        """Entries of a row."""
        return self.spaces.state_dim + self.spaces.action_dim

    def actions(self, actions: Tensor) -> Tensor:
        """[n] or [n, A] -> [n, A]"""
        if not self.spaces.continuous:
            return functional.one_hot(actions.long(), self.spaces.action_dim).float()
        return (actions - self.centre) / self.reach

    def pairs(self, states: Tensor, actions: Tensor) -> Tensor:
        """[n, D], [n] or [n, A] -> [n, D + A]"""
        return torch.cat([self.norm(states), self.actions(actions)], -1)

    def forward(self, steps: Steps) -> Tensor:
        """[n, width]"""
        return self.pairs(steps.states, steps.actions)


class Discriminator(nn.Module, ABC):
    """Rows of steps -> scores, and what the logit of D, that a step is the expert's, is of a score."""

    needs_log_prob = False
    """Whether the logit asks for what the policy thinks of the step."""
    flags = 0
    """How many last entries of rows are no points of a space; `gradient_penalty` leaves them as they are."""

    @abstractmethod
    def rows(self, steps: Steps) -> Tensor:
        """What the network sees of steps: [n, W]."""

    @abstractmethod
    def forward(self, rows: Tensor) -> Tensor:
        """[n, W] -> scores [n]."""

    def logit(self, rows: Tensor, steps: Steps) -> Tensor:
        """Of steps and their rows: [n]."""
        score: Tensor = self(rows)
        return score
