"""Boltzmann policies of stacked networks on the processor: actions drawn, their laws, and values expected.

A chunk's action values go from the network's last layer to what is made of them while they are in the cache, so they
are never stored.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.compiled import compiled
from mfmarl.core.laws import Played
from mfmarl.core.layers import CHUNK, Stacked, biases_of, outputs, spaces, weights_of, widths_of
from mfmarl.core.perceptron import arrays, inputs_of
from mfmarl.core.softmax_rows import draw, expect, tell, tempered
from mfmarl.core.tiles import COLUMNS, Array, filled


@compiled
def _play(
    weights: Stacked,
    biases: Stacked,
    types: NDArray[np.int64],
    agents: int,
    first: Array,
    second: Array,
    temperature: float,
    epsilon: float,
    uniform: NDArray[np.float64],
    action: NDArray[np.int64],
    log_prob: Array,
    entropy: Array,
    log_probs: Array,
) -> None:
    """Networks as for `perceptron.infer`, then `softmax_rows.draw`."""
    widths = widths_of(weights)
    actions, units = widths[-1], filled(widths[-1], COLUMNS)
    x, hidden, y, place = spaces(widths)
    z, e = np.empty(CHUNK * actions, np.float32), np.empty(CHUNK * actions, np.float32)
    for k in range(types.shape[0]):
        w, b = weights_of(weights, widths, k), biases_of(biases, widths, k)
        for begin in range(0, first.shape[0] // agents * (types[k, 1] - types[k, 0]), CHUNK):
            rows = outputs(widths, w, b, agents, types[k], begin, first, second, x, hidden, y, place)
            tempered(y, units, actions, rows, temperature, z, e)
            draw(z, e, actions, rows, epsilon, place, uniform, action, log_prob, entropy, log_probs)


@compiled
def _laws(
    weights: Stacked,
    biases: Stacked,
    types: NDArray[np.int64],
    agents: int,
    first: Array,
    second: Array,
    temperature: float,
    epsilon: float,
    log_probs: Array,
) -> None:
    """Networks as for `perceptron.infer`, then `softmax_rows.tell`."""
    widths = widths_of(weights)
    actions, units = widths[-1], filled(widths[-1], COLUMNS)
    x, hidden, y, place = spaces(widths)
    z, e = np.empty(CHUNK * actions, np.float32), np.empty(CHUNK * actions, np.float32)
    for k in range(types.shape[0]):
        w, b = weights_of(weights, widths, k), biases_of(biases, widths, k)
        for begin in range(0, first.shape[0] // agents * (types[k, 1] - types[k, 0]), CHUNK):
            rows = outputs(widths, w, b, agents, types[k], begin, first, second, x, hidden, y, place)
            tell(y, units, actions, rows, temperature, epsilon, place, z, e, log_probs)


@compiled
def _expected(
    weights: Stacked,
    biases: Stacked,
    types: NDArray[np.int64],
    agents: int,
    first: Array,
    second: Array,
    temperature: float,
    epsilon: float,
    out: Array,
) -> None:
    """Networks as for `perceptron.infer`, then `softmax_rows.expect` of their own outputs."""
    widths = widths_of(weights)
    actions, units = widths[-1], filled(widths[-1], COLUMNS)
    x, hidden, y, place = spaces(widths)
    z, e = np.empty(CHUNK * actions, np.float32), np.empty(CHUNK * actions, np.float32)
    for k in range(types.shape[0]):
        w, b = weights_of(weights, widths, k), biases_of(biases, widths, k)
        for begin in range(0, first.shape[0] // agents * (types[k, 1] - types[k, 0]), CHUNK):
            rows = outputs(widths, w, b, agents, types[k], begin, first, second, x, hidden, y, place)
            tempered(y, units, actions, rows, temperature, z, e)
            expect(e, y, units, actions, rows, epsilon, place, out)


def play(
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    parts: Sequence[Tensor],
    types: Sequence[slice],
    *,
    temperature: float,
    epsilon: float,
    generator: torch.Generator,
    entropy: bool,
    log_probs: bool,
) -> Played:
    """One action each of the agents whose inputs are [R, N, a] (and [R, N, b]); one uniform number a draw."""
    inputs = inputs_of(parts, types)
    shape, actions = parts[0].shape[:2], weights[-1].shape[2]
    number = inputs[2].shape[0]
    uniform = torch.rand(number, generator=generator, dtype=torch.float64).numpy()
    action, log_prob = np.empty(number, np.int64), np.empty(number, np.float32)
    told = np.empty(number if entropy else 0, np.float32)
    laws = np.empty((number if log_probs else 0, actions), np.float32)
    _play(
        arrays(weights), arrays(biases), *inputs, temperature, epsilon, uniform, action, log_prob, told, laws
    )  # fmt: skip
    return Played(
        torch.from_numpy(action).view(shape),
        torch.from_numpy(log_prob).view(shape),
        torch.from_numpy(told).view(shape) if entropy else None,
        torch.from_numpy(laws).view(*shape, actions) if log_probs else None,
    )


def log_probs_of_all(
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    parts: Sequence[Tensor],
    types: Sequence[slice],
    *,
    temperature: float,
    epsilon: float,
) -> Tensor:
    """[R, N, A]: log pi(a) for every action a of the agents whose inputs are [R, N, a] (and [R, N, b])."""
    inputs = inputs_of(parts, types)
    out = np.empty((inputs[2].shape[0], weights[-1].shape[2]), np.float32)
    _laws(arrays(weights), arrays(biases), *inputs, temperature, epsilon, out)
    return torch.from_numpy(out).view(*parts[0].shape[:2], -1)


def expected_value(
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    parts: Sequence[Tensor],
    types: Sequence[slice],
    *,
    temperature: float,
    epsilon: float,
) -> Tensor:
    """[R, N]: sum_a pi(a) q(a) of the agents whose inputs are [R, N, a] (and [R, N, b])."""
    inputs = inputs_of(parts, types)
    out = np.empty(inputs[2].shape[0], np.float32)
    _expected(arrays(weights), arrays(biases), *inputs, temperature, epsilon, out)
    return torch.from_numpy(out).view(parts[0].shape[:2])
