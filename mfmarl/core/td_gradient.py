"""The temporal-difference loss of stacked networks and its gradient in one compiled pass there and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.compiled import compiled, reordered
from mfmarl.core.layers import (
    CHUNK,
    Stacked,
    back,
    biases_of,
    block,
    fill,
    hidden_units,
    last_inputs,
    places,
    through_hidden,
    transposed_of,
    weights_of,
    widths_of,
)
from mfmarl.core.perceptron import add_blocks, arrays, inputs_of, widest
from mfmarl.core.tiles import COLUMNS, Array, filled


@reordered
def _dot(a: Array, b: Array) -> np.float32:
    total = np.float32(0)
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@compiled
def _td(
    weights: Stacked,
    biases: Stacked,
    types: NDArray[np.int64],
    agents: int,
    first: Array,
    second: Array,
    action: NDArray[np.int64],
    target: Array,
    weight: Array,
    huber: bool,
    error: Array,
    to_weights: Stacked,
    to_biases: Stacked,
) -> float:
    """There and back for the weighted TD loss of all networks' rows; returns the loss, writes the errors [R].

    Only the value of the action that was played has a gradient, so the last layer is one column of it a row.
    """
    widths, count = widths_of(weights), first.shape[0]
    layers, stride = len(weights), filled(widths[0], COLUMNS)
    x, hidden = np.zeros(CHUNK * stride, np.float32), np.empty(CHUNK * hidden_units(widths), np.float32)
    spare, place = np.empty(2 * CHUNK * widest(widths), np.float32), np.empty(CHUNK, np.int64)
    units = filled(widths[-2], COLUMNS)
    loss: float = 0.0
    for k in range(types.shape[0]):
        low, number = types[k, 0], types[k, 1] - types[k, 0]
        w, b = weights_of(weights, widths, k), biases_of(biases, widths, k)
        transposed = transposed_of(weights, widths, k)
        gw, gb = np.zeros_like(w), np.zeros_like(b)
        # the last layer by actions: [A, units]
        columns = transposed[transposed.size - block(widths[-1], widths[-2]) :]
        to_columns, last, to_last = np.zeros_like(columns), biases[layers - 1][k], to_biases[layers - 1][k]
        total = count // agents * number
        for begin in range(0, total, CHUNK):
            rows = min(CHUNK, total - begin)
            places(agents, low, number, begin, place, rows)
            fill(x, stride, first, second, place, rows)
            through_hidden(widths, w, b, x, hidden, rows)
            source, at, _ = last_inputs(widths, x, hidden)
            for i in range(rows):
                row = place[i]
                a = action[row]
                h = source[at + i * units : at + (i + 1) * units]
                column, to_column = columns[a * units : (a + 1) * units], to_columns[a * units : (a + 1) * units]
                e = _dot(h, column) + last[a] - target[row]
                error[row] = e
                size, given = abs(e), weight[row]
                if huber and size > 1:
                    loss += given * (size - np.float32(0.5))
                    slope = np.float32(1) if e > 0 else np.float32(-1)
                else:
                    loss += given * np.float32(0.5) * e * e
                    slope = e
                g = np.float32(given * slope / count)
                to_last[a] += g
                below = spare[i * units : (i + 1) * units]
                for j in range(units):
                    to_column[j] += g * h[j]
                    below[j] = g * column[j] if h[j] > 0 else np.float32(0)
            if layers > 1:
                back(widths, transposed, x, hidden, spare, layers - 2, rows, gw, gb, spare)
        to = to_weights[layers - 1]
        for a in range(widths[-1]):
            for j in range(widths[-2]):
                to[k, j, a] += to_columns[a * units + j]
        add_blocks(widths, gw, gb, k, to_weights, to_biases)
    return float(loss / count)


@dataclass(frozen=True)
class TDSteps:
    """M population steps of N agents, for `TDGradient`; inputs of the networks are `obs` beside `given`."""

    obs: Tensor
    """[M, N, D]"""
    given: Tensor
    """[M, N, F]"""
    action: Tensor
    """int64 [M, N]"""
    target: Tensor
    """[M, N]"""
    weight: Tensor
    """[M, N], of the squared errors."""

    def part(self, i: int, parts: int) -> TDSteps:
        """The i-th of `parts` equal parts, without copying."""
        n = self.target.shape[0] // parts
        cut = slice(i * n, (i + 1) * n)
        return TDSteps(self.obs[cut], self.given[cut], self.action[cut], self.target[cut], self.weight[cut])


class TDGradient:
    """The weighted TD loss of stacked networks and its gradient, both computed where the parameters lie.

    The loss is `weighted_mean(td_loss(error), weight, count)` with the number of rows as count; every row is taken
    through its network and back while it is in the cache.
    """

    def __init__(
        self,
        weights: Sequence[Tensor],
        biases: Sequence[Tensor],
        to_weights: Sequence[Tensor],
        to_biases: Sequence[Tensor],
        types: Sequence[slice],
        *,
        huber: bool,
    ) -> None:
        """Args:
        weights, biases: of each layer, stacked: [K, in, out] and [K, out]; read where they are at every call.
        to_weights, to_biases: stacked likewise; the gradients are added there.
        types: the agents of each network.
        """
        self._network = arrays(weights), arrays(biases)
        self._gradient = arrays(to_weights), arrays(to_biases)
        self._types = types
        self._huber = huber

    def __call__(self, steps: TDSteps) -> tuple[float, Tensor]:
        """The loss, and the errors [M, N]."""
        types, agents, first, second = inputs_of((steps.obs, steps.given), self._types)
        action, target, weight = (t.reshape(-1).numpy() for t in (steps.action, steps.target, steps.weight))
        error = np.empty(target.size, np.float32)
        (weights, biases), (to_weights, to_biases) = self._network, self._gradient
        loss = _td(
            weights, biases, types, agents, first, second, action, target, weight, self._huber, error, to_weights,
            to_biases,
        )  # fmt: skip
        return loss, torch.from_numpy(error).view(steps.target.shape)
