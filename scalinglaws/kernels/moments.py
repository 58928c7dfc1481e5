"""The closed recursion of second moments over a run of steps: the exact expected risk under any schedule."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.kernels._jit import summing

__all__ = ["advance_moments"]


@summing
def advance_moments(
    z: NDArray[Any],
    source: NDArray[Any],
    moments: NDArray[Any],
    floor: float,
    rates: NDArray[np.float64],
    batches: NDArray[np.int64],
    risk: NDArray[np.float64],
) -> None:
    """Advance `moments` in place by rates.size updates; risk[t] is the risk before update t.

    moments_i <- (1 - 2 lr B z_i + lr^2 B (B+1) z_i^2) moments_i + lr^2 B source_i P,
    P = floor + Re sum_i moments_i. Modes may be real (eigenvalues) or complex (nodes of a contour).
    """
    for t in range(rates.size):
        total = 0.0
        for i in range(z.size):
            total += moments[i].real
        risk[t] = floor + total
        lr, batch = rates[t], float(batches[t])
        linear, square = 2.0 * lr * batch, lr * lr * batch * (batch + 1.0)
        noise = lr * lr * batch * risk[t]
        for i in range(z.size):
            moments[i] -= z[i] * (linear - square * z[i]) * moments[i] - noise * source[i]
