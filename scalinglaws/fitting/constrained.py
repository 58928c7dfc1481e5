"""Refits with quantities held: minimise where chosen functions of the parameters have given values.

Newton's method on the Lagrangian along the constraint surface: every step is pulled back onto the surface before the
objective is compared, so the objective alone decides whether it is taken (a generalised reduced gradient; Nocedal &
Wright 2006, chapter 18). Any law, any estimator with derivatives and any smooth quantity will do; what is held may be
a parameter, N* at a budget, or two things at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting.derivatives import curvature, log_surface, slope
from scalinglaws.fitting.problem import Problem
from scalinglaws.fitting.table import Table

__all__ = ["Held", "Objective", "refit_held"]

Array = NDArray[np.float64]
Quantities = Callable[[Array], Array]

_MET = 1e-9  # how closely a quantity, on its log scale, is held
_FLAT = 1e-9  # decrement, relative to the objective, at which the search has converged


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Where a constrained refit ended: theta, its objective, whether the constraint holds at a minimum."""

    theta: Array
    value: float
    converged: bool


@dataclass(frozen=True, slots=True)
class Objective:
    """The weighted sum of rho(residual) of a table as a function of theta, with the problem's prior."""

    problem: Problem
    table: Table

    @property
    def measured(self) -> Array:
        """The column that the law explains."""
        return self.table.column(self.problem.law.target)

    @property
    def pull(self) -> Array:
        """Stiffness of the prior on each parameter, in the units of the table."""
        return self.problem.pull * self.problem.objective_unit

    def residuals(self, theta: Array) -> Array:
        """Return the residuals for each theta of a batch, shape (batch, rows)."""
        predicted = np.exp(np.minimum(log_surface(self.problem, theta, self.table), 300.0))
        return self.problem.estimator.residuals(predicted, self.measured)

    def misfit(self, theta: Array) -> float:
        """Return the sum over the rows at one theta, without the prior."""
        r = self.residuals(theta[None])[0]
        return float(np.sum(self.table.weight * self.problem.estimator.rho(r)))

    def value(self, theta: Array) -> float:
        """Return the objective at one theta."""
        return self.misfit(theta) + 0.5 * float(np.sum(self.pull * (theta - self.problem.toward) ** 2))

    def weights(self, r: Array) -> tuple[Array, Array, Array]:
        """Return rho', rho'' and the majorising rho'/|r| of each residual, times the weight of its row."""
        _, psi, bend, omega = self.problem.estimator.derivatives(r)
        weight = self.table.weight
        return weight * psi, weight * bend, weight * omega


def refit_held(
    objective: Objective, quantities: Quantities, targets: Array, theta: Array, *, max_iterations: int = 40
) -> Held:
    """Minimise the objective where `quantities(theta)`, shape (batch, m), equals `targets`, shape (m,).

    Parameters
    ----------
    objective
        What is minimised; its estimator must be smooth, which "l1" is not.
    quantities
        Smooth functions of theta, best on a logarithmic scale.
    targets
        Their values.
    theta
        A start, near which the targets can be met.
    """
    theta, met = _pull(objective, quantities, targets, theta)
    value = objective.value(theta)
    if not met:
        return Held(theta=theta, value=value, converged=False)
    damping = 1e-3
    multipliers = np.zeros(targets.size)
    for _ in range(max_iterations):
        model = _Model.at(objective, quantities, theta, multipliers)
        step, multipliers, decrement = model.step(damping)
        if decrement <= _FLAT * value and damping <= 1.0:
            return Held(theta=theta, value=value, converged=True)
        moved, met = _pull(objective, quantities, targets, _inside(objective.problem, theta + step))
        trial = objective.value(moved) if met else np.inf
        if trial <= value:
            done = value - trial <= 1e-12 * value and damping <= 1e-2
            theta, value, damping = moved, trial, max(0.2 * damping, 1e-9)
            if done:
                return Held(theta=theta, value=value, converged=True)
        else:
            damping = max(damping, 1e-6) * 6.0
        if damping > 1e9:
            break
    return Held(theta=theta, value=value, converged=damping > 1e9 and decrement <= 1e-5 * value)


