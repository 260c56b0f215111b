"""Effective sample sizes of powers of weights as a compiled loop: the search for an exponent asks for several."""

from __future__ import annotations

import numpy as np

from envs.compiled import compiled
from mfmarl.core.softmax_rows import exponentials
from mfmarl.core.tiles import Array


@compiled
def mean_share(below: Array, beta: float) -> float:
    """ESS / M of the weights exp(beta below), averaged over agents.

    Args:
        below: [M, N] float32, log weights less each agent's largest; -inf for a weight of 0.
        beta: above 0.
    """
    steps, agents = below.shape
    scale, z, e = np.float32(beta), np.empty(agents, np.float32), np.empty(agents, np.float32)
    total, squares = np.zeros(agents), np.zeros(agents)
    for i in range(steps):
        for j in range(agents):
            z[j] = below[i, j] * scale
        exponentials(z, e, agents)
        for j in range(agents):
            weight = np.float64(e[j])
            total[j] += weight
            squares[j] += weight * weight
    share = 0.0
    for j in range(agents):
        share += total[j] * total[j] / squares[j] if squares[j] > 0 else 0.0
    mean: float = share / (steps * agents)
    return mean
