"""Layers of small networks as compiled loops over some hundred rows, for the processor.

A layer of 64 units over a thousand rows is a fifth of a millisecond of arithmetic; PyTorch spends as long again on
calls, on its graph and on passes over memory. Here a chunk of rows goes through all layers, or back through them,
while it is in the cache, and products are BLAS calls. Arithmetic is float32 in a fixed order, so results repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg.cython_blas  # noqa: F401  numba calls its products; loaded here, so that its threads can be limited
import threadpoolctl
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.compiled import compiled

# threads that share products this small wait for each other longer than they compute
threadpoolctl.threadpool_limits(limits=1, user_api="blas")

Array = NDArray[np.float32]
CHUNK = 512
"""Rows at a time: activations of 64 units then take 128 KiB a layer."""


def _layers(
    weights: tuple[Array, ...], biases: tuple[Array, ...], h: Array, hidden: Array, out: Array, at: int
) -> None:
    """Rows `h` [m, in] through all layers into `out` [m, A]; hidden layers' outputs stand in `hidden`, one block each.

    `hidden` is flat; the block of a layer of width u is its next [rows, u], of which rows at..at+m are written.
    """
    m = h.shape[0]
    rows = hidden.size // _width(weights)
    start = 0
    for layer in range(len(weights)):
        u = weights[layer].shape[1]
        last = layer == len(weights) - 1
        to = out if last else hidden[start : start + rows * u].reshape(rows, u)[at : at + m]
        np.dot(h, weights[layer], to)
        bias = biases[layer]
        for i in range(m):
            for j in range(u):
                v = to[i, j] + bias[j]
                to[i, j] = v if last or v > 0 else np.float32(0)
        h = to
        start += rows * u


def _width(weights: tuple[Array, ...]) -> int:
    """Units of all hidden layers together."""
    units = 0
    for layer in range(len(weights) - 1):
        units += weights[layer].shape[1]
    return max(1, units)


_width = compiled(_width)
_layers = compiled(_layers)


@compiled
def _infer(
    weights: tuple[Array, ...],
    biases: tuple[Array, ...],
    first: Array,
    second: Array,
    agents: tuple[int, int],
    out: Array,
) -> None:
    """[R, N, a] and [R, N, b] -> [R, N, A] for the agents of one network."""
    low, high = agents
    number = high - low
    a, b, actions = first.shape[2], second.shape[2], out.shape[2]
    x = np.empty((CHUNK, a + b), np.float32)
    y = np.empty((CHUNK, actions), np.float32)
    hidden = np.empty(CHUNK * _width(weights), np.float32)
    total = first.shape[0] * number
    for begin in range(0, total, CHUNK):
        m = min(CHUNK, total - begin)
        for i in range(m):
            step, agent = divmod(begin + i, number)
            for j in range(a):
                x[i, j] = first[step, low + agent, j]
            for j in range(b):
                x[i, a + j] = second[step, low + agent, j]
        _layers(weights, biases, x[:m], hidden, y[:m], 0)
        for i in range(m):
            step, agent = divmod(begin + i, number)
            for j in range(actions):
                out[step, low + agent, j] = y[i, j]


@compiled
def _forward(weights: tuple[Array, ...], biases: tuple[Array, ...], rows: Array, hidden: Array, out: Array) -> None:
    """[R, in] -> [R, A], keeping the hidden layers' outputs in `hidden`."""
    for begin in range(0, rows.shape[0], CHUNK):
        end = min(begin + CHUNK, rows.shape[0])
        _layers(weights, biases, rows[begin:end], hidden, out[begin:end], begin)


@compiled
def _back(
    weights: tuple[Array, ...],
    x: Array,
    hidden: Array,
    at: int,
    gradient: Array,
    to_weights: tuple[Array, ...],
    to_biases: tuple[Array, ...],
    buffers: Array,
) -> None:
    """Add the gradients of the weights [in, out] and biases [out] that rows at..at+m of `_layers` have part in.

    `x` [m, in] are the rows, `gradient` [m, A] is that of their outputs; `buffers` [2, room] are written to in turns.
    """
    m = x.shape[0]
    rows = hidden.size // _width(weights)
    layers = len(weights)
    start = hidden.size
    g = gradient
    for back in range(layers):
        layer = layers - 1 - back
        u = weights[layer].shape[0]
        if layer > 0:
            start -= rows * u
            h = hidden[start : start + rows * u].reshape(rows, u)[at : at + m]
        else:
            h = x
        product = np.dot(h.T, g)
        to = to_weights[layer]
        for i in range(to.shape[0]):
            for j in range(to.shape[1]):
                to[i, j] += product[i, j]
        bias = to_biases[layer]
        for i in range(m):
            for j in range(g.shape[1]):
                bias[j] += g[i, j]
        if layer > 0:
            below = buffers[back % 2][: m * u].reshape(m, u)
            np.dot(g, weights[layer].T, below)
            for i in range(m):
                for j in range(u):
                    below[i, j] = below[i, j] if h[i, j] > 0 else np.float32(0)
            g = below


@compiled
def _widest(weights: tuple[Array, ...]) -> int:
    units = 0
    for layer in range(len(weights)):
        units = max(units, weights[layer].shape[0])
    return units


