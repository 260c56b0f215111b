"""Laws of actions: what a policy draws from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from mfmarl.core.value import sample_actions


class ActionLaw(Protocol):
    """The laws of [R, N] independent actions."""

    def sample(self, generator: torch.Generator) -> Tensor:
        """One action each: [R, N], int64 or float32."""
        ...

    def log_prob(self, action: Tensor) -> Tensor:
        """Log-probability, or log-density, of actions [R, N]: [R, N]."""
        ...

    def entropy(self) -> Tensor:
        """In nats: [R, N]."""
        ...


@dataclass(frozen=True)
class Played:
    """One draw from the laws of [R, N] actions."""

    action: Tensor
    """[R, N], int64 or float32."""
    log_prob: Tensor
    """[R, N], of these actions."""
    entropy: Tensor | None = None
    """[R, N], in nats, where it was asked for."""
    log_probs: Tensor | None = None
    """[R, N, A], of all actions, where they were asked for."""


@dataclass(frozen=True)
class Categorical:
    """A law over A actions."""

    log_probs: Tensor
    """[R, N, A], normalised."""

    @property
    def probs(self) -> Tensor:
        """[R, N, A]"""
        return self.log_probs.exp()

    def sample(self, generator: torch.Generator) -> Tensor:
        """int64 [R, N]"""
        return sample_actions(self.log_probs, generator)

    def log_prob(self, action: Tensor) -> Tensor:
        """[R, N]"""
        return self.log_probs.gather(-1, action.long().unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """[R, N]; an action of probability 0 adds nothing."""
        return -(self.probs * self.log_probs.clamp_min(-1e30)).sum(-1)


def with_exploration(log_probs: Tensor, epsilon: float) -> Tensor:
    """log((1 - epsilon) p + epsilon / A): with probability epsilon any action, each alike."""
    if epsilon == 0.0:
        return log_probs
    uniform = math.log(epsilon / log_probs.shape[-1])
    if epsilon == 1.0:
        return torch.full_like(log_probs, uniform)
    return torch.logaddexp(log_probs + math.log1p(-epsilon), log_probs.new_tensor(uniform))
