r"""In which unit the rise of a fit's objective is counted near (alpha, beta), and how surely that unit is known.

The objective counts records, which are not independent; so its rise is divided, direction by direction, by what makes
its curvature at the fit that of the covariance clustered by run (vertical scaling; Chandler and Bate, Biometrika 94
(2007) 167). What comes out is compared with Hotelling's T^2, for the covariance is estimated from few runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as fisher

from scalinglaws.comparison.family_laws import FamilyFit
from scalinglaws.comparison.family_laws.covariance import sandwich
from scalinglaws.errors import require

__all__ = ["SURE", "Metric", "check_level", "hotelling"]

Array = NDArray[np.float64]

SURE = 0.99
"""The plane is explored over the region of this level."""
_EXACT = 1e-10
"""Variance of a logarithm that even curves without noise leave."""


def check_level(level: float) -> None:
    """Refuse what is no level of a region or an interval inside the explored plane."""
    require(0.0 < level <= SURE, "level", level, f"must lie between 0 and {SURE:g}, as far as the plane is explored")


def hotelling(level: float, dof: float, count: int) -> float:
    """Return the quantile of Hotelling's T^2 for `count` parameters; for one it is that of Student's t, squared."""
    left = max(dof + 1.0 - count, 1.0)
    return float(count * dof / left * fisher.ppf(level, count, left))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Metric:
    """Two quadratic forms of steps in (log alpha, log beta).

    Parameters
    ----------
    covariance
        Clustered by run, shape (2, 2).
    curvature
        Of the objective with all other parameters fitted anew, shape (2, 2).
    dof
        Effective degrees of freedom of the covariance.
    """

    covariance: Array
    curvature: Array
    dof: float

    @classmethod
    def of(cls, fit: FamilyFit) -> Metric:
        """Read it off a fit; bounds hold all parameters that reached one, but alpha and beta."""
        found = fit.problem.evaluate(fit.theta)
        assert found is not None  # the end of a fit is a place where the law is defined
        residuals, jacobian = found
        where = [fit.problem.names.index(name) for name in ("alpha", "beta")]
        free = np.array([name not in fit.at_bounds or name in ("alpha", "beta") for name in fit.problem.names])
        spread = sandwich(jacobian, residuals, fit.estimator, fit.records.curves, free)
        both = np.ix_(where, where)
        values, vectors = np.linalg.eigh(spread.covariance[both])
        return cls(
            covariance=vectors @ np.diag(np.maximum(values, _EXACT)) @ vectors.T,
            curvature=np.asarray(np.linalg.pinv(spread.bread[both], hermitian=True)),
            dof=spread.dof(np.eye(fit.theta.size)[where]),
        )

    def unit(self, step: Array) -> float:
        """Return the rise of the objective that one unit of the statistic stands for, along a step."""
        return max(0.5 * float(step @ self.curvature @ step) / float(self.wald(step)), np.finfo(float).tiny)

    def statistic(self, rise: float, step: Array) -> float:
        """Return the statistic of a rise of the objective that was found a step away; 0 for no step."""
        return rise / self.unit(step) if step.any() else 0.0

    def wald(self, step: Array) -> Array:
        """Return the statistic where the objective is a parabola, for steps of shape (..., 2)."""
        return np.asarray(np.sum(step @ np.linalg.inv(self.covariance) * step, axis=-1))

    @property
    def least(self) -> float:
        """The smallest unit of all directions."""
        return 0.5 * float(np.linalg.eigvals(self.curvature @ self.covariance).real.min())

    def axes(self) -> Array:
        """Return the principal axes of the covariance as columns, each a standard error long."""
        values, vectors = np.linalg.eigh(self.covariance)
        return np.asarray(vectors * np.sqrt(values))

    def quantile(self, level: float) -> float:
        """Return the quantile of Hotelling's T^2 for both parameters together."""
        return hotelling(level, self.dof, 2)

    def density(self, distance: Array) -> Array:
        """Return the density that belongs to T^2 (a bivariate t), not normalised."""
        return np.asarray((1.0 + distance / self.dof) ** (-0.5 * (self.dof + 1.0)))
