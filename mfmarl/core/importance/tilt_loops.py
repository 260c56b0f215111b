"""The tilting of `tilt` for the processor: a population's laws go through all steps of Newton's method in the cache.

Laws lie action by action, [A, n], so that one step for all agents is a run of the processor's vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.compiled import compiled, reordered

Doubles = NDArray[Any]
STEPS = 60
"""Of Newton's method, at most; where it leaves the bracket, of bisection."""
LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93145751953125e-1, 1.42860682030941723212e-6
"""ln 2 in two parts, of which the first times a whole number is exact."""
SMALLEST = -708.0
"""Below it an exponential is 0."""


@reordered
def _series(r: float) -> float:
    """exp(r) for |r| <= ln(2) / 2 by Taylor's series: what is left out is below 1e-17."""
    p = 1 / 40320 + r * (1 / 362880 + r * (1 / 3628800 + r * (1 / 39916800 + r * (1 / 479001600 + r / 6227020800))))
    p = 1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r * (1 / 5040 + r * p))))
    return 1.0 + r * (1.0 + r * (0.5 + r * p))


@compiled
def exponentials(z: Doubles, out: Doubles, size: int) -> None:
    """exp of the first `size` float64 entries of z, none of them above 0, into `out`, to the last bit or two."""
    exponent = np.empty(size, np.int64)
    for i in range(size):
        v = z[i]
        # a nan has no whole part, and goes through the series
        whole = np.int32((v if v >= SMALLEST else 0.0) * LOG2_E - 0.5)
        n = np.float64(whole)
        out[i] = 0.0 if v < SMALLEST else _series(v - n * LN2_HIGH - n * LN2_LOW)
        exponent[i] = whole
    bits = out.view(np.int64)
    # 2^n is a sum to the exponent's bits; n is 0 for a zero
    for i in range(size):
        bits[i] += exponent[i] << 52


@compiled
def _tilt(
    log_probs: NDArray[Any], tilt: float, z: Doubles, law: Doubles, weight: Doubles, peak: Doubles, moments: Doubles
) -> tuple[float, float]:
    """Mean and variance of the sum under q(a) proportional to p(a) e^{ta}; writes q, flat, and the logarithm's parts.

    Args:
        log_probs: [n, A]
        z, law: [A n], the first of them spare.
        weight, peak: [n], whose normalisers are log weight + peak.
        moments: [2, n], spare.
    """
    agents, actions = log_probs.shape
    for j in range(agents):
        row = log_probs[j]
        most = np.float64(row[0])
        for a in range(actions):
            value = np.float64(row[a]) + tilt * a
            z[a * agents + j] = value
            most = value if value > most else most
        peak[j] = most
    for a in range(actions):
        here = z[a * agents : (a + 1) * agents]
        for j in range(agents):
            here[j] -= peak[j]
    exponentials(z, law, actions * agents)
    first, second = moments[0], moments[1]
    for j in range(agents):
        weight[j] = first[j] = second[j] = 0.0
    for a in range(actions):
        here, index, square = law[a * agents : (a + 1) * agents], np.float64(a), np.float64(a) * a
        for j in range(agents):
            weight[j] += here[j]
            first[j] += index * here[j]
            second[j] += square * here[j]
    for a in range(actions):
        here = law[a * agents : (a + 1) * agents]
        for j in range(agents):
            here[j] /= weight[j]
    mean = variance = 0.0
    for j in range(agents):
        own = first[j] / weight[j]
        mean += own
        variance += max(second[j] / weight[j] - own * own, 0.0)
    return mean, variance


@compiled
def tilt_rows(
    log_probs: NDArray[Any], total: NDArray[np.int64], law: Doubles, normaliser: Doubles, tilt: Doubles, mean: Doubles,
    variance: Doubles,
) -> None:  # fmt: skip
    """`tilt.tilted` of R populations: [R, n, A] and [R] -> [R, A, n], [R, n] and three times [R]."""
    agents, actions = log_probs.shape[1:]
    z, weight, peak = np.empty(actions * agents), np.empty(agents), np.empty(agents)
    moments = np.empty((2, agents))
    for r in range(log_probs.shape[0]):
        laws, out, goal = log_probs[r], law[r].reshape(-1), np.float64(total[r])
        t = low = high = 0.0
        m, v = _tilt(laws, t, z, out, weight, peak, moments)
        for step in range(STEPS):
            if not (m - goal) * (m - goal) > v + 1e-12:
                break
            if step == 0:
                least = 0.0
                for j in range(agents):
                    for a in range(actions):
                        value = np.float64(laws[j, a])
                        least = value if -np.inf < value < least else least
                low, high = least - 40.0, 40.0 - least
            if m > goal:
                high = t
            else:
                low = t
            t += (goal - m) / max(v, 1e-300)
            if not low < t < high:
                t = 0.5 * (low + high)
            m, v = _tilt(laws, t, z, out, weight, peak, moments)
        tilt[r], mean[r], variance[r] = t, m, v
        for j in range(agents):
            normaliser[r, j] = np.log(weight[j]) + peak[j]