@compiled
def _backward(
    weights: tuple[Array, ...],
    rows: Array,
    hidden: Array,
    gradient: Array,
    to_weights: tuple[Array, ...],
    to_biases: tuple[Array, ...],
) -> None:
    """Gradients of all weights and biases from those of the outputs [R, A]; they were zeros before."""
    buffers = np.empty((2, CHUNK * _widest(weights)), np.float32)
    for begin in range(0, rows.shape[0], CHUNK):
        end = min(begin + CHUNK, rows.shape[0])
        _back(
            weights, rows[begin:end], hidden, begin, gradient[begin:end], to_weights, to_biases, buffers
        )


@compiled
def _td(
    weights: tuple[Array, ...],
    biases: tuple[Array, ...],
    rows: Array,
    action: NDArray[np.int64],
    target: Array,
    weight: Array,
    count: float,
    huber: bool,
    error: Array,
    to_weights: tuple[Array, ...],
    to_biases: tuple[Array, ...],
) -> float:
    """There and back for the weighted TD loss; returns this network's part of the loss, writes the errors [R]."""
    actions = biases[-1].shape[0]
    hidden = np.empty(CHUNK * _width(weights), np.float32)
    y = np.empty((CHUNK, actions), np.float32)
    buffers = np.empty((2, CHUNK * max(actions, _widest(weights))), np.float32)
    loss = 0.0
    for begin in range(0, rows.shape[0], CHUNK):
        m = min(CHUNK, rows.shape[0] - begin)
        x = rows[begin : begin + m]
        _layers(weights, biases, x, hidden, y[:m], 0)
        for i in range(m):
            k = action[begin + i]
            e = y[i, k] - target[begin + i]
            error[begin + i] = e
            w = weight[begin + i]
            size = abs(e)
            if huber and size > 1:
                loss += w * (size - np.float32(0.5))
                slope = np.float32(1) if e > 0 else np.float32(-1)
            else:
                loss += w * np.float32(0.5) * e * e
                slope = e
            for j in range(actions):
                y[i, j] = np.float32(0)
            y[i, k] = np.float32(w * slope / count)
        _back(weights, x, hidden, 0, y[:m], to_weights, to_biases, buffers)
    return loss / count


def _arrays(tensors: Sequence[Tensor], network: int) -> tuple[Any, ...]:
    return tuple(t.detach().numpy()[network] for t in tensors)


def infer(
    weights: Sequence[Tensor], biases: Sequence[Tensor], parts: Sequence[Tensor], types: Sequence[slice]
) -> Tensor:
    """[R, N, a] (and [R, N, b]) -> [R, N, A]: the agents of type k through network k; no gradients.

    Args:
        weights, biases: of each layer, stacked: [K, in, out] and [K, out].
    """
    first = np.ascontiguousarray(parts[0].numpy())
    second = np.ascontiguousarray(parts[1].numpy()) if len(parts) > 1 else np.empty((*first.shape[:2], 0), np.float32)
    out = np.empty((*first.shape[:2], weights[-1].shape[2]), np.float32)
    for k, agents in enumerate(types):
        _infer(_arrays(weights, k), _arrays(biases, k), first, second, (agents.start, agents.stop), out)
    return torch.from_numpy(out)


@dataclass(frozen=True)
class TDRows:
    """R agent steps of one network, for `TDGradient`."""

    inputs: Tensor
    """[R, in]"""
    action: Tensor
    """int64 [R, 1]"""
    target: Tensor
    """[R]"""
    weight: Tensor
    """[R]"""


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
        *,
        huber: bool,
    ) -> None:
        """Args:
        weights, biases: of each layer, stacked: [K, in, out] and [K, out]; read where they are at every call.
        to_weights, to_biases: stacked likewise; the gradients are added there.
        """
        self._networks = [
            tuple(_arrays(tensors, k) for tensors in (weights, biases, to_weights, to_biases))
            for k in range(biases[0].shape[0])
        ]
        self._huber = huber

    def __call__(self, rows: Sequence[TDRows]) -> tuple[float, Tensor]:
        """The loss, and the errors [R_1 + ... + R_K]."""
        count = sum(r.target.shape[0] for r in rows)
        error = np.empty(count, np.float32)
        loss, start = 0.0, 0
        for r, (weights, biases, to_weights, to_biases) in zip(rows, self._networks, strict=True):
            end = start + r.target.shape[0]
            loss += _td(
                weights, biases, r.inputs.numpy(), r.action.numpy().reshape(-1), r.target.numpy(), r.weight.numpy(),
                float(count), self._huber, error[start:end], to_weights, to_biases,
            )  # fmt: skip
            start = end
        return loss, torch.from_numpy(error)


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
        units = sum(w.shape[2] for w in weights[:-1])
        hidden, outputs = [], []
        for k, x in enumerate(rows):
            kept = np.empty(x.shape[0] * max(1, units), np.float32)
            out = np.empty((x.shape[0], weights[-1].shape[2]), np.float32)
            _forward(_arrays(weights, k), _arrays(biases, k), np.ascontiguousarray(x.detach().numpy()), kept, out)
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
                _arrays(weights, k),
                np.ascontiguousarray(rows[k].numpy()),
                hidden[k].numpy(),
                np.ascontiguousarray(gradient.numpy()),
                _arrays(to_weights, k),
                _arrays(to_biases, k),
            )
        return (None, *to_weights, *to_biases, *([None] * networks))