@dataclass(slots=True)
class _Model:
    """The Lagrangian near one theta, over the parameters that may move."""

    size: int
    which: NDArray[np.int64]
    gradient: Array
    hessian: Array
    majoriser: Array
    normal: Array

    @classmethod
    def at(cls, objective: Objective, quantities: Quantities, theta: Array, multipliers: Array) -> _Model:
        problem = objective.problem
        which = np.flatnonzero(~problem.held)
        r = objective.residuals(theta[None])[0]
        jacobian = slope(objective.residuals, theta, which)
        normal = slope(quantities, theta, which)
        psi, bend, omega = objective.weights(r)
        stiff = objective.pull[which]
        gradient = jacobian.T @ psi + stiff * (theta - problem.toward)[which]
        pull = gradient + normal.T @ multipliers
        low, high = theta[which] <= problem.lower[which], theta[which] >= problem.upper[which]
        move = ~((low & (pull > 0)) | (high & (pull < 0)))
        which, jacobian, normal, gradient = which[move], jacobian[:, move], normal[:, move], gradient[move]
        stiff = np.diag(stiff[move])
        second = curvature(lambda t: objective.residuals(t) @ psi + quantities(t) @ multipliers, theta, which)
        return cls(
            size=theta.size,
            which=which,
            gradient=gradient,
            hessian=jacobian.T @ (bend[:, None] * jacobian) + second + stiff,
            majoriser=jacobian.T @ (omega[:, None] * jacobian) + stiff,
            normal=normal,
        )

    def step(self, damping: float) -> tuple[Array, Array, float]:
        """Return the step along the surface, the multipliers there, and the decrease that it promises."""
        scale = 1.0 / np.sqrt(np.maximum(np.diag(self.majoriser), 1e-12 * max(float(self.majoriser.max()), 1e-300)))
        normal, gradient = self.normal * scale, self.gradient * scale
        basis = _complement(normal)
        hessian = basis.T @ (self.hessian * np.outer(scale, scale)) @ basis
        ridge = basis.T @ (self.majoriser * np.outer(scale, scale)) @ basis + 1e-3 * np.eye(basis.shape[1])
        left, along = hessian + damping * ridge, basis.T @ gradient
        values, vectors = np.linalg.eigh(left)
        floor = 1e-9 * max(float(np.abs(values).max(initial=0.0)), 1e-300)
        move = -basis @ (vectors @ ((vectors.T @ along) / np.maximum(np.abs(values), floor)))
        multipliers = -np.linalg.lstsq(normal.T, gradient, rcond=None)[0]
        full = np.zeros(self.size)
        full[self.which] = np.clip(move * scale, -3.0, 3.0)
        return full, np.asarray(multipliers), float(-0.5 * gradient @ move)


def _complement(normal: Array) -> Array:
    """Return an orthonormal basis of the directions in which the quantities do not change."""
    _, singular, vectors = np.linalg.svd(normal, full_matrices=True)
    rank = int(np.sum(singular > 1e-12 * max(float(singular.max(initial=0.0)), 1e-300)))
    return np.asarray(vectors[rank:].T)


def _pull(objective: Objective, quantities: Quantities, targets: Array, theta: Array) -> tuple[Array, bool]:
    """Move theta onto the surface, by steps that change the fitted losses least."""
    problem = objective.problem
    metric: Array | None = None
    for _ in range(30):
        missing = targets - quantities(theta[None])[0]
        if not np.all(np.isfinite(missing)):
            return theta, False
        if np.all(np.abs(missing) <= _MET):
            return theta, True
        which = np.flatnonzero(~problem.held)
        if metric is None:
            jacobian = slope(objective.residuals, theta, which)
            metric = jacobian.T @ jacobian
            metric = metric + 1e-6 * np.diag(np.diag(metric)) + 1e-12 * np.trace(metric) * np.eye(which.size)
        normal = slope(quantities, theta, which)
        try:
            toward = np.linalg.solve(metric, normal.T)
            change = toward @ np.linalg.solve(normal @ toward, missing)
        except np.linalg.LinAlgError:
            return theta, False
        moved = theta.copy()
        moved[which] += change * min(1.0, 2.0 / max(float(np.abs(change).max()), 1e-300))
        theta = _inside(problem, moved)
    return theta, False


def _inside(problem: Problem, theta: Array) -> Array:
    return np.asarray(np.clip(theta, problem.lower, problem.upper))
