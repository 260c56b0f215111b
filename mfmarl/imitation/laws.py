"""The law of continuous actions that imitators play: a Gaussian whose entries are independent."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Gaussian:
    """The laws of [R] actions with A entries each. Environments get them clipped; densities are of what was drawn."""

    mean: Tensor
    """[R, A]"""
    log_std: Tensor
    """[R, A], or what broadcasts to it."""

    def sample(self, generator: torch.Generator) -> Tensor:
        """[R, A]"""
        noise = torch.randn(self.mean.shape, generator=generator, dtype=self.mean.dtype)
        return self.mean + self.log_std.exp() * noise

    def log_prob(self, action: Tensor) -> Tensor:
        """Log-density of actions [R, A]: [R]."""
        distance = (action - self.mean) * torch.exp(-self.log_std)
        return (-0.5 * distance.square() - self.log_std - 0.5 * math.log(2.0 * math.pi)).sum(-1)

    def entropy(self) -> Tensor:
        """In nats: [R]."""
        return (self.log_std.expand_as(self.mean) + 0.5 * math.log(2.0 * math.pi * math.e)).sum(-1)
