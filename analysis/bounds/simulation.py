"""Estimates of many repetitions of n stored steps, for every weight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.bounds.estimators import FRESH, log_ratio, log_ratio_by_sum
from analysis.bounds.populations import Population

Array = NDArray[np.float64]
REACHABLE = 1e-18
"""Sums of smaller probability are never drawn."""
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Estimates:
    """Of R repetitions."""

    plain: Array
    """[F, R], (1/n) sum w f."""
    self_normalised: Array
    """[F, R], sum w f / sum w."""
    effective_share: Array
    """[R], ESS / n."""


def estimates(log_weight: Array, values: Array, counts: Array, steps: int) -> Estimates:
    """Estimates from weights and values of outcomes that came up `counts` times among the n steps.

    Args:
        log_weight: [R or 1, K]
        values: [F, R or 1, K]
        counts: [R, K] or [1, 1]
        steps: n, the sum of counts over outcomes.
    """
    # divided by the largest weight that was drawn, so that no sum is lost below or above floating point
    peak = np.where(counts > 0, log_weight, -np.inf).max(-1, keepdims=True)
    with np.errstate(under="ignore"):
        scaled = np.exp(np.minimum(log_weight - peak, 0.0))
        weighted = counts * scaled
        total = weighted.sum(-1)
        sums = np.stack([(weighted * f).sum(-1) for f in values])
        squares = (weighted * scaled).sum(-1)
        scale = np.exp(np.minimum(peak[:, 0], 600.0)) / steps
        return Estimates(sums * scale, sums / total, total**2 / squares / steps)


def draw_counts(
    rng: np.random.Generator, log_law: Array, steps: int, repetitions: int
) -> tuple[NDArray[np.int64], Array]:
    """Sums that can come up [K], and how often they do among n steps [R, K]."""
    sums = np.flatnonzero(log_law > np.log(REACHABLE))
    law = np.exp(log_law[sums])
    return sums, rng.multinomial(steps, law / law.sum(), size=repetitions).astype(float)


@dataclass(frozen=True)
class Pool:
    """T stored steps as agent 0 sees them."""

    sums: NDArray[np.int64]
    """[T], of the neighbours' actions."""
    log_weight: dict[str, Array]
    """[T] by estimator."""


def draw_pool(
    rng: np.random.Generator, population: Population, names: list[str], steps: int, bandwidth: float, fresh: float = 0.0
) -> Pool:
    """Draw every agent's action in T steps, each of which the new policies played with probability `fresh`."""
    sums, drawn = [], {name: [np.zeros(0)] for name in names}
    # upper edges [A - 1, N] of all actions but the last, which takes what rounding leaves
    old, new = (np.cumsum(law, -1).T[:-1] for law in (population.old, population.new))
    for size in _chunks(steps, population.old.size):
        edges = old
        if fresh:
            edges = np.where(rng.random((size, 1)) < fresh, new[:, None], old[:, None])
        uniform = rng.random((size, population.num_agents))
        action = np.zeros(uniform.shape, np.int64)
        for edge in edges:
            action += uniform > edge
        sums.append(action[:, 1:].sum(-1))
        for name in names:
            if name in ("joint", "mixture"):
                drawn[name].append(log_ratio(name, population, torch.from_numpy(action), bandwidth))
    together = np.concatenate(sums)
    weights = {name: np.concatenate(parts) for name, parts in drawn.items()}
    for name in names:
        if name not in ("joint", "mixture"):
            seen, place = np.unique(together, return_inverse=True)
            weights[name] = log_ratio_by_sum(name, population, seen, bandwidth)[place]
    return Pool(together, weights)


def fresh_share(name: str) -> float:
    """Share of the steps that the new policies played, in the buffer of estimator `name`."""
    return FRESH if name == "mixture" else 0.0


def _chunks(steps: int, numbers: int) -> Iterator[int]:
    size = max(1, _CHUNK // numbers)
    while steps > 0:
        yield min(size, steps)
        steps -= size
