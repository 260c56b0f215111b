"""Laws of continuous actions: a Gaussian that is squashed into [low, high], with its own density.

`a = low + (high - low) sigma(2u)` with `u ~ N(mean, std^2)` and the logistic sigma, which is `tanh(u)` moved to
[low, high]. With `t = (a - low) / (high - low)` and `u = log(t / (1 - t)) / 2` the change of variables gives
`log p(a) = log N(u; mean, std) - log(high - low) - log 2 - log t - log(1 - t)`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

MARGIN = 1e-6
"""Nearest place to either end, as a share of the range: at the ends themselves the density is 0 or infinite."""
NODES = 24
"""Of the quadrature over u: entropy and mean to 1e-5 where std is at most 1, to 1e-3 up to `from_output`'s largest."""
MEAN_BOUND = 4.0
"""tanh(4) = 0.9993: beyond it an action is an end of the range, and its gradient is gone."""
LOG_STD_CENTRE, LOG_STD_REACH, LOG_STD_START = -1.75, 2.25, -0.5
"""log std stays within centre -+ reach. At the start std = 0.61, which covers the range from end to end."""


@dataclass(frozen=True)
class SquashedGaussian:
    """The laws of [R, N] independent actions, numbers in [low, high]."""

    mean: Tensor
    """[R, N], of u."""
    log_std: Tensor
    """[R, N], of u."""
    low: float = 0.0
    high: float = 1.0

    @classmethod
    def from_output(cls, output: Tensor) -> SquashedGaussian:
        """The law in [0, 1] that two network outputs [..., 2] stand for; an output of 0 is the middle of the range.

        Both parameters are bounded smoothly, so gradients never vanish at a bound.
        """
        if output.shape[-1] != 2:
            raise ValueError(f"a squashed Gaussian has two outputs, mean and log std; got {tuple(output.shape)}")
        first, second = output.unbind(-1)
        start = math.atanh((LOG_STD_START - LOG_STD_CENTRE) / LOG_STD_REACH)
        log_std = LOG_STD_CENTRE + LOG_STD_REACH * torch.tanh(second / LOG_STD_REACH + start)
        return cls(MEAN_BOUND * torch.tanh(first / MEAN_BOUND), log_std)

    def sample(self, generator: torch.Generator) -> Tensor:
        """[R, N]; an action nearer to an end than `MARGIN` is moved to that distance."""
        noise = torch.randn(self.mean.shape, generator=generator, dtype=self.mean.dtype).to(self.mean.device)
        place = torch.sigmoid(2.0 * (self.mean + self.log_std.exp() * noise)).clamp(MARGIN, 1.0 - MARGIN)
        return self.low + (self.high - self.low) * place

    def log_prob(self, action: Tensor) -> Tensor:
        """Log-density with respect to the action's own length: [R, N] -> [R, N]."""
        place = ((action - self.low) / (self.high - self.low)).clamp(MARGIN, 1.0 - MARGIN)
        log_place, log_rest = place.log(), torch.log1p(-place)
        distance = (0.5 * (log_place - log_rest) - self.mean) * torch.exp(-self.log_std)
        gaussian = -0.5 * distance.square() - self.log_std - 0.5 * math.log(2.0 * math.pi)
        return gaussian - math.log(2.0 * (self.high - self.low)) - log_place - log_rest

    def entropy(self) -> Tensor:
        """E[-log p(a)] = log(std sqrt(2 pi e)) + E[log da/du], by quadrature: [R, N]."""
        logistic = torch.nn.functional.logsigmoid
        twice = 2.0 * self._nodes()
        slope = self._expected(logistic(twice) + logistic(-twice)) + math.log(2.0 * (self.high - self.low))
        return 0.5 * math.log(2.0 * math.pi * math.e) + self.log_std + slope

    def mean_action(self) -> Tensor:
        """E[a], by quadrature: [R, N]."""
        return self.low + (self.high - self.low) * self._expected(torch.sigmoid(2.0 * self._nodes()))

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and variance of the action, by quadrature: [R, N] each."""
        place = torch.sigmoid(2.0 * self._nodes())
        mean = self._expected(place)
        variance = self._expected((place - mean.unsqueeze(-1)).square())
        return self.low + (self.high - self.low) * mean, (self.high - self.low) ** 2 * variance

    def _nodes(self) -> Tensor:
        """u at the quadrature's nodes: [R, N, nodes]."""
        nodes = torch.tensor(_hermite()[0], dtype=self.mean.dtype, device=self.mean.device)
        return self.mean.unsqueeze(-1) + self.log_std.exp().unsqueeze(-1) * nodes

    def _expected(self, values: Tensor) -> Tensor:
        weights = torch.tensor(_hermite()[1], dtype=values.dtype, device=values.device)
        return values @ weights


@cache
def _hermite() -> tuple[list[float], list[float]]:
    """Nodes and weights of the Gauss-Hermite rule for the standard normal law."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return nodes.tolist(), (weights / weights.sum()).tolist()
