"""Eight numbers side by side, as the processor's vectors hold them, for loops in machine code.

Left to itself the compiler does not put eight policies into a vector: before each short loop it would have to see that
the arrays do not overlap.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

LANES = 8
VECTOR = ir.VectorType(ir.DoubleType(), LANES)


class Lanes(types.Type):  # type: ignore[misc]
    """Numba's type of eight numbers."""

    def __init__(self) -> None:
        super().__init__(name="lanes")


lanes = Lanes()


@register_model(Lanes)
class LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    """Held in a register."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)


@intrinsic  # type: ignore[untyped-decorator]
def load(context: Any, array: Any, at: Any) -> Any:
    """array[at : at + 8] of float64[n], contiguous."""

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = builder.load(_place(target, builder, signature.args[0], arguments[0], arguments[1], VECTOR))
        found.align = 8
        return found

    return lanes(array, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def store(context: Any, array: Any, at: Any, value: Any) -> Any:
    """array[at : at + 8] = value."""

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(target, builder, signature.args[0], arguments[0], arguments[1], VECTOR)
        builder.store(arguments[2], place).align = 8
        return target.get_dummy_value()

    return types.none(array, types.intp, lanes), generate


@intrinsic  # type: ignore[untyped-decorator]
def gather(context: Any, array: Any, at: Any, apart: Any) -> Any:
    """array[at], array[at + apart] and so on, of float64[n], contiguous."""

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found, place = VECTOR(ir.Undefined), arguments[1]
        for lane in range(LANES):
            number = builder.load(_place(target, builder, signature.args[0], arguments[0], place, ir.DoubleType()))
            found = builder.insert_element(found, number, ir.IntType(32)(lane))
            place = builder.add(place, arguments[2])
        return found

    return lanes(array, types.intp, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def alike(context: Any, number: Any) -> Any:
    """The number, eight times."""

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        none, kind = VECTOR(ir.Undefined), ir.IntType(32)
        first = builder.insert_element(none, arguments[0], kind(0))
        return builder.shuffle_vector(first, none, ir.VectorType(kind, LANES)([0] * LANES))

    return lanes(types.float64), generate


def _place(target: Any, builder: Any, kind: Any, array: Any, at: Any, of: Any) -> Any:
    """Pointer to element `at` of an array."""
    start = target.make_array(kind)(target, builder, array).data
    return builder.bitcast(builder.gep(start, [at]), of.as_pointer())


def _operation(generate: Any) -> Any:
    """Of eight numbers with eight."""

    @intrinsic  # type: ignore[untyped-decorator]
    def operation(context: Any, left: Any, right: Any) -> Any:
        return lanes(lanes, lanes), lambda target, builder, signature, arguments: generate(builder, *arguments)

    return operation


plus = _operation(lambda builder, left, right: builder.fadd(left, right))
minus = _operation(lambda builder, left, right: builder.fsub(left, right))
times = _operation(lambda builder, left, right: builder.fmul(left, right))
larger = _operation(lambda builder, left, right: builder.select(builder.fcmp_ordered(">", left, right), left, right))
"""Of each two; of a NaN and a number, the right one."""
below = _operation(
    lambda builder, left, right: builder.select(
        builder.fcmp_ordered(">=", left, right), VECTOR([0.0] * LANES), VECTOR([1.0] * LANES)
    )
)
"""1 where the left is not the right one or more, as NaN is not, else 0."""
