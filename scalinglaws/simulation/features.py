"""The random features of a model as a matrix, where simulation needs more than its `Instance`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.errors import require
from scalinglaws.models import GaussianLeastSquares, Model
from scalinglaws.models.plrf import MAX_ENTRIES

__all__ = ["Features", "features_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """A linear model of data z ~ N(0, I_v): features `matrix.T @ z`, target `target @ z` plus noise.

    Attributes
    ----------
    matrix
        D^(1/2) W, shape (v, d).
    target
        D^(1/2) b, shape (v,).
    label_noise
        Variance of the label noise.
    """

    matrix: Floats
    target: Floats
    label_noise: float

    def risk(self, theta: Floats) -> float:
        """Risk of the parameters, exact."""
        residual = self.matrix @ theta - self.target
        return float(residual @ residual) + self.label_noise


def features_of(model: Model, seed: np.random.SeedSequence) -> Features:
    """Draw the random features of a model, the same that its `instance` is made of.

    Raises
    ------
    InputError
        If the matrix would have more than `MAX_ENTRIES` entries.
    """
    if isinstance(model, GaussianLeastSquares):
        rule = f"has a feature matrix of more than {MAX_ENTRIES} entries; use the reduced method"
        require(model.d**2 <= MAX_ENTRIES, "d", model.d, rule)
        matrix = np.diag(np.sqrt(model.spectrum))
        return Features(matrix=matrix, target=model.target, label_noise=model.label_noise)
    scale = np.arange(1.0, model.data_dimension + 1.0)
    return Features(
        matrix=scale[:, None] ** -model.alpha * model.features(seed),
        target=scale ** -(model.alpha + model.beta),
        label_noise=model.label_noise,
    )
