r"""The confidence region of (alpha, beta) with all other parameters fitted anew, its units runs.

The objective of the fit counts records, which are not independent; so its rise is rescaled along every ray from the
fit until its curvature there is that of the covariance clustered by run (vertical scaling; Chandler and Bate,
Biometrika 94 (2007) 167). Rays and radii are few: in the plane where the covariance is the unit matrix, the rise over
the squared radius is nearly constant, and only what it departs by is interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as fisher

from scalinglaws.comparison.family_laws import FamilyCurves, FamilyFit
from scalinglaws.comparison.family_laws.covariance import sandwich
from scalinglaws.comparison.separable.problem import Problem

__all__ = ["Plane", "plane_of"]

Array = NDArray[np.float64]

_RAYS = 8
_RADII = (1.0, 2.5)
"""In standard errors."""
_REFIT = 12  # iterations of a refit, which begins beside its solution
_CLOSE = 1e-4  # of the objective: far less than its rise within one standard error
_SHARES = (0.05, 20.0)
"""Bounds of the rise over that of a parabola: beyond them the refit has failed rather than the parabola."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plane:
    """How far a point of the plane is from the fit.

    Parameters
    ----------
    centre
        (alpha, beta) of the fit.
    root
        Symmetric square root of the covariance of their logarithms, shape (2, 2).
    dof
        Effective degrees of freedom of that covariance.
    share
        Rise of the objective over that of its parabola, at `_RAYS` directions (from 0 on, evenly) and `_RADII`.
    rise
        Rise of the objective that one unit of the statistic stands for, in the direction where it is largest.
    """

    centre: Array
    root: Array
    dof: float
    share: Array
    rise: float

    def distance(self, alpha: Array, beta: Array) -> Array:
        """Return the statistic that is compared with quantiles of T^2, at points of any shape."""
        away = np.stack([np.log(alpha / self.centre[0]), np.log(beta / self.centre[1])], axis=-1)
        x, y = np.moveaxis(away @ np.linalg.inv(self.root), -1, 0)
        radius = np.hypot(x, y)
        turn = np.mod(np.arctan2(y, x), 2.0 * np.pi) / (2.0 * np.pi) * _RAYS
        left = np.floor(turn).astype(np.int64)
        part = (turn - left)[..., None]
        rows = (1.0 - part) * self.share[left % _RAYS] + part * self.share[(left + 1) % _RAYS]
        inner, outer = np.log(rows[..., 0]), np.log(rows[..., 1])
        along = np.clip((radius - _RADII[0]) / (_RADII[1] - _RADII[0]), -1.0, 1.5)
        return np.asarray(radius**2 * np.exp(inner + along * (outer - inner)))

    def quantile(self, level: float) -> float:
        """Return the quantile of Hotelling's T^2 for two parameters."""
        left = max(self.dof - 1.0, 1.0)
        return float(2.0 * self.dof / left * fisher.ppf(level, 2, left))

    def density(self, distance: Array) -> Array:
        """Return the density that belongs to T^2 (a bivariate t), not normalised."""
        return np.asarray((1.0 + distance / self.dof) ** (-0.5 * (self.dof + 1)))


def plane_of(fit: FamilyFit) -> Plane:
    """Explore the neighbourhood of a fit in which alpha and beta are free."""
    found = fit.problem.evaluate(fit.theta)
    assert found is not None  # the end of a fit is a place where the law is defined
    residuals, jacobian = found
    where = [fit.problem.names.index(name) for name in ("alpha", "beta")]
    free = np.array([name not in fit.at_bounds or name in ("alpha", "beta") for name in fit.problem.names])
    spread = sandwich(jacobian, residuals, fit.estimator, fit.records.curves, free)
    both = np.ix_(where, where)
    values, vectors = np.linalg.eigh(spread.covariance[both])
    root = vectors @ np.diag(np.sqrt(np.maximum(values, 1e-10))) @ vectors.T
    curvature = np.asarray(np.linalg.inv(spread.bread[both]))
    return Plane(
        centre=np.array([fit.params["alpha"], fit.params["beta"]]),
        root=root,
        dof=spread.dof(np.eye(fit.theta.size)[where]),
        share=_shares(fit, curvature, root),
        rise=0.5 * float(np.linalg.eigvalsh(root @ curvature @ root)[-1]),
    )


def _shares(fit: FamilyFit, curvature: Array, root: Array) -> Array:
    """Refit along rays, `curvature` that of the profile objective by (log alpha, log beta); see `Plane.share`."""
    share = np.ones((_RAYS, len(_RADII)))
    for i, angle in enumerate(2.0 * np.pi * np.arange(_RAYS) / _RAYS):
        theta = fit.theta
        for j, radius in enumerate(_RADII):
            step = root @ (radius * np.array([np.cos(angle), np.sin(angle)]))
            held, theta = _held(fit, step, theta)
            if held is None:
                share[i, j] = share[i, j - 1] if j else 1.0
                continue
            parabola = 0.5 * step @ curvature @ step
            share[i, j] = np.clip((held - fit.objective) / parabola, *_SHARES)
    return share


def _held(fit: FamilyFit, step: Array, theta: Array) -> tuple[float | None, Array]:
    """Return the objective with (alpha, beta) a step away from the fit, and all coordinates there."""
    problem: Problem[FamilyCurves] = fit.problem
    shapes = {shape.name: shape for shape in problem.law.shapes}
    values = {name: fit.params[name] * float(np.exp(s)) for name, s in zip(("alpha", "beta"), step, strict=True)}
    values = {name: float(np.clip(v, shapes[name].low, shapes[name].high)) for name, v in values.items()}
    held = replace(problem, fixed={**problem.fixed, **values})
    others = [i for i, name in enumerate(problem.names) if name not in values]
    end = held.solve(theta[others], iterations=_REFIT, flat=_CLOSE)
    if end is None:
        return None, theta
    moved = theta.copy()
    moved[others] = end.theta
    return end.objective, moved
