"""A measured curve without the scatter of single records: local straight lines in log gradient-flow time.

A reference curve enters every forecast made from it, its scatter too. The bandwidth is that of one number for all
curves: over a window of 0.3 in log tau no loss curve after its warm-up is far from a straight line.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["HALF_WIDTH", "local_linear"]

Array = NDArray[np.float64]

HALF_WIDTH = 0.15
"""Half of the window, in log tau; between 0.06 and 0.3 forecasts are the same to 2 %."""

_ROWS = 256


def local_linear(x: Array, y: Array, half_width: float = HALF_WIDTH) -> Array:
    """Smooth y over x by a line through each window, with Epanechnikov weights.

    Parameters
    ----------
    x
        Increasing, shape (n,).
    y
        Shape (n,).
    half_width
        Distance at which the weight falls to zero.

    Examples
    --------
    >>> x = np.linspace(0.0, 1.0, 50)
    >>> bool(np.allclose(local_linear(x, 3.0 - x), 3.0 - x))
    True
    """
    out = np.empty(y.shape)
    for begin in range(0, x.size, _ROWS):
        rows = slice(begin, min(begin + _ROWS, x.size))
        low, high = np.searchsorted(x, [x[rows][0] - half_width, x[rows][-1] + half_width])
        apart = (x[None, low:high] - x[rows, None]) / half_width
        weight = np.clip(1.0 - apart**2, 0.0, None)
        s0, s1, s2 = (np.sum(weight * apart**k, axis=1) for k in range(3))
        t0, t1 = weight @ y[low:high], (weight * apart) @ y[low:high]
        spread = s0 * s2 - s1**2
        line = np.divide(t0 * s2 - t1 * s1, spread, out=t0 / s0, where=spread > 1e-9 * s0**2)
        out[rows] = line
    return out
