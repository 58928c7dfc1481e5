"""One drawn problem in the coordinates in which SGD is cheapest: where simulation and theory both start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Instance", "frozen_array"]


def frozen_array(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Copy to contiguous, read-only float64: no reader of a shared array can change it."""
    array = np.array(values, dtype=np.float64, order="C")
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Instance:
    """Gaussian least squares given the features: risk = |rho|^2 + irreducible.

    Coordinate i of `rho` is the prediction error along the i-th eigenvector of the feature covariance, in
    units of the prediction, so that each mode adds rho_i^2 to the risk E(prediction - target)^2.
    One SGD update with the gradient summed over the batch multiplies the mean of rho_i by
    1 - lr * batch * eigenvalues_i.

    Parameters
    ----------
    eigenvalues
        Eigenvalues of the feature covariance, shape (d,), descending, >= 0.
    rho
        Initial prediction error in that eigenbasis (theta_0 = 0), shape (d,), signed.
    irreducible
        The risk no parameters remove: target energy outside the features plus label noise.
    """

    eigenvalues: NDArray[np.float64]
    rho: NDArray[np.float64]
    irreducible: float

    @property
    def d(self) -> int:
        """Number of parameters."""
        return int(self.eigenvalues.size)

    @property
    def initial_risk(self) -> float:
        """Risk before the first update, theta_0 = 0."""
        return float(self.rho @ self.rho) + self.irreducible
