r"""Random numbers without state: Philox4x32-10 and what SGD needs of it.

The four words of block `b` at step `t` are a function of (key, t, b) alone (Salmon, Moraes, Dror and Shaw,
"Parallel random numbers: as easy as 1, 2, 3", SC'11). So a run does not depend on the order in which steps,
modes or replicates are computed, a GPU block draws what a CPU thread draws, and the loops below vectorise:
4 ns a normal on one core where NumPy's ziggurat takes 17.

A pair of normals comes from 64 bits by Box and Muller: 40 bits for the radius (|z| up to 7.5) and 24 for the
angle. Equally spaced angles integrate trigonometric polynomials below degree 2^24 exactly, so every moment
that could be measured is that of the normal law.

Keys are three 32-bit words: two are the Philox key, the third is the last word of the counter.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.kernels._jit import inlined, kernel

__all__ = ["chi_square", "normals", "philox4x32"]

_u32, _u64, _f64 = np.uint32, np.uint64, np.float64
_M0, _M1 = _u64(0xD2511F53), _u64(0xCD9E8D57)
_W0, _W1 = _u32(0x9E3779B9), _u32(0xBB67AE85)
_HALF = _u64(32)
_SQRT_HALF_BITS = _u64(0x3FE6A09E667F3BCD)  # sqrt(1/2) as a double
_MANTISSA = _u64(52)
_LN2 = math.log(2.0)
_QUARTER_TURN = math.pi / 2.0 / 2.0**22


@inlined
def _round(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> tuple[Any, Any, Any, Any]:
    p0 = _M0 * _u64(c0)
    p1 = _M1 * _u64(c2)
    return (
        _u32(_u32(p1 >> _HALF) ^ c1 ^ k0),
        _u32(p1),
        _u32(_u32(p0 >> _HALF) ^ c3 ^ k1),
        _u32(p0),
    )


@inlined
def _next_key(k0: Any, k1: Any) -> tuple[Any, Any]:
    return _u32(k0 + _W0), _u32(k1 + _W1)


@inlined
def philox4x32(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> tuple[Any, Any, Any, Any]:
    """Ten rounds of Philox on a counter of four words with a key of two.

    Written out, because LLVM vectorises a loop over blocks only when nothing inside it loops.
    """
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = _next_key(k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = _next_key(k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = _next_key(k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = _next_key(k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = _next_key(k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = _next_key(k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = _next_key(k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = _next_key(k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = _next_key(k0, k1)
    return _round(c0, c1, c2, c3, k0, k1)


@inlined
def minus_log(u: Any) -> Any:
    """-log(u) of a normal double u > 0, to 1 ulp: fdlibm's reduction and polynomial, without branches."""
    bits = _f64(u).view(_u64)
    exponent = np.int64(bits - _SQRT_HALF_BITS) >> np.int64(52)  # u = 2^exponent (1 + f), sqrt(1/2) <= 1 + f
    f = _u64(bits - (_u64(exponent) << _MANTISSA)).view(_f64) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    odd = z * (
        6.666666666666735130e-01
        + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01))
    )
    half = 0.5 * f * f
    return half - s * (half + even + odd) - f - _f64(exponent) * _LN2


@inlined
def normal_pair(first: Any, second: Any) -> tuple[Any, Any]:
    """Two independent standard normals from two 32-bit words."""
    a, b = _u64(first), _u64(second)
    uniform = (_f64(np.int64((a << _u64(8)) | (b >> _u64(24)))) + 0.5) * 2.0**-40
    radius = math.sqrt(2.0 * minus_log(uniform))
    # 22 bits place the angle within a quarter turn around 0, the next two choose the quarter
    x = (_f64(np.int64(b & _u64(0x3FFFFF))) - 2097151.5) * _QUARTER_TURN
    z = x * x
    sine = x + x * z * (
        -1.66666666666666324348e-01
        + z
        * (
            8.33333333332248946124e-03
            + z
            * (
                -1.98412698298579493134e-04
                + z * (2.75573137070700676789e-06 + z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10))
            )
        )
    )
    cosine = (
        1.0
        - 0.5 * z
        + z
        * z
        * (
            4.16666666666666019037e-02
            + z
            * (
                -1.38888888888741095749e-03
                + z
                * (
                    2.48015872894767294178e-05
                    + z
                    * (-2.75573143513906633035e-07 + z * (2.08757232129817482790e-09 - z * 1.13596475577881948265e-11))
                )
            )
        )
    )
    swap = ((b >> _u64(22)) & _u64(1)) == _u64(1)
    flip = ((b >> _u64(23)) & _u64(1)) << _u64(63)
    cosine = _u64(_f64(cosine).view(_u64) ^ flip).view(_f64)
    return radius * (sine if swap else cosine), radius * (cosine if swap else sine)


@kernel
def normals(out: NDArray[np.float64], step: int, key: NDArray[np.uint32]) -> None:
    """Fill `out` (length 4 n) with the standard normals of one step.

    Block b gives the entries b, n + b, 2 n + b and 3 n + b.
    """
    n = out.size // 4
    part0, part1, part2, part3 = out[:n], out[n : 2 * n], out[2 * n : 3 * n], out[3 * n : 4 * n]
    low, high = _u32(_u64(step)), _u32(_u64(step) >> _HALF)
    k0, k1, k2 = _u32(key[0]), _u32(key[1]), _u32(key[2])
    for block in range(n):
        a, b, c, d = philox4x32(_u32(block), low, high, k2, k0, k1)
        part0[block], part1[block] = normal_pair(a, b)
        part2[block], part3[block] = normal_pair(c, d)


@kernel
def chi_square(degrees: int, step: int, key: NDArray[np.uint32]) -> float:
    """Draw the chi-square variable of one step, with `degrees` >= 1 degrees of freedom.

    A square for one degree, and Marsaglia and Tsang's rejection (ACM TOMS 26, 2000) above. The blocks are
    counted down from the last one, out of the way of `normals`.
    """
    low, high = _u32(_u64(step)), _u32(_u64(step) >> _HALF)
    k0, k1, k2 = _u32(key[0]), _u32(key[1]), _u32(key[2])
    shape = 0.5 * degrees - 1.0 / 3.0
    scale = 1.0 / math.sqrt(9.0 * abs(shape))
    block = _u64(0xFFFFFFFF)
    while True:
        a, b, c, d = philox4x32(_u32(block), low, high, k2, k0, k1)
        x, _ = normal_pair(a, b)
        if degrees == 1:
            return float(x * x)
        uniform = (_f64(np.int64(((_u64(c) << _HALF) | _u64(d)) >> _u64(11))) + 0.5) * 2.0**-53
        v = (1.0 + scale * x) ** 3
        if v > 0.0 and -minus_log(uniform) < 0.5 * x * x + shape * (1.0 - v - minus_log(v)):
            return float(2.0 * shape * v)
        block -= _u64(1)
