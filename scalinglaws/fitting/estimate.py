"""Fit a scaling law to a table of runs in one call.

`fit(data)` with the defaults is Approach 3 of Hoffmann et al. (2022): L = E + A/N^alpha + B/D^beta under the Huber
loss of log-loss residuals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.errors import require, require_whole
from scalinglaws.fitting import estimators
from scalinglaws.fitting.diagnostics import agreement, at_bounds, condition, warnings_in_words
from scalinglaws.fitting.laws import Law, find_law
from scalinglaws.fitting.problem import Prior, Problem
from scalinglaws.fitting.quantities import covariates_of
from scalinglaws.fitting.result import Fit, Starts
from scalinglaws.fitting.solve import solve
from scalinglaws.fitting.table import as_table

__all__ = ["fit"]


def fit(
    data: Any,
    *,
    law: str | Law = "chinchilla",
    estimator: str = "huber",
    delta: float = 1e-3,
    starts: int = 8,
    fixed: Mapping[str, float] | None = None,
    prior: Mapping[str, tuple[float, float]] | None = None,
) -> Fit:
    """Fit a scaling law to the end points of runs.

    The amplitudes are projected out on a grid of exponents, the best points are polished under the named
    objective by a damped Newton method in centred coordinates, and the result says how far it can be trusted.

    Parameters
    ----------
    data
        Whatever `as_table` accepts: a family of runs, a table, a DataFrame, a mapping, a path.
    law
        Name of a law, one of `laws.LAWS`, or a `Law`.
    estimator
        "huber", "l1", "log-l2", "l2" or "student-t"; see `estimators`. The choice can move the answer more than the
        noise does: report it.
    delta
        Threshold of "huber" and scale of "student-t", on residuals of log loss.
    starts
        How many points of the grid to polish, 1 or more.
    fixed
        Parameters to hold, for example `{"E": 1.7}`; amplitudes also at 0.
    prior
        What is known beforehand: mean and standard deviation of parameters, for example `{"alpha": (0.34, 0.02)}`.
        For amplitudes and other positive parameters the standard deviation is that of the logarithm, so
        `{"E": (1.7, 0.05)}` is 1.7 give or take 5 %. It joins the objective as minus a Gaussian log likelihood would
        (not for "l1"): `((theta - mean)/sd)^2 / 2` times the scale sum(weight r rho'(r))/(rows - free parameters) of
        the fit without it, r the residuals. `Fit.objective` remains the sum over the rows.

    Raises
    ------
    InputError
        For a malformed table, one with no more distinct (N, D) than free parameters, or unknown names.

    References
    ----------
    Hoffmann et al. (2022), arXiv 2203.15556, Approach 3. Besiroglu et al. (2024), arXiv 2404.10102.

    Examples
    --------
    >>> n = np.repeat(np.geomspace(1e7, 1e9, 4), 3)
    >>> d = n * np.tile([5.0, 20.0, 80.0], 4)
    >>> fitted = fit({"params": n, "tokens": d, "loss": 1.8 + 480 / n**0.35 + 2100 / d**0.37})
    >>> {name: round(value, 3) for name, value in fitted.params.items()}
    {'E': 1.8, 'A': 480.0, 'B': 2100.0, 'alpha': 0.35, 'beta': 0.37}
    >>> fitted.converged, fitted.warnings
    (True, ())
    """
    table, form, objective = as_table(data), find_law(law), estimators.estimator(estimator, delta)
    require_whole("starts", starts, 1, 512)
    problem = Problem.build(form, objective, table, fixed)
    solution = solve(problem, table.weight, starts)
    known = Prior()
    if prior:
        require(objective.delta > 0, "estimator", estimator, "takes no prior: a vertex has no scale; use huber")
        known = Prior(values=dict(prior), scale=_scale(problem, solution.theta, table.weight))
        problem = Problem.build(form, objective, table, fixed, known)
        solution = solve(problem, table.weight, starts)
    params = {name: float(value) for name, value in problem.to_values(solution.theta).items()}
    params |= {name: float(value) for name, value in (fixed or {}).items()}
    for name, value in params.items():
        require(
            np.isfinite(value), f"{form.name} law: {name}", value, "is beyond floating point on this table; rescale it"
        )
    number = condition(problem, solution.theta)
    values = solution.objectives
    predicted = form.predict(params, **covariates_of(form, table))
    measured = objective.objective(predicted, table.column(form.target), table.weight)
    return Fit(
        law=form,
        estimator=objective,
        params=params,
        objective=measured,
        gradient_norm=float(np.abs(solution.gradient).max()),
        converged=solution.converged,
        starts=Starts(
            tried=values.size, agreeing=agreement(values), best=float(values.min()), worst=float(values.max())
        ),
        condition=number,
        at_bounds=at_bounds(problem, solution.theta),
        warnings=warnings_in_words(problem, solution, table, number),
        table=table,
        fixed=dict(fixed or {}),
        prior=known,
        theta=solution.theta,
    )


def _scale(problem: Problem, theta: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    """Return the objective over minus a log likelihood: twice the variance for squares of residuals."""
    predicted, _ = problem.linearise(theta)
    r = problem.estimator.residuals(predicted, problem.y)
    _, psi, _, _ = problem.estimator.derivatives(r)
    free = max(int(np.sum(weight > 0)) - int(np.sum(~problem.held)), 1)
    return float(np.sum(weight * r * psi)) / free * problem.objective_unit
