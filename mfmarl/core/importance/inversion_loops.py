"""The sums of `inversion` in one compiled pass: an agent's frequencies lie side by side and stay in the cache."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.compiled import compiled

Doubles = NDArray[Any]


@compiled
def masses_without(
    law: Doubles, action: NDArray[np.int64], total: NDArray[np.int64], angle: Doubles, length: int, mass: Doubles
) -> None:
    """Write (1/L) sum_k Re[prod_{i != j} phi_i(theta_k) e^{-i theta_k (s - a_j)}] for every row and agent j.

    Args:
        law: [R, n, A], of each agent's integer.
        action: [R, n]
        total: [R], s.
        angle: [K], theta_k = 2 pi k / length; those of both signs but 0 are counted in one.
        length: L.
        mass: [R, n], written; nan where a phi_j is exactly 0.
    """
    rows, agents, actions = law.shape
    count = angle.size
    cosine, sine = np.empty((actions, count)), np.empty((actions, count))
    for a in range(actions):
        for k in range(count):
            cosine[a, k], sine[a, k] = np.cos(a * angle[k]), np.sin(a * angle[k])
    real, imaginary = np.empty((agents, count)), np.empty((agents, count))
    whole, turned = np.empty(count), np.empty(count)
    for r in range(rows):
        for k in range(count):
            once = (1.0 if k == 0 else 2.0) / length
            whole[k], turned[k] = once * np.cos(total[r] * angle[k]), -once * np.sin(total[r] * angle[k])
        for j in range(agents):
            x, y = real[j], imaginary[j]
            x[:] = law[r, j, 0]
            y[:] = 0.0
            for a in range(1, actions):
                p, c, s = law[r, j, a], cosine[a], sine[a]
                for k in range(count):
                    x[k] += p * c[k]
                    y[k] += p * s[k]
            for k in range(count):
                w = whole[k]
                whole[k] = w * x[k] - turned[k] * y[k]
                turned[k] = w * y[k] + turned[k] * x[k]
        for j in range(agents):
            x, y, c, s = real[j], imaginary[j], cosine[action[r, j]], sine[action[r, j]]
            found = 0.0
            # the same rounded phi_j stands in the product, so the division is right however small phi_j is
            for k in range(count):
                size = x[k] * x[k] + y[k] * y[k]
                u = whole[k] * x[k] + turned[k] * y[k]
                v = turned[k] * x[k] - whole[k] * y[k]
                found += (u * c[k] - v * s[k]) / size
            mass[r, j] = found
