"""The sums of `inversion` for the processor: a population's frequencies are decided and summed in the cache."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.compiled import compiled, reordered
from mfmarl.core.importance.tilt_loops import exponentials
from mfmarl.core.tiles import ROWS, WIDE_COLUMNS, filled, wide_products

Doubles = NDArray[Any]
EPSILON = 2.0**-52


@reordered
def _dot(a: Doubles, b: Doubles) -> float:
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@reordered
def _sum_back(real: Doubles, imaginary: Doubles, x: Doubles, y: Doubles, c: Doubles, s: Doubles) -> float:
    """sum_k Re[(real + i imaginary) / (x + i y) * (c + i s)]; nan where x and y are 0."""
    found = 0.0
    for k in range(x.size):
        u = real[k] * x[k] + imaginary[k] * y[k]
        v = imaginary[k] * x[k] - real[k] * y[k]
        found += (u * c[k] - v * s[k]) / (x[k] * x[k] + y[k] * y[k])
    return found


@compiled
def waves(actions: int, length: int) -> Doubles:
    """cos and sin of a theta_k, [A, 2, K] flat: K frequencies, filled up by such of angle 0."""
    high = length // 2 + 1
    width = filled(high, WIDE_COLUMNS)
    circle = np.arange(length) * (2.0 * np.pi / length)
    cosine, sine = np.cos(circle), np.sin(circle)
    wave = np.zeros(actions * 2 * width)
    for a in range(actions):
        real, imaginary = wave[2 * a * width : (2 * a + 1) * width], wave[(2 * a + 1) * width : (2 * a + 2) * width]
        real[:] = 1.0
        at = 0
        for k in range(high):
            real[k], imaginary[k] = cosine[at], sine[at]
            at = (at + a) % length
    return wave


@compiled
def frequencies(
    law: Doubles, agents: int, wave: Doubles, length: int, accuracy: float, exponent: Doubles, bound: Doubles
) -> tuple[int, float]:
    """How many frequencies leave out less than `accuracy`, and the bound of all of them together.

    Args:
        law: [A n], flat.
        exponent, bound: [K], spare.
    """
    actions, high = law.size // agents, length // 2 + 1
    width = filled(high, WIDE_COLUMNS)
    exponent[:high] = 1.0
    for d in range(1, actions):
        # of the sums d apart: both factors and what they are multiplied by lie side by side
        decay = _dot(law[: law.size - d * agents], law[d * agents :])
        cosine = wave[2 * d * width : 2 * d * width + high]
        for k in range(high):
            exponent[k] -= decay * (1.0 - cosine[k])
    for k in range(high):
        exponent[k] = min(exponent[k], 0.0)
    exponentials(exponent, bound, high)
    needed, left = 1, 0.0
    for down in range(high):
        left += bound[high - 1 - down] * (2.0 / length)
        if left > accuracy:
            needed = max(needed, high - down)
    return needed, left


@compiled
def masses_without(
    law: Doubles, action: NDArray[np.int64], rows: NDArray[np.int64], length: int, accuracy: float, mass: Doubles,
    error: Doubles,
) -> None:  # fmt: skip
    """Write (1/L) sum_k Re[prod_{i != j} phi_i(theta_k) e^{-i theta_k (s - a_j)}] for every agent j of some rows.

    Args:
        law: [R, A, n], of each agent's integer.
        action: [R, n], which add up to s.
        rows: those whose masses are wanted.
        length: their period L; theta_k = 2 pi k / L, and those of both signs but 0 are counted in one.
        accuracy: bound of what frequencies that are left out add to a mass.
        mass: [R, n], written; nan where a phi_j is exactly 0.
        error: [R], written: bound of the errors, with as much again for aliases.
    """
    actions, agents = law.shape[1:]
    high, stride = length // 2 + 1, filled(agents, ROWS)
    width = filled(high, WIDE_COLUMNS)
    wave, exponent, bound = waves(actions, length), np.empty(high), np.empty(high)
    # agents that fill up a tile surely play 0
    laws = np.zeros(actions * stride)
    laws[:stride] = 1.0
    whole, turned, phi = np.empty(width), np.empty(width), np.empty(stride * 2 * width)
    circle = np.arange(length) * (2.0 * np.pi / length)
    for r in rows:
        for a in range(actions):
            laws[a * stride : a * stride + agents] = law[r, a]
        needed, left = frequencies(laws, stride, wave, length, accuracy, exponent, bound)
        # aliases, frequencies left out, and the rounding of a product of n complex numbers, each a sum of A terms
        error[r] = 2.0 * accuracy + 8.0 * agents * EPSILON * left
        count = filled(needed, WIDE_COLUMNS)
        wide_products(laws, 1, stride, actions, wave, 0, 2 * width, phi, 0, 2 * count, stride, count)
        wide_products(laws, 1, stride, actions, wave, width, 2 * width, phi, count, 2 * count, stride, count)
        total = action[r].sum() % length
        for k in range(count):
            once = 0.0 if k >= high else (1.0 if k == 0 else 2.0) / length
            angle = circle[total * k % length]
            whole[k], turned[k] = once * np.cos(angle), -once * np.sin(angle)
        real, imaginary = whole[:count], turned[:count]
        for j in range(agents):
            x, y = phi[2 * j * count : (2 * j + 1) * count], phi[(2 * j + 1) * count : (2 * j + 2) * count]
            for k in range(count):
                w = real[k]
                real[k] = w * x[k] - imaginary[k] * y[k]
                imaginary[k] = w * y[k] + imaginary[k] * x[k]
        for j in range(agents):
            x, y = phi[2 * j * count : (2 * j + 1) * count], phi[(2 * j + 1) * count : (2 * j + 2) * count]
            at = 2 * action[r, j] * width
            # the same rounded phi_j stands in the product, so the division is right however small phi_j is
            mass[r, j] = _sum_back(
                real, imaginary, x, y, wave[at : at + count], wave[at + width : at + width + count]
            )
