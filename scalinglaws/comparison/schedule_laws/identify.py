"""What some runs tell about a law's parameters, and what they do not, said in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.schedule_laws.history import History
from scalinglaws.comparison.schedule_laws.records import Records
from scalinglaws.comparison.separable.minimise import End
from scalinglaws.comparison.separable.problem import Problem
from scalinglaws.comparison.separable.search import listed

__all__ = ["Identified", "identify"]

Array = NDArray[np.float64]

_VAGUE = 0.5
"""A parameter whose relative standard error exceeds this is not identified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """How well a fit is determined.

    Parameters
    ----------
    condition
        Condition number of the Jacobian with columns of unit length; infinite if a parameter has no effect.
    at_bounds
        Parameters that ended on a bound.
    vague
        Parameters that the runs do not determine.
    warnings
        The same, as sentences.
    """

    condition: float
    at_bounds: tuple[str, ...]
    vague: tuple[str, ...]
    warnings: tuple[str, ...]


def identify(problem: Problem[History], end: End, records: Records) -> Identified:
    """Judge the end of a fit by its Jacobian, with errors enlarged for correlation along the curves."""
    found = problem.evaluate(end.theta)
    assert found is not None  # the end of a fit is a place where the law is defined
    residuals, jacobian = found
    lower, upper = problem.bounds
    bound = (end.theta <= lower) | (end.theta >= upper)
    errors, condition = _errors(jacobian, residuals, records)
    amplitudes = np.arange(errors.size) < len(problem.law.amplitudes)
    size = np.where(amplitudes, np.abs(end.theta), 1.0)  # errors relative to the parameter itself
    errors = np.divide(errors, size, out=np.full(errors.size, np.inf), where=size > 0)
    names = np.array(problem.names)
    signed = np.isin(names, problem.law.signed)
    vague = tuple(str(n) for n in names[(errors > _VAGUE) & ~bound & ~signed])
    at_bounds = tuple(str(n) for n in names[bound])
    return Identified(
        condition=condition,
        at_bounds=at_bounds,
        vague=vague,
        warnings=tuple(_sentences(problem, records, vague, at_bounds)),
    )


def _errors(jacobian: Array, residuals: Array, records: Records) -> tuple[Array, float]:
    """Return the standard error of each coordinate, and the condition number."""
    length = np.linalg.norm(jacobian, axis=0)
    if np.any(length == 0):
        some = length > 0
        errors = np.full(length.size, np.inf)
        if some.any():
            errors[some] = _errors(jacobian[:, some], residuals, records)[0]
        return errors, np.inf
    _, values, vectors = np.linalg.svd(jacobian / length, full_matrices=False)
    spread = np.sqrt(np.mean(residuals**2) * _correlation_factor(residuals, records))
    inverse = 1.0 / np.maximum(values, 1e-15 * values[0])
    errors = spread * np.sqrt(np.sum((vectors.T * inverse) ** 2, axis=1)) / length
    return errors, float(values[0] * inverse[-1])


def _correlation_factor(residuals: Array, records: Records) -> float:
    """Return the records per independent one, from the correlation of neighbours: (1 + rho) / (1 - rho)."""
    pairs = [(residuals[part][:-1], residuals[part][1:]) for part in records.slices]
    product = sum(float(a @ b) for a, b in pairs)
    square = 0.5 * sum(float(a @ a + b @ b) for a, b in pairs)
    rho = float(np.clip(product / square, 0.0, 0.99)) if square > 0 else 0.0
    return (1.0 + rho) / (1.0 - rho)


def _sentences(
    problem: Problem[History], records: Records, vague: tuple[str, ...], at_bounds: tuple[str, ...]
) -> list[str]:
    said = []
    after = ~problem.look.ramp
    has_memory = len(problem.law.amplitudes) > 2
    if has_memory and not np.any(problem.look.drop[after] != 0):
        said.append(
            "no fitted run changes its rate after warm-up, so nothing tells what a fall of the rate does: "
            "forecasts for other schedules are a guess"
        )
    if vague:
        who = "the one run" if len(records.names) == 1 else f"the {len(records.names)} runs"
        verb = "does" if len(records.names) == 1 else "do"
        said.append(
            f"{who} fitted {verb} not identify {listed(vague)} (relative standard error above one half), and "
            "forecasts for other schedules inherit that"
        )
    if at_bounds:
        said.append(f"{listed(at_bounds)} ended on a bound: the law is simpler here than its formula")
    return said
