"""Layers of small networks with ReLU between them as compiled loops over a chunk of rows, for the processor.

A chunk goes through all layers, or back through them, while it is in the cache. Weights, biases, hidden layers' outputs
and gradients are flat arrays, layer after layer, in the blocks that `tiles` asks for: `block(in, out)` entries of
weights, `filled(out, COLUMNS)` of biases, CHUNK times that of outputs; what fills up is zero.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.compiled import compiled
from mfmarl.core.tiles import COLUMNS, ROWS, Array, add_products, affine, affine_relu, filled

Places = NDArray[np.int64]
"""[CHUNK]: rows of agents, of which each network has every step's own."""
CHUNK = 64
"""Rows at a time: 16 KiB of 64 columns."""
Stacked = tuple[Array, ...]
"""Of each layer the weights [K, in, out], or the biases [K, out], of K networks."""
Widths = NDArray[np.int64]
"""Inputs, units of the hidden layers, outputs."""


@compiled
def block(inputs: int, outputs: int) -> int:
    """Entries of a layer's weights."""
    return filled(inputs, ROWS) * filled(outputs, COLUMNS)


@compiled
def widths_of(weights: Stacked) -> Widths:
    """Of the stacked networks."""
    widths = np.empty(len(weights) + 1, np.int64)
    for layer in range(len(weights)):
        widths[layer], widths[layer + 1] = weights[layer].shape[1:]
    return widths


@compiled
def hidden_units(widths: Widths) -> int:
    """Entries of a row in all hidden layers."""
    units = 0
    for layer in range(1, widths.size - 1):
        units += filled(widths[layer], COLUMNS)
    return units


@compiled
def weights_of(weights: Stacked, widths: Widths, k: int) -> Array:
    """The weights of network k."""
    entries = 0
    for layer in range(len(weights)):
        entries += block(widths[layer], widths[layer + 1])
    out = np.zeros(entries, np.float32)
    at = 0
    for layer in range(len(weights)):
        inputs, outputs = widths[layer], widths[layer + 1]
        for i in range(inputs):
            row = at + i * filled(outputs, COLUMNS)
            for j in range(outputs):
                out[row + j] = weights[layer][k, i, j]
        at += block(inputs, outputs)
    return out


@compiled
def transposed_of(weights: Stacked, widths: Widths, k: int) -> Array:
    """The transposed weights of network k: `block(out, in)` a layer."""
    entries = 0
    for layer in range(len(weights)):
        entries += block(widths[layer + 1], widths[layer])
    out = np.zeros(entries, np.float32)
    at = 0
    for layer in range(len(weights)):
        inputs, outputs = widths[layer], widths[layer + 1]
        for j in range(outputs):
            row = at + j * filled(inputs, COLUMNS)
            for i in range(inputs):
                out[row + i] = weights[layer][k, i, j]
        at += block(outputs, inputs)
    return out


@compiled
def biases_of(biases: Stacked, widths: Widths, k: int) -> Array:
    """The biases of network k."""
    out = np.zeros(hidden_units(widths) + filled(widths[-1], COLUMNS), np.float32)
    at = 0
    for layer in range(len(biases)):
        for j in range(widths[layer + 1]):
            out[at + j] = biases[layer][k, j]
        at += filled(widths[layer + 1], COLUMNS)
    return out


@compiled
def places(agents: int, low: int, number: int, begin: int, place: Places, rows: int) -> None:
    """Where rows begin..begin+rows of agents low..low+number stand among those of all `agents`, step by step."""
    step, agent = divmod(begin, number)
    for i in range(rows):
        place[i] = step * agents + low + agent
        agent += 1
        if agent == number:
            step, agent = step + 1, 0


@compiled
def fill(x: Array, stride: int, first: Array, second: Array, place: Places, rows: int) -> None:
    """Put the rows at `place` of [R, a] beside those of [R, b] into `x`, `stride` apart; the rest is left alone."""
    a, b = first.shape[1], second.shape[1]
    for i in range(rows):
        # views of rows, since an index that is computed may be negative and is then counted from the end
        source, to = first[place[i]], x[i * stride : i * stride + a]
        for j in range(a):
            to[j] = source[j]
        source, to = second[place[i]], x[i * stride + a : i * stride + a + b]
        for j in range(b):
            to[j] = source[j]


@compiled
def copy_rows(x: Array, stride: int, source: Array, begin: int, rows: int) -> None:
    """Put rows begin..begin+rows of `source` [R, width] into `x`, `stride` apart; what fills them up is left alone."""
    for i in range(rows):
        row, to = source[begin + i], x[i * stride : i * stride + source.shape[1]]
        for j in range(to.size):
            to[j] = row[j]


