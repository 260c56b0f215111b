"""Small stacked networks on the processor: their outputs, and the gradients that they are trained with.

A layer of 64 units over a thousand rows is a fifth of a millisecond of arithmetic; PyTorch spends as long again on
calls, on its graph and on passes over memory. Arithmetic is float32 in a fixed order, so results repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.compiled import compiled
from mfmarl.core.layers import (
    CHUNK,
    Stacked,
    Widths,
    back,
    biases_of,
    copy_rows,
    hidden_units,
    outputs,
    spaces,
    through,
    transposed_of,
    weights_of,
    widths_of,
)
from mfmarl.core.tiles import COLUMNS, ROWS, Array, filled


@compiled
def _infer(
    weights: Stacked, biases: Stacked, types: NDArray[np.int64], agents: int, first: Array, second: Array, out: Array
) -> None:
    """[R, a] and [R, b], agents step by step, -> [R, A]: agents types[k, 0]..types[k, 1] through network k."""
    widths = widths_of(weights)
    units = filled(widths[-1], COLUMNS)
    x, hidden, y, place = spaces(widths)
    for k in range(types.shape[0]):
        w, b = weights_of(weights, widths, k), biases_of(biases, widths, k)
        for begin in range(0, first.shape[0] // agents * (types[k, 1] - types[k, 0]), CHUNK):
            rows = outputs(widths, w, b, agents, types[k], begin, first, second, x, hidden, y, place)
            for i in range(rows):
                for j in range(out.shape[1]):
                    out[place[i], j] = y[i * units + j]


@compiled
def widest(widths: Widths) -> int:
    return filled(widths.max(), COLUMNS)


@compiled
def _forward(weights: Stacked, biases: Stacked, k: int, rows: Array, kept: Array, out: Array) -> None:
    """[R, in] -> [R, A], keeping the hidden layers' outputs in `kept` [chunks, CHUNK * hidden_units]."""
    widths = widths_of(weights)
    stride, units = filled(widths[0], COLUMNS), filled(widths[-1], COLUMNS)
    x, y = np.zeros(CHUNK * stride, np.float32), np.empty(CHUNK * units, np.float32)
    w, b = weights_of(weights, widths, k), biases_of(biases, widths, k)
    for chunk in range(kept.shape[0]):
        begin = chunk * CHUNK
        m = min(CHUNK, rows.shape[0] - begin)
        copy_rows(x, stride, rows, begin, m)
        through(widths, w, b, x, kept[chunk], y, m)
        for i in range(m):
            for j in range(out.shape[1]):
                out[begin + i, j] = y[i * units + j]


@compiled
def _backward(
    weights: Stacked, k: int, rows: Array, kept: Array, gradient: Array, to_weights: Stacked, to_biases: Stacked
) -> None:
    """Add the gradients of network k's weights and biases, from those of the outputs [R, A]."""
    widths = widths_of(weights)
    stride, units = filled(widths[0], COLUMNS), filled(widths[-1], COLUMNS)
    x, y = np.zeros(CHUNK * stride, np.float32), np.zeros(CHUNK * units, np.float32)
    transposed = transposed_of(weights, widths, k)
    gw, gb = np.zeros_like(weights_of(weights, widths, k)), np.zeros(hidden_units(widths) + units, np.float32)
    spare = np.empty(2 * CHUNK * widest(widths), np.float32)
    for chunk in range(kept.shape[0]):
        begin = chunk * CHUNK
        m = min(CHUNK, rows.shape[0] - begin)
        copy_rows(x, stride, rows, begin, m)
        copy_rows(y, units, gradient, begin, m)
        back(widths, transposed, x, kept[chunk], y, widths.size - 2, m, gw, gb, spare)
    add_blocks(widths, gw, gb, k, to_weights, to_biases)


@compiled
def add_blocks(widths: Widths, gw: Array, gb: Array, k: int, to_weights: Stacked, to_biases: Stacked) -> None:
    """Add gradients in blocks to those of network k."""
    w = b = 0
    for layer in range(len(to_weights)):
        units = filled(widths[layer + 1], COLUMNS)
        for i in range(widths[layer]):
            for j in range(widths[layer + 1]):
                to_weights[layer][k, i, j] += gw[w + i * units + j]
        for j in range(widths[layer + 1]):
            to_biases[layer][k, j] += gb[b + j]
        w += filled(widths[layer], ROWS) * units
        b += units


