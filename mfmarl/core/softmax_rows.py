"""Boltzmann laws of a chunk of rows as compiled loops: exponentials, a draw, an expectation; for the processor.

A row's law is exp((q - max q) / temperature) over their sum, mixed with a share epsilon of the uniform one. A nan among
the values makes all that is computed of its row nan, but for the action.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.compiled import compiled
from mfmarl.core.layers import Places
from mfmarl.core.tiles import Array

LOG2_E = np.float32(1.44269504)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
"""ln 2 in two parts, of which the first times a whole number is exact."""
SMALLEST = np.float32(-86.0)
"""Below it an exponential is 0: an action of that probability is never drawn."""
HALF, ONE, ZERO = np.float32(0.5), np.float32(1.0), np.float32(0.0)
# of exp(r) = 1 + r + r^2 p(r) for |r| <= ln(2) / 2 (Cephes): relative error below 1.2e-7
P0, P1, P2 = np.float32(5.0000001201e-1), np.float32(1.6666665459e-1), np.float32(4.1665795894e-2)
P3, P4, P5 = np.float32(8.3334519073e-3), np.float32(1.3981999507e-3), np.float32(1.9875691500e-4)


@compiled
def exponentials(z: Array, out: Array, size: int) -> None:
    """exp of the first `size` entries of z, none of them above 0, into `out`."""
    exponent = np.empty(size, np.int32)
    for i in range(size):
        v = z[i]
        # a nan has no whole part, and goes through the polynomial
        whole = np.int32((v if v >= SMALLEST else ZERO) * LOG2_E - HALF)
        n = np.float32(whole)
        r = v - n * LN2_HIGH - n * LN2_LOW
        p = ((((P5 * r + P4) * r + P3) * r + P2) * r + P1) * r + P0
        out[i] = ZERO if v < SMALLEST else (p * r) * r + r + ONE
        exponent[i] = whole
    bits = out.view(np.int32)
    # 2^n is a sum to the exponent's bits; n is 0 for a zero
    for i in range(size):
        bits[i] += exponent[i] << 23


@compiled
def tempered(q: Array, stride: int, actions: int, rows: int, temperature: float, z: Array, e: Array) -> None:
    """z = (q - max q) / temperature and e = exp(z), [rows, actions] without gaps, of values `stride` apart."""
    scale = np.float32(1.0 / temperature)
    for i in range(rows):
        row, to = q[i * stride : i * stride + actions], z[i * actions : (i + 1) * actions]
        most = row[0]
        for j in range(1, actions):
            most = row[j] if row[j] > most else most
        for j in range(actions):
            to[j] = (row[j] - most) * scale
    exponentials(z, e, rows * actions)


@compiled
def log_prob_of(z: float, e: float, keep: float, added: float, total: float, log_total: float) -> float:
    """Of an action whose weight is keep e + added, out of keep total + A added = total."""
    if added == 0.0:
        return z - log_total
    share: float = np.log((keep * e + added) / total)
    return share


@compiled
def draw(
    z: Array,
    e: Array,
    actions: int,
    rows: int,
    epsilon: float,
    place: Places,
    uniform: NDArray[np.float64],
    action: NDArray[np.int64],
    log_prob: Array,
    entropy: Array,
    log_probs: Array,
) -> None:
    """One action of each row of `tempered`: the first whose cumulative weight exceeds `uniform` of all.

    Args:
        place: [rows], where a row's number in [0, 1) is read, and where what is drawn is written.
        entropy, log_probs: [R], [R, A], in nats, or of size 0 where they are not asked for.
    """
    cumulated = np.empty(actions, np.float64)
    keep = 1.0 - epsilon
    for i in range(rows):
        at, to = i * actions, place[i]
        weights = e[at : at + actions]
        total = 0.0
        for j in range(actions):
            total += weights[j]
            cumulated[j] = total
        added = epsilon * total / actions
        # the whole is computed as the last of those that it is compared with, so that it exceeds its share
        bar, chosen = uniform[to] * (keep * total + actions * added), 0
        for j in range(actions):
            chosen += keep * cumulated[j] + (j + 1) * added <= bar
        log_total = np.log(total)
        action[to] = chosen
        log_prob[to] = log_prob_of(z[at + chosen], weights[chosen], keep, added, total, log_total)
        if entropy.size:
            nats = 0.0
            for j in range(actions):
                share = (keep * weights[j] + added) / total
                if share != 0.0:
                    nats -= share * log_prob_of(z[at + j], weights[j], keep, added, total, log_total)
            entropy[to] = nats
        if log_probs.size:
            for j in range(actions):
                log_probs[to, j] = log_prob_of(z[at + j], weights[j], keep, added, total, log_total)


@compiled
def tell(
    q: Array,
    stride: int,
    actions: int,
    rows: int,
    temperature: float,
    epsilon: float,
    place: Places,
    z: Array,
    e: Array,
    log_probs: Array,
) -> None:
    """Log-probabilities of all actions of each row of values `stride` apart into `log_probs[place]`.

    The bits are those that `draw` gives, from arithmetic action by action, for all rows at once; `z` and `e` are spare.
    """
    scale, keep = np.float32(1.0 / temperature), 1.0 - epsilon
    most, total = np.empty(rows, np.float32), np.zeros(rows, np.float64)
    for i in range(rows):
        row = q[i * stride : i * stride + actions]
        for j in range(actions):
            z[j * rows + i] = row[j]
    most[:] = z[:rows]
    for j in range(1, actions):
        column = z[j * rows : (j + 1) * rows]
        for i in range(rows):
            most[i] = column[i] if column[i] > most[i] else most[i]
    for j in range(actions):
        column = z[j * rows : (j + 1) * rows]
        for i in range(rows):
            column[i] = (column[i] - most[i]) * scale
    exponentials(z, e, rows * actions)
    for j in range(actions):
        column = e[j * rows : (j + 1) * rows]
        for i in range(rows):
            total[i] += column[i]
    for i in range(rows):
        to, added, log_total = log_probs[place[i]], epsilon * total[i] / actions, np.log(total[i])
        for j in range(actions):
            at = j * rows + i
            to[j] = log_prob_of(z[at], e[at], keep, added, total[i], log_total)


@compiled
def expect(
    e: Array,
    values: Array,
    stride: int,
    actions: int,
    rows: int,
    epsilon: float,
    place: Places,
    out: Array,
) -> None:
    """sum_a pi(a) value(a) of each row into `out[place]`: weights `e` of `tempered`, values `stride` apart."""
    for i in range(rows):
        total = weighted = plain = 0.0
        weights, row = e[i * actions : (i + 1) * actions], values[i * stride : i * stride + actions]
        for j in range(actions):
            weight, value = np.float64(weights[j]), np.float64(row[j])
            total += weight
            weighted += weight * value
            plain += value
        out[place[i]] = (1.0 - epsilon) * weighted / total + epsilon * plain / actions
