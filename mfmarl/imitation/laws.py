"""The law of continuous actions that imitators play: a Gaussian whose entries are independent and held in bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Gaussian:
    """The laws of [R] actions with A entries each; with bounds, of the clipped draws that environments get.

    What lies beyond a bound is played as the bound, which then has a probability of its own (a censored Gaussian).
    With that in place of the density of what was drawn, an expert's action at its bound is compared by the same measure
    as the policy's, and policy gradients are as unbiased and vary less (Fujita and Maeda 2018, clipped action policy
    gradient).
    """

    mean: Tensor
    """[R, A]"""
    log_std: Tensor
    """[R, A], or what broadcasts to it."""
    low: Tensor | None = None
    """[A]; None where actions have no bounds."""
    high: Tensor | None = None

    def sample(self, generator: torch.Generator) -> Tensor:
        """[R, A]"""
        noise = torch.randn(self.mean.shape, generator=generator, dtype=self.mean.dtype)
        drawn = self.mean + self.log_std.exp() * noise
        return drawn if self.low is None else torch.clamp(drawn, self.low, self.high)

    def log_prob(self, action: Tensor) -> Tensor:
        """Log-density of actions [R, A], entries at a bound by their log-probability: [R]."""
        inverse = torch.exp(-self.log_std)
        distance = (action - self.mean) * inverse
        entries = -0.5 * distance.square() - self.log_std - 0.5 * math.log(2.0 * math.pi)
        if self.low is not None and self.high is not None:
            below, above = (self.low - self.mean) * inverse, (self.mean - self.high) * inverse
            entries = torch.where(action <= self.low, torch.special.log_ndtr(below), entries)
            entries = torch.where(action >= self.high, torch.special.log_ndtr(above), entries)
        return entries.sum(-1)

    def entropy(self) -> Tensor:
        """Of what is drawn before it is clipped, in nats: [R]."""
        return (self.log_std.expand_as(self.mean) + 0.5 * math.log(2.0 * math.pi * math.e)).sum(-1)