def arrays(tensors: Sequence[Tensor]) -> Any:
    """As compiled loops take them."""
    return tuple(t.detach().numpy() for t in tensors)


def inputs_of(parts: Sequence[Tensor], types: Sequence[slice]) -> tuple[NDArray[np.int64], int, Array, Array]:
    """[R, N, a] (and [R, N, b]) as compiled loops take them: agents of each network [K, 2], N, [R N, a], [R N, b].

    Raises:
        ValueError: for other agents than the networks are for; loops would write past the end of their arrays.
    """
    if types[-1].stop != parts[0].shape[1]:
        raise ValueError(f"these networks are for {types[-1].stop} agents; got rows of {parts[0].shape[1]}")
    first = np.ascontiguousarray(parts[0].numpy())
    second = np.ascontiguousarray(parts[1].numpy()) if len(parts) > 1 else np.empty((*first.shape[:2], 0), np.float32)
    agents, rows = first.shape[1], first.shape[0] * first.shape[1]
    bounds = np.array([(t.start, t.stop) for t in types], np.int64)
    return bounds, agents, first.reshape(rows, -1), second.reshape(rows, second.shape[2])


def infer(
    weights: Sequence[Tensor], biases: Sequence[Tensor], parts: Sequence[Tensor], types: Sequence[slice]
) -> Tensor:
    """[R, N, a] (and [R, N, b]) -> [R, N, A]: the agents of type k through network k; no gradients.

    Args:
        weights, biases: of each layer, stacked: [K, in, out] and [K, out].
    """
    inputs = inputs_of(parts, types)
    out = np.empty((inputs[2].shape[0], weights[-1].shape[2]), np.float32)
    _infer(arrays(weights), arrays(biases), *inputs, out)
    return torch.from_numpy(out.reshape(*parts[0].shape[:2], -1))


def differentiable(weights: Sequence[Tensor], biases: Sequence[Tensor], rows: Sequence[Tensor]) -> list[Tensor]:
    """For each network k its rows [R_k, in] -> [R_k, A], with gradients for weights and biases, not for the rows."""
    outputs: tuple[Tensor, ...] = _Stacked.apply(len(weights), *weights, *biases, *rows)  # type: ignore[no-untyped-call]
    return list(outputs)


class _Stacked(torch.autograd.Function):
    """All networks as one node of PyTorch's graph."""

    @staticmethod
    def forward(context: Any, layers: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        """`tensors`: weights, biases, and each network's rows."""
        weights, biases, rows = tensors[:layers], tensors[layers : 2 * layers], tensors[2 * layers :]
        units = sum(filled(w.shape[2], COLUMNS) for w in weights[:-1])
        hidden, outputs = [], []
        for k, x in enumerate(rows):
            kept = np.empty((-(-x.shape[0] // CHUNK), CHUNK * units), np.float32)
            out = np.empty((x.shape[0], weights[-1].shape[2]), np.float32)
            _forward(arrays(weights), arrays(biases), k, np.ascontiguousarray(x.detach().numpy()), kept, out)
            hidden.append(torch.from_numpy(kept))
            outputs.append(torch.from_numpy(out))
        context.layers = layers
        context.save_for_backward(*weights, *biases, *rows, *hidden)
        return tuple(outputs)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Any, ...]:
        """Gradients of weights and biases; None for the rows."""
        layers: int = context.layers
        saved, networks = context.saved_tensors, len(gradients)
        weights, biases = saved[:layers], saved[layers : 2 * layers]
        rows, hidden = saved[2 * layers : 2 * layers + networks], saved[2 * layers + networks :]
        to_weights = [torch.zeros_like(w) for w in weights]
        to_biases = [torch.zeros_like(b) for b in biases]
        for k, gradient in enumerate(gradients):
            _backward(
                arrays(weights), k, np.ascontiguousarray(rows[k].numpy()), hidden[k].numpy(),
                np.ascontiguousarray(gradient.numpy()), arrays(to_weights), arrays(to_biases),
            )  # fmt: skip
        return (None, *to_weights, *to_biases, *([None] * networks))
