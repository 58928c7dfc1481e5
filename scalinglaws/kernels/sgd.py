r"""One-pass SGD on Gaussian least squares, exact in law, at a cost that knows neither v nor the batch.

Let the features of a sample be F^T z with z standard normal, F = U S V^T, and lambda = S^2 (d values). In the
coordinates rho = S V^T theta - U^T target, the risk is R^2 = |rho|^2 + sigma^2 with sigma^2 irreducible, and
a sample moves theta by its residual e = R (r . w) times its features, where r = (rho, sigma)/R is a unit
vector of d + 1 entries and w ~ N(0, I_{d+1}). Split each w along r: the B coefficients a_i = r . w_i give
chi^2_B = sum a_i^2, and given them the rest, sum a_i (w_i - a_i r), is sqrt(chi^2_B) times one normal vector
orthogonal to r. So the sum of a batch has the law of

    sum_i e_i w_i = chi^2_B (rho, sigma) + R sqrt(chi^2_B) (xi - (r . xi) r),    xi ~ N(0, I_{d+1}),

and rho <- rho - lr lambda * that. Here sigma is carried as a last mode of eigenvalue 0, which makes the risk
the plain sum of squares; both vectors are padded with zeros to a multiple of four entries (`bundle.pack`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scalinglaws.kernels._jit import kernel, summing
from scalinglaws.kernels.philox import chi_square, normals

__all__ = ["DIVERGED", "RUNNING", "advance_run", "step"]

RUNNING, DIVERGED = 0, 1

_TINY = 1e-150  # squares underflow below: a mode that died is zero, and denormals never slow the loop


@summing
def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@summing
def _update(
    error: NDArray[np.float64],
    eigenvalues: NDArray[np.float64],
    xi: NDArray[np.float64],
    shrink: float,
    spread: float,
) -> float:
    """Move every mode and return the new risk."""
    risk = 0.0
    for i in range(error.size):
        moved = error[i] - eigenvalues[i] * (shrink * error[i] + spread * xi[i])
        kept = 0.0 if abs(moved) < _TINY else moved
        error[i] = kept
        risk += kept * kept
    return risk


@kernel
def step(
    error: NDArray[np.float64],
    eigenvalues: NDArray[np.float64],
    xi: NDArray[np.float64],
    chi2: float,
    lr: float,
    risk: float,
) -> float:
    """Apply one update to `error` in place, with the noise given, and return the new risk.

    `risk` must be the sum of squares of `error`; `chi2` is the chi-square variable of the batch.
    """
    size = math.sqrt(risk)
    if size == 0.0:
        return 0.0
    shrink = chi2 - math.sqrt(chi2) * (_dot(xi, error) / size)
    spread = math.sqrt(chi2) * size
    return _update(error, eigenvalues, xi, lr * shrink, lr * spread)


@kernel
def advance_run(
    error: NDArray[np.float64],
    eigenvalues: NDArray[np.float64],
    xi: NDArray[np.float64],
    key: NDArray[np.uint32],
    first: int,
    lr: NDArray[np.float64],
    batch: NDArray[np.int64],
    record: NDArray[np.int64],
    out: NDArray[np.float64],
    risk: float,
    ceiling: float,
) -> tuple[float, int]:
    """Take the updates `first`, `first` + 1, ... of one run, one for each entry of `lr`.

    Writes the risk after t updates to `out` for every t in `record` (increasing, first < t <= first + len).
    Once the risk exceeds `ceiling` or is not finite the run stops with the status `DIVERGED`, and what it
    has not recorded is inf. `xi` is scratch of the size of `error`. Returns the risk and the status.
    """
    cursor = 0
    for k in range(lr.size):
        normals(xi, first + k, key)
        risk = step(error, eigenvalues, xi, chi_square(batch[k], first + k, key), lr[k], risk)
        if not risk <= ceiling:
            out[cursor:] = np.inf
            return risk, DIVERGED
        if cursor < record.size and record[cursor] == first + k + 1:
            out[cursor] = risk
            cursor += 1
    return risk, RUNNING
