"""Adversarial imitation, tabular: the policy whose occupancy is nearest to the one that was seen.

The best discriminator of two occupancies is known, and what it can tell them apart by is their L1 distance; so it is
minimised itself, summed over steps, by exact gradients. The kernel is known; rewards are not used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array
from mfmarl.imitation.tensor_flow import occupancies

Population = Literal["VAN", "MFC"]
FAINTEST = 1e-3
"""The least probability to start from: below it logits hardly move."""


@dataclass(frozen=True)
class Descent:
    """Adam on the logits, by a rate that falls to 0 along a cosine."""

    steps: int = 300
    rate: float = 0.3
    loss: Literal["L1", "squared"] = "L1"
    """L1: the distance itself; squared: the sum of squared differences of occupancies, which then also keeps the
    nearest. Where a learner comes to a state more or less often than was seen, policies that match in L1 are many."""
    smooth: float = 1e-3
    """d in sqrt(u^2 + d^2), which is descended in place of |u|: L1 has no slope where occupancies agree."""


@dataclass(frozen=True)
class Imitation:
    """The nearest policy that was met."""

    pi: Array
    """[..., T, S, A]"""
    distance: Array
    """What was descended, summed over steps and without smoothing (L1: |x - x^pi|_1): shape of the batch."""


def imitated(
    game: FiniteMFG,
    population: Population,
    seen: Array,
    flow: Array,
    descent: Descent | None = None,
    start: Array | None = None,
) -> Imitation:
    """The policy whose occupancy is nearest to seen[..., T, S, A], by descent from `start` or the uniform policy.

    VAN: the learner is alone in a population that moves as was seen, flow[..., T+1, S]. MFC: in its own population, so
    that the gradient goes through what the population does to the transitions. Each of a batch is fitted by itself.
    Only local minima are promised: of MFC the distance is not convex.
    """
    settings = Descent() if descent is None else descent
    target = torch.from_numpy(seen)
    frozen = flow if population == "VAN" else None
    allowed = torch.from_numpy(np.broadcast_to(game.uniform_policy() > 0, seen.shape).copy())
    first = torch.from_numpy(np.broadcast_to(game.uniform_policy() if start is None else start, seen.shape).copy())
    logits = first.clamp(min=FAINTEST).log().masked_fill(~allowed, -math.inf).requires_grad_()
    adam = torch.optim.Adam([logits], lr=settings.rate)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, settings.steps)
    nearest = torch.full(seen.shape[:-3], math.inf, dtype=torch.float64)
    best = torch.softmax(logits.detach(), -1)
    for step in range(settings.steps + 1):
        pi = torch.softmax(logits, -1)
        away = occupancies(game, pi, frozen) - target
        with torch.no_grad():
            distance = (away.square() if settings.loss == "squared" else away.abs()).sum((-3, -2, -1))
            nearer = distance < nearest
            nearest = torch.where(nearer, distance, nearest)
            best = torch.where(nearer[..., None, None, None], pi, best)
        if step < settings.steps:
            adam.zero_grad()
            # a sum, so that no learner of the batch is told of another
            squares = away.square()
            loss = squares if settings.loss == "squared" else (squares + settings.smooth**2).sqrt()
            loss.sum().backward()  # type: ignore[no-untyped-call]
            # of actions that a state does not have there is none: 0 at -inf
            logits.grad = torch.where(allowed, logits.grad, 0.0) if logits.grad is not None else None
            adam.step()
            falling.step()
    return Imitation(best.numpy(), nearest.numpy())
