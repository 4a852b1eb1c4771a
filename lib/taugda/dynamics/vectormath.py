"""exp, sin and cos in code that vectorizes: the C library's are calls, one point at a time."""

import math
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

# Adding 1.5 * 2^52 rounds to an integer, which then stands in the last bits.
_ROUNDER = 6755399441055744.0


def _taylor(first: int, last: int, step: int) -> tuple[float, ...]:
    """Return +-1/k! for k = last, ..., first: Horner's order, signs as in sin and cos if step 2."""
    order = range(last, first - 1, -step)
    return tuple((-1.0) ** (k // 2 if step == 2 else 0) / math.factorial(k) for k in order)


_EXP, _SINE, _COSINE = _taylor(2, 13, 1), _taylor(3, 17, 2), _taylor(4, 18, 2)


def _cast(to: types.Type, source: types.Type, code: ir.Type) -> Any:
    """Return the compiled function that reads the bits of one type as another's."""

    @intrinsic
    def cast(typingctx: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.bitcast(args[0], code)

        return to(source), generate

    return cast


_bits = _cast(types.int64, types.float64, ir.IntType(64))
_float = _cast(types.float64, types.int64, ir.DoubleType())


@numba.njit(error_model="numpy", inline="always")
def exp(x: float) -> float:
    """Return the exponential to 2 units in the last place; below -708 zero, above 709 infinity."""
    # x = k ln 2 + r with |r| <= ln(2)/2; a polynomial gives exp(r), k goes into the exponent.
    shifted = x * 1.4426950408889634 + _ROUNDER
    k = shifted - _ROUNDER
    r = (x - k * 0.6931471803691238) - k * 1.9082149292705877e-10  # ln 2 in two pieces
    p = 0.0
    for i in range(len(_EXP)):
        p = p * r + _EXP[i]
    p = p * (r * r) + r
    result = (1.0 + p) * _float((_bits(shifted) << 52) + 4607182418800017408)
    return math.inf if x > 709.0 else (0.0 if x < -708.0 else result)


@numba.njit(error_model="numpy", inline="always")
def _turned_sine(x: float, quarters: int) -> float:
    """Return sin(x + quarters pi / 2), from r = x - k pi / 2 with |r| <= pi / 4."""
    shifted = x * 0.6366197723675814 + _ROUNDER
    k = shifted - _ROUNDER
    # pi / 2 in three pieces, the first two short, so that their products with k are exact.
    r = ((x - k * 1.5707963267341256) - k * 6.07710050630396e-11) - k * 2.0222662487959506e-21
    z = r * r
    s, c = 0.0, 0.0
    for i in range(len(_SINE)):
        s = s * z + _SINE[i]
        c = c * z + _COSINE[i]
    quarter = (_bits(shifted) + quarters) & 3
    value = 1.0 - (0.5 * z - z * z * c) if quarter & 1 else r + r * z * s
    return -value if quarter & 2 else value


@numba.njit(error_model="numpy", inline="always")
def sin(x: float) -> float:
    """Return the sine for |x| < 1e6, to 2e-16; beyond, the reduction by pi / 2 loses digits."""
    return _turned_sine(x, 0)


@numba.njit(error_model="numpy", inline="always")
def cos(x: float) -> float:
    """Return the cosine for |x| < 1e6, to 2e-16; beyond, the reduction by pi / 2 loses digits."""
    return _turned_sine(x, 1)