@compiled
def through_hidden(widths: Widths, weights: Array, biases: Array, x: Array, hidden: Array, rows: int) -> None:
    """Rows `x` through all layers but the last; hidden layers' outputs stand in `hidden`."""
    source, at, to, w, b = x, 0, 0, 0, 0
    for layer in range(widths.size - 2):
        depth, units = widths[layer], filled(widths[layer + 1], COLUMNS)
        stride = filled(depth, COLUMNS)
        affine_relu(source, at, stride, depth, weights, w, biases, b, units, hidden, to, rows)
        source, at = hidden, to
        to += CHUNK * units
        w += block(depth, units)
        b += units


@compiled
def through(widths: Widths, weights: Array, biases: Array, x: Array, hidden: Array, y: Array, rows: int) -> None:
    """Rows `x` through all layers into `y`."""
    through_hidden(widths, weights, biases, x, hidden, rows)
    depth, units = widths[-2], filled(widths[-1], COLUMNS)
    w, b = weights.size - block(depth, units), biases.size - units
    source, at, stride = last_inputs(widths, x, hidden)
    affine(source, at, stride, depth, weights, w, biases, b, units, y, 0, rows)


@compiled
def spaces(widths: Widths) -> tuple[Array, Array, Array, Places]:
    """Of a chunk: inputs, the hidden layers' outputs, outputs, and its rows of agents."""
    stride, units = filled(widths[0], COLUMNS), filled(widths[-1], COLUMNS)
    x, y = np.zeros(CHUNK * stride, np.float32), np.empty(CHUNK * units, np.float32)
    return x, np.empty(CHUNK * hidden_units(widths), np.float32), y, np.empty(CHUNK, np.int64)


@compiled
def outputs(
    widths: Widths, weights: Array, biases: Array, agents: int, types: Places, begin: int, first: Array, second: Array,
    x: Array, hidden: Array, y: Array, place: Places,
) -> int:  # fmt: skip
    """[R, a] and [R, b], agents step by step -> `y` of rows from `begin` on of agents types[0]..types[1]; how many."""
    low, number = types[0], types[1] - types[0]
    rows: int = min(CHUNK, first.shape[0] // agents * number - begin)
    places(agents, low, number, begin, place, rows)
    fill(x, filled(widths[0], COLUMNS), first, second, place, rows)
    through(widths, weights, biases, x, hidden, y, rows)
    return rows


@compiled
def last_inputs(widths: Widths, x: Array, hidden: Array) -> tuple[Array, int, int]:
    """What the last layer reads: (array, where it starts, how far rows lie apart)."""
    stride = filled(widths[-2], COLUMNS)
    if widths.size == 2:
        return x, 0, stride
    return hidden, CHUNK * (hidden_units(widths) - stride), stride


@compiled
def back(
    widths: Widths,
    transposed: Array,
    x: Array,
    hidden: Array,
    gradient: Array,
    top: int,
    rows: int,
    to_weights: Array,
    to_biases: Array,
    spare: Array,
) -> None:
    """Add the gradients of weights and biases of layers 0..top.

    Args:
        gradient: of the outputs of layer `top` before its ReLU: the first rows of `spare`, or another array.
        spare: [2, CHUNK * widest layer], written to in turns, the second part first.
    """
    nothing = np.zeros(spare.size // (2 * CHUNK), np.float32)
    w = b = t = start = 0
    for layer in range(top):
        inputs, outputs = widths[layer], widths[layer + 1]
        w += block(inputs, outputs)
        t += block(outputs, inputs)
        b += filled(outputs, COLUMNS)
        start += CHUNK * filled(outputs, COLUMNS)
    g, at = gradient, 0
    for down in range(top + 1):
        layer = top - down
        inputs, outputs = widths[layer], widths[layer + 1]
        stride, units = filled(inputs, COLUMNS), filled(outputs, COLUMNS)
        start -= CHUNK * stride
        source, source_at = (hidden, start) if layer > 0 else (x, 0)
        add_products(source, source_at, stride, inputs, g, at, units, to_weights, w, rows)
        sums = to_biases[b : b + units]
        for i in range(rows):
            row = g[at + i * units : at + (i + 1) * units]
            for j in range(units):
                sums[j] += row[j]
        if layer > 0:
            turn = spare.size // 2 if down % 2 == 0 else 0
            affine(g, at, units, outputs, transposed, t, nothing, 0, stride, spare, turn, rows)
            below, on = spare[turn : turn + rows * stride], hidden[start : start + rows * stride]
            for i in range(below.size):
                below[i] = below[i] if on[i] > 0 else np.float32(0)
            g, at = spare, turn
            w -= block(widths[layer - 1], inputs)
            t -= block(inputs, widths[layer - 1])
            b -= stride
