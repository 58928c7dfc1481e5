"""Dense linear algebra of one instance, on NumPy or CuPy arrays alike."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

__all__ = ["reduce_features"]


def reduce_features(matrix: Any, target: Any, xp: ModuleType = np) -> tuple[Any, Any, float]:
    """Rotate least squares into the eigenbasis of its features, by the d x d Gram matrix.

    One product and one symmetric eigenproblem, which is what a device is good at; a QR decomposition of
    `matrix` (`PLRF.instance`) keeps more digits of eigenvalues below 1e-10 of the largest.

    Parameters
    ----------
    matrix
        D^(1/2) W, shape (v, d).
    target
        D^(1/2) b, shape (v,).
    xp
        The module of the arrays, numpy or cupy.

    Returns
    -------
    Eigenvalues (d,) descending, initial error `rho` (d,), and the squared distance of the target from the
    features' range.

    Examples
    --------
    >>> matrix = np.array([[0.0, 2.0], [1.0, 0.0], [0.0, 0.0]])
    >>> eigenvalues, rho, irreducible = reduce_features(matrix, np.array([3.0, 4.0, 0.5]))
    >>> eigenvalues, np.abs(rho), irreducible
    (array([4., 1.]), array([3., 4.]), 0.25)
    """
    values, vectors = xp.linalg.eigh(matrix.T @ matrix)
    values, vectors = values[::-1], vectors[:, ::-1]
    # what rounding made of zero carries no signal, and its square root would amplify noise
    cut = values[0] * matrix.shape[1] * np.finfo(np.float64).eps
    inverse = xp.where(values > cut, 1.0 / xp.sqrt(xp.where(values > cut, values, 1.0)), 0.0)
    signal = inverse * (vectors.T @ (matrix.T @ target))
    distance = target - matrix @ (vectors @ (inverse * signal))
    return xp.where(values > cut, values, 0.0), -signal, float(distance @ distance)
