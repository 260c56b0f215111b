"""Products of small matrices in the registers of the processor, for numba.

A BLAS first copies both factors into the order its kernel reads; for 64 columns that costs as much as the product.
Here a tile of the result, 4 rows by 16 columns (8 of float64), stays in registers while both factors are read where
they lie, so they should fit the first-level cache: 64 rows at a time. Matrices are flat arrays, told by where they
start and by how far their rows lie apart, so that parts and transposes cost nothing. Rows are filled up to a multiple
of `ROWS`, columns to one of `COLUMNS` (`WIDE_COLUMNS`). The order of additions depends on the shapes alone, so results
repeat.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from envs.compiled import compiled

Array = NDArray[np.float32]
Wide = NDArray[np.float64]
ROWS, LANES, VECTORS = 4, 8, 2
COLUMNS = LANES * VECTORS
WIDE_LANES = 4
WIDE_COLUMNS = WIDE_LANES * VECTORS
"""Of float64."""


def _tile(relu: bool, *, wide: bool = False) -> Any:
    """An intrinsic: one tile of `out = start + a b` (of its positive part with `relu`), `wide` for float64."""
    lanes, element, size = (WIDE_LANES, ir.DoubleType(), 8) if wide else (LANES, ir.FloatType(), 4)
    number, vector = ir.IntType(64), ir.VectorType(element, lanes)
    undefined = ir.Constant(vector, ir.Undefined)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def pointer(i: int) -> Any:
            """Of the array i-th among the arguments, at the offset that follows it."""
            data = context.make_array(signature.args[i])(context, builder, arguments[i]).data
            return builder.gep(data, [arguments[i + 1]])

        def vector_at(base: Any, row_stride: Any, row: int, column: int) -> Any:
            offset = builder.add(builder.mul(row_stride, number(row)), number(lanes * column))
            return builder.bitcast(builder.gep(base, [offset]), vector.as_pointer())

        def load(base: Any, row_stride: Any, row: int, column: int) -> Any:
            return builder.load(vector_at(base, row_stride, row, column), align=size)

        def spread(scalar: Any) -> Any:
            """The same in all lanes."""
            one = builder.insert_element(undefined, scalar, ir.IntType(32)(0))
            mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
            return builder.shuffle_vector(one, undefined, mask)

        out, out_stride = pointer(0), arguments[2]
        start, start_stride = pointer(3), arguments[5]
        a, a_stride, a_step = pointer(6), arguments[8], arguments[9]
        b, b_stride, depth = pointer(10), arguments[12], arguments[13]
        # fused where the processor can, else a product and a sum
        kind = ir.FunctionType(vector, [vector] * 3)
        multiply_add = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{lanes}f{8 * size}")
        places = [(row, column) for row in range(ROWS) for column in range(VECTORS)]
        first = {place: load(start, start_stride, *place) for place in places}
        before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
        builder.branch(loop)
        builder.position_at_end(loop)
        k = builder.phi(number)
        sums = {place: builder.phi(vector) for place in places}
        b_row, a_column = builder.gep(b, [builder.mul(k, b_stride)]), builder.gep(a, [builder.mul(k, a_step)])
        right = [load(b_row, b_stride, 0, column) for column in range(VECTORS)]
        added = {}
        for row in range(ROWS):
            left = spread(builder.load(builder.gep(a_column, [builder.mul(a_stride, number(row))])))
            for column in range(VECTORS):
                added[row, column] = builder.call(multiply_add, [left, right[column], sums[row, column]])
        following = builder.add(k, number(1))
        k.add_incoming(number(0), before)
        k.add_incoming(following, loop)
        for place in places:
            sums[place].add_incoming(first[place], before)
            sums[place].add_incoming(added[place], loop)
        builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
        builder.position_at_end(after)
        nothing = ir.Constant(vector, [0.0] * lanes)
        for place in places:
            value = added[place]
            if relu:
                # a nan is not below zero, so it stays
                value = builder.select(builder.fcmp_ordered("<", value, nothing), nothing, value)
            builder.store(value, vector_at(out, out_stride, *place), align=size)
        return context.get_dummy_value()

    @intrinsic  # type: ignore[untyped-decorator]
    def tile(
        typing: Any, out: Any, out_at: Any, out_stride: Any, start: Any, start_at: Any, start_stride: Any,
        a: Any, a_at: Any, a_stride: Any, a_step: Any, b: Any, b_at: Any, b_stride: Any, depth: Any,
    ) -> Any:  # fmt: skip
        n = types.intp
        return types.void(out, n, n, start, n, n, a, n, n, n, b, n, n, n), generate

    return tile


_plain, _relu, _wide = _tile(relu=False), _tile(relu=True), _tile(relu=False, wide=True)


@compiled
def filled(number: int, to: int) -> int:
    """The next multiple of `to`."""
    return (number + to - 1) // to * to


@compiled
def affine(
    x: Array, x_at: int, x_stride: int, depth: int, w: Array, w_at: int, bias: Array, bias_at: int, units: int,
    out: Array, out_at: int, rows: int,
) -> None:  # fmt: skip
    """out = x w + bias, for `rows` rows of x filled up: [rows, depth] x [depth, units] + [units]."""
    for i in range(0, rows, ROWS):
        for j in range(0, units, COLUMNS):
            _plain(
                out, out_at + i * units + j, units, bias, bias_at + j, 0,
                x, x_at + i * x_stride, x_stride, 1, w, w_at + j, units, depth,
            )  # fmt: skip


@compiled
def affine_relu(
    x: Array, x_at: int, x_stride: int, depth: int, w: Array, w_at: int, bias: Array, bias_at: int, units: int,
    out: Array, out_at: int, rows: int,
) -> None:  # fmt: skip
    """The positive part of `affine`; nan stays nan."""
    for i in range(0, rows, ROWS):
        for j in range(0, units, COLUMNS):
            _relu(
                out, out_at + i * units + j, units, bias, bias_at + j, 0,
                x, x_at + i * x_stride, x_stride, 1, w, w_at + j, units, depth,
            )  # fmt: skip


@compiled
def add_products(
    x: Array, x_at: int, x_stride: int, width: int, g: Array, g_at: int, units: int, out: Array, out_at: int, rows: int
) -> None:
    """out += x' g: [rows, width]' x [rows, units], with `width` filled up to a multiple of ROWS."""
    for i in range(0, width, ROWS):
        for j in range(0, units, COLUMNS):
            at = out_at + i * units + j
            _plain(out, at, units, out, at, units, x, x_at + i, 1, x_stride, g, g_at + j, units, rows)


@compiled
def wide_products(
    a: Wide, a_stride: int, a_step: int, depth: int, b: Wide, b_at: int, b_stride: int, out: Wide, out_at: int,
    out_stride: int, rows: int, columns: int,
) -> None:  # fmt: skip
    """out = a b in float64, [rows, depth] x [depth, columns]; rows of a lie `a_stride` apart, columns `a_step`."""
    nothing = np.zeros(WIDE_COLUMNS)
    for i in range(0, rows, ROWS):
        for j in range(0, columns, WIDE_COLUMNS):
            _wide(
                out, out_at + i * out_stride + j, out_stride, nothing, 0, 0,
                a, i * a_stride, a_stride, a_step, b, b_at + j, b_stride, depth,
            )  # fmt: skip
