"""Natural logarithms of many numbers, in code that a compiler can run several at a time."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
"""ln 2 in two parts, the first with so many zeros at its end that a whole multiple of it is exact."""
ROOT_HALF = 0x3FE6A09E667F3BCD
"""The bits of the square root of 1/2."""
ONE = 0x3FF0000000000000
"""The bits of 1."""


@intrinsic  # type: ignore[untyped-decorator]
def _split(context: Any, x: Any) -> Any:
    """x = 2^k m, with m from sqrt(1/2) to sqrt(2): (k, m). Without a branch, or a conversion that vectors lack."""

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole, real = ir.IntType(64), ir.DoubleType()
        bits = builder.bitcast(arguments[0], whole)
        moved = builder.lshr(builder.add(bits, whole(ONE - ROOT_HALF)), whole(52))
        mantissa = builder.sub(bits, builder.shl(builder.sub(moved, whole(1023)), whole(52)))
        # the exponent as the last bits of 2^52, from which it is subtracted again
        raised = builder.bitcast(builder.or_(moved, whole(0x4330000000000000)), real)
        exponent = builder.fsub(raised, real(2.0**52 + 1023))
        parts = [exponent, builder.bitcast(mantissa, real)]
        return target.make_tuple(builder, signature.return_type, parts)

    return types.UniTuple(types.float64, 2)(types.float64), generate


def logarithm(x: float) -> float:
    """ln x of a positive normal number, within one unit in the last place; of others, NaN too, it gives any number.

    The polynomial of FreeBSD's e_log.c (Sun Microsystems, 1993), here without its branches.
    """
    k, m = _split(x)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    even = z * (
        6.666666666666735130e-01
        + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01))
    )
    half = 0.5 * f * f
    return float(k * LN2_HIGH - ((half - (s * (half + (odd + even)) + k * LN2_LOW)) - f))
