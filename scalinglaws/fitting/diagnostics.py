"""What makes a fit untrustworthy, in words: identifiability, bounds, disagreement of starts.

The condition number is that of the Jacobian of log loss by the centred parameters (log amplitudes at the geometric
mean of the table, exponents), every column scaled to length one. Well-spread designs have 10 to 100; D = k N with
alpha near beta has none, because two columns coincide (1/(alpha - beta)^2).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting.laws import Law
from scalinglaws.fitting.problem import LOG_ZERO, Problem
from scalinglaws.fitting.solve import Solution
from scalinglaws.fitting.table import Table

__all__ = ["about_design", "at_bounds", "collinear_power", "condition", "warnings_in_words"]

Array = NDArray[np.float64]

_ILL_CONDITIONED = 1e3
_SAME_RATIO = 0.05  # spread of log D about its regression on log N, over the spread of log D
_AGREE = 1e-6


def condition(problem: Problem, theta: Array) -> float:
    """Return the condition number of the scaled Jacobian over the parameters that are free and not at a bound."""
    free = ~problem.held & (theta > problem.lower) & (theta < problem.upper)
    slope = problem.linearise(theta)[1][:, free]
    length = np.linalg.norm(slope, axis=0)
    if slope.shape[1] == 0:
        return 1.0
    if not np.all(length > 0):
        return np.inf
    singular = np.linalg.svd(slope / length, compute_uv=False)
    return float(singular[0] / singular[-1]) if singular[-1] > 1e-15 * singular[0] else np.inf


def at_bounds(problem: Problem, theta: Array) -> tuple[str, ...]:
    """Return the names of free parameters that ended on a bound."""
    hit = ((theta <= problem.lower) | (theta >= problem.upper)) & ~problem.held
    return tuple(name for name, on in zip(problem.names, hit, strict=True) if on)


def warnings_in_words(problem: Problem, solution: Solution, table: Table, number: float) -> tuple[str, ...]:
    """Return one sentence for each reason to distrust the fit; none for a healthy one."""
    return (
        *_about_search(solution),
        *about_design(problem.law, table, number),
        *_about_bounds(problem, solution.theta),
        *_about_held(problem),
    )


def _about_search(solution: Solution) -> list[str]:
    words = []
    if not solution.converged:
        words.append("The search did not converge: the parameters are not a minimum of the objective.")
    agree = agreement(solution.objectives)
    if solution.objectives.size > 1 and agree < 0.5 * solution.objectives.size:
        words.append(
            f"Only {agree} of {solution.objectives.size} starts reached the best objective: "
            "there are several minima, and a better one may exist."
        )
    return words


def agreement(objectives: Array) -> int:
    """Return how many starts ended within 1e-6 of the best, relatively."""
    best = float(objectives.min())
    return int(np.sum(objectives <= best * (1.0 + _AGREE) + 1e-24))


def collinear_power(table: Table) -> float | None:
    """Return p if D grows as N^p in every run, to 5 % of the spread of log D; else None."""
    log_n, log_d = np.log(table.params), np.log(table.tokens)
    log_n, log_d = log_n - log_n.mean(), log_d - log_d.mean()
    size = float(log_n @ log_n)
    power = float(log_n @ log_d) / size if size > 0 else 0.0
    left = np.linalg.norm(log_d - power * log_n)
    return power if left < _SAME_RATIO * max(np.linalg.norm(log_d), np.sqrt(size)) else None


def about_design(law: Law, table: Table, number: float) -> list[str]:
    """Return one sentence for each reason why the table, whatever its losses, may not determine the law."""
    words = []
    power = collinear_power(table)
    if power is not None and law.tells_n_from_d:
        words.append(
            f"N and D are collinear (D grows as N^{power:.2f} in every run): the part of the loss that falls with N "
            "cannot be told from the part that falls with D; add runs with other tokens per parameter."
        )
    if number > _ILL_CONDITIONED:
        words.append(
            f"The condition number is {number:.2g}: the table hardly determines some combination of the parameters, "
            "and single parameters mean little."
        )
    return words


def _about_bounds(problem: Problem, theta: Array) -> list[str]:
    words = []
    for name in at_bounds(problem, theta):
        if name in problem.law.exponents:
            value = float(problem.to_values(theta)[name])
            words.append(f"{name} is at the bound {value:g} of the search: the table does not determine it.")
        elif problem.law.is_constant(name):
            words.append(
                f"{name} is 0: the table shows no irreducible loss, so extrapolation to large compute is a guess."
            )
        else:
            lost = ", and no compute-optimal size exists" if name in ("A", "B") else ""
            words.append(f"{name} is 0: its term does not help{lost}.")
    return words


def _about_held(problem: Problem) -> list[str]:
    words = []
    for name, on, value in zip(problem.names, problem.held, problem.lower, strict=True):
        if name in problem.law.units:
            continue
        zero = on and name in problem.law.amplitudes and value <= LOG_ZERO
        if zero and problem.law.is_constant(name):
            words.append(
                f"{name} is held at 0: a loss that levels off would be read as smaller exponents, "
                "and predictions at large compute would be too low."
            )
        elif on:
            words.append(f"{name} is held, not fitted: its uncertainty is not in any interval.")
    return words
