"""Gaussian least squares with any spectrum: a random-feature model once its features are fixed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws._random import RNGLike
from scalinglaws.errors import InputError, require
from scalinglaws.models.instance import Instance, frozen_array

__all__ = ["GaussianLeastSquares"]


@dataclass(frozen=True, slots=True, init=False, eq=False)
class GaussianLeastSquares:
    r"""Online least squares on Gaussian features with a given spectrum and target.

    In the orthonormal eigenbasis phi_i of the feature covariance (kernel), the target is
    y = sum_i target_i phi_i(x) + noise and the initial prediction is zero, so that

    .. math:: P(0) = \sum_i \mathrm{target}_i^2 + \mathrm{label\_noise}.

    A measured kernel spectrum and the projections of the labels on its eigenfunctions go in as they are.
    The risk is E(prediction - target)^2 with the noisy target and without a factor 1/2.

    Parameters
    ----------
    spectrum
        Eigenvalues of the feature covariance, shape (d,), finite, >= 0, at least one positive; any order.
    target
        Coefficients of the target in the eigenbasis, shape (d,), signed.
    label_noise
        Variance of the label noise, added to the irreducible risk.

    Raises
    ------
    InputError
        If shapes differ or values are not finite, or a variance or an eigenvalue is negative.

    Examples
    --------
    >>> model = GaussianLeastSquares([1.0, 0.25], [1.0, 0.5], label_noise=0.1)
    >>> model.d, model.trace, model.instance().initial_risk
    (2, 1.25, 1.35)
    >>> GaussianLeastSquares.from_dict(model.to_dict()) == model
    True
    """

    spectrum: NDArray[np.float64]
    target: NDArray[np.float64]
    label_noise: float

    def __init__(
        self,
        spectrum: ArrayLike | Sequence[float],
        target: ArrayLike | Sequence[float],
        label_noise: float = 0.0,
    ) -> None:
        eigenvalues = _vector("spectrum", spectrum)
        coefficients = _vector("target", target)
        require(bool(np.all(eigenvalues >= 0)), "spectrum", eigenvalues.min(), "must be >= 0")
        require(bool(np.any(eigenvalues > 0)), "spectrum", eigenvalues.max(), "must have a positive eigenvalue")
        same = eigenvalues.shape == coefficients.shape
        require(same, "target", coefficients.shape, f"must have the shape of spectrum, {eigenvalues.shape}")
        require(np.isfinite(label_noise) and label_noise >= 0, "label_noise", label_noise, "must be finite, >= 0")
        order = np.argsort(-eigenvalues, kind="stable")
        object.__setattr__(self, "spectrum", frozen_array(eigenvalues[order]))
        object.__setattr__(self, "target", frozen_array(coefficients[order]))
        object.__setattr__(self, "label_noise", float(label_noise))

    @property
    def d(self) -> int:
        """Number of parameters."""
        return int(self.spectrum.size)

    @property
    def trace(self) -> float:
        """Sum of the eigenvalues, E|features|^2."""
        return float(self.spectrum.sum())

    def instance(self, rng: RNGLike = None) -> Instance:
        """Return the problem itself; `rng` is accepted so that all models are called alike."""
        del rng
        return Instance(eigenvalues=self.spectrum, rho=frozen_array(-self.target), irreducible=self.label_noise)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "model": "GaussianLeastSquares",
            "spectrum": self.spectrum.tolist(),
            "target": self.target.tolist(),
            "label_noise": self.label_noise,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild a model from `to_dict`."""
        given = {k: v for k, v in values.items() if k != "model"}
        try:
            return cls(**given)
        except TypeError:
            raise InputError(f"model = {values!r}: needs spectrum, target and label_noise") from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GaussianLeastSquares):
            return NotImplemented
        return self._digest() == other._digest()

    def __hash__(self) -> int:
        return hash(self._digest())

    def _digest(self) -> bytes:
        parts = (self.spectrum.tobytes(), self.target.tobytes(), np.float64(self.label_noise).tobytes())
        return hashlib.sha256(b"".join(parts)).digest()


def _vector(name: str, values: ArrayLike | Sequence[float]) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} = {values!r}: must be an array of numbers") from None
    require(array.ndim == 1 and array.size > 0, name, array.shape, "must be one-dimensional and not empty")
    require(bool(np.all(np.isfinite(array))), name, values, "must be finite numbers")
    return array
