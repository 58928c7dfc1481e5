"""What a fit minimises: named objectives, each with its first two derivatives.

Choose `huber` for measured losses (heavy tails; Hoffmann et al. 2022), `l1` to reproduce fits that maximise a
Huber density with a free scale (Besiroglu et al. 2024 publish such a point), `log-l2` for clean losses whose
relative noise is Gaussian, `student-t` where gross outliers should count for nothing, `l2` only to compare with
tools that fit the loss itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.errors import InputError, require

__all__ = ["ESTIMATORS", "Estimator", "estimator"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimator:
    """One named objective: the sum over rows of `weight * rho(residual)`.

    Parameters
    ----------
    name
        "huber", "l1", "log-l2", "l2" or "student-t".
    log
        Residuals are log(prediction) - log(measured) if true, prediction - measured otherwise.
    delta
        Where the Huber loss turns from quadratic to linear; infinite for squares, 0 for absolute values.
    factor
        What the Huber form is multiplied by: 2 for plain squares (r^2, not r^2/2), 1 otherwise.
    dof
        Degrees of freedom of Student's t, of scale `delta`; infinite for the others.

    Notes
    -----
    "student-t" is rho(r) = delta^2 (dof + 1)/2 log(1 + r^2/(dof delta^2)), delta^2 times minus the log likelihood:
    it bounds the pull of a row, where Huber's bounds only its growth, and so may have several minima.
    The others are one family: rho(r) = factor * (r^2/2 inside |r| < delta, delta (|r| - delta/2) outside); the
    limit delta -> 0 is divided by delta and gives |r|.
    """

    name: str
    log: bool
    delta: float
    factor: float = 1.0
    dof: float = np.inf

    def __str__(self) -> str:
        return self.name

    def residuals(self, predicted: Array, measured: Array) -> Array:
        """Return prediction minus measurement, of the logarithms where `log` is set (-690 for what is not positive)."""
        return np.log(np.maximum(predicted, 1e-300)) - np.log(measured) if self.log else predicted - measured

    def rho(self, r: Array) -> Array:
        """Return the loss of each residual.

        Examples
        --------
        >>> estimator("huber", delta=1e-3).rho(np.array([5e-4, 2e-3])).tolist()
        [1.25e-07, 1.5e-06]
        """
        size = np.abs(r)
        if self.delta == 0.0:
            return size
        if np.isfinite(self.dof):
            return np.asarray(0.5 * (self.dof + 1.0) * self.delta**2 * np.log1p((r / self.delta) ** 2 / self.dof))
        inside = np.minimum(size, self.delta)
        return self.factor * (inside * size - 0.5 * inside * inside)

    def derivatives(self, r: Array) -> tuple[Array, Array, Array, Array]:
        """Return rho, rho', rho'' and the weight rho'(r)/r of the least-squares majoriser."""
        size = np.abs(r)
        if np.isfinite(self.dof):
            square, scale = self.delta**2 * self.dof, self.factor * (self.dof + 1.0) / self.dof
            omega = scale * square / (square + r * r)
            return self.rho(r), omega * r, omega * (square - r * r) / (square + r * r), omega
        clipped = np.minimum(size, self.delta)
        psi = self.factor * np.copysign(clipped, r)
        bend = np.where(size < self.delta, self.factor, 0.0)
        return self.rho(r), psi, bend, self.factor * clipped / np.maximum(size, 1e-300)

    def objective(self, predicted: Array, measured: Array, weight: Array | float = 1.0) -> float:
        """Return the sum of weighted losses, the number that is reported and published.

        Examples
        --------
        >>> estimator("l1").objective(np.array([2.0, 4.0]), np.array([2.0, 2.0]))
        0.6931471805599453
        """
        return float(np.sum(weight * self.rho(self.residuals(predicted, measured))))


ESTIMATORS = ("huber", "l1", "log-l2", "l2", "student-t")
"""Names of the objectives."""


def estimator(name: str, delta: float = 1e-3) -> Estimator:
    """Return the objective of that name.

    Parameters
    ----------
    name
        "huber": r^2/2 for |r| < delta, delta (|r| - delta/2) beyond, r on log loss (Hoffmann et al. 2022, D.2).
        "l1": |r| on log loss. "log-l2": r^2 on log loss. "l2": r^2 on the loss. "student-t": the likelihood of
        Student's t with 4 degrees of freedom on log loss, its scale given.
    delta
        Threshold of "huber" and scale of "student-t"; ignored by the others.

    Raises
    ------
    InputError
        For an unknown name, or a threshold that is not positive and finite.

    Examples
    --------
    >>> estimator("log-l2").objective(np.array([1.1]), np.array([1.0]))
    0.009084...
    """
    if name not in ESTIMATORS:
        raise InputError(f"estimator = {name!r}: must be one of {', '.join(ESTIMATORS)}")
    require(
        isinstance(delta, int | float) and bool(np.isfinite(delta)) and delta > 0,
        "delta",
        delta,
        "must be positive and finite",
    )
    if name == "huber":
        return Estimator(name=name, log=True, delta=float(delta))
    if name == "student-t":
        return Estimator(name=name, log=True, delta=float(delta), dof=4.0)
    if name == "l1":
        return Estimator(name=name, log=True, delta=0.0)
    return Estimator(name=name, log=name == "log-l2", delta=np.inf, factor=2.0)
