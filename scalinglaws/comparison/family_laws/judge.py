"""One law on one split of a family: fitted to some runs, it predicts the curves and the end points of the others.

The prediction interval of an end point is that of its logarithm, Student's t, from

- the covariance of the fitted parameters, clustered by run, through the law's derivatives at the end point;
- the scatter of single runs: where every fitted size has two seeds or more, that of their end points round their
  group's mean; otherwise the root mean square of the fitted runs' own end-point residuals, the law's misfit included.

It does not contain what the law misses beyond the fitted runs: that is what the contest measures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from scalinglaws.comparison.family_laws.base import FamilyLaw
from scalinglaws.comparison.family_laws.curves import FamilyCurves, FamilyRecords
from scalinglaws.comparison.family_laws.fit import fit_family
from scalinglaws.comparison.family_laws.result import FamilyFit
from scalinglaws.comparison.family_laws.splits import Split
from scalinglaws.errors import InputError

__all__ = ["Verdict", "judge", "last_records", "pooled_seed_spread"]

Array = NDArray[np.float64]

_FAULTS = (InputError, np.linalg.LinAlgError, ArithmeticError, RuntimeError)
"""What a law can end in for odd data: it is told as a sentence, so that one law does not lose the contest."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verdict:
    """How one law did on one split; arrays are over the held-out runs.

    Parameters
    ----------
    split, law
        Their names.
    failure
        Why there is no prediction; empty where there is one.
    predicted, low, high
        End points and the interval of each.
    curve_error
        Mean absolute log error along each curve.
    parameters
        How many were fitted.
    values
        Their values.
    converged, at_bounds, warnings
        As in `FamilyFit`.
    """

    split: str
    law: str
    failure: str
    predicted: Array
    low: Array
    high: Array
    curve_error: Array
    parameters: int
    values: Mapping[str, float]
    converged: bool
    at_bounds: tuple[str, ...]
    warnings: tuple[str, ...]


def judge(records: FamilyRecords, split: Split, law: FamilyLaw, level: float, options: Mapping[str, Any]) -> Verdict:
    """Fit a law to the fitted runs of a split and compare it with the held-out ones.

    Parameters
    ----------
    records
        All runs.
    level
        Nominal coverage of the intervals.
    options
        As for `fit_family`.

    Examples
    --------
    >>> from scalinglaws.comparison.family_laws.registry import find_family_law
    >>> from scalinglaws.comparison.path import Path
    >>> law, at = find_family_law("monomials"), np.arange(9, 100, 9)
    >>> curves = FamilyCurves.of([Path(rate=np.full(99, 0.1))] * 4, [10.0, 20.0, 40.0, 80.0], [at] * 4)
    >>> loss = law.predict({"E": 1.0, "A": 2.0, "B": 0.5, "a": 0.5, "b": 1.0}, curves)
    >>> split = Split(name="size", said="the largest size", fitted=np.arange(3), held=np.array([3]))
    >>> verdict = judge(FamilyRecords(curves=curves, loss=loss), split, law, 0.9, {})
    >>> verdict.converged, bool(verdict.curve_error[0] < 1e-6)
    (True, True)
    """
    train, held = records.take(split.fitted), records.take(split.held)
    try:
        fit = fit_family(train, law, **options)
        errors, jacobian = _errors(fit, held)
    except _FAULTS as fault:
        return _failed(split, law, f"{fault}" or type(fault).__name__)
    ends = last_records(held.curves)
    predicted = np.log(held.loss[ends]) + errors[ends]
    wide = _half_width(fit, jacobian[ends], level)
    return Verdict(
        split=split.name,
        law=law.name,
        failure="",
        predicted=np.exp(predicted),
        low=np.exp(predicted - wide),
        high=np.exp(predicted + wide),
        curve_error=np.array([np.mean(np.abs(errors[part])) for part in held.curves.slices]),
        parameters=len(fit.problem.names),
        values=dict(fit.params),
        converged=fit.converged,
        at_bounds=fit.at_bounds,
        warnings=fit.warnings,
    )


def last_records(curves: FamilyCurves) -> NDArray[np.int64]:
    """Return the places of the last record of each run, shape (r,)."""
    return np.array([part.stop - 1 for part in curves.slices])


def pooled_seed_spread(values: Array, group: NDArray[np.int64]) -> float:
    """Return the standard deviation between seeds of a group, pooled over groups; NaN where no group has two.

    Examples
    --------
    >>> round(pooled_seed_spread(np.array([0.0, 2.0, 5.0]), np.array([0, 0, 1])), 3)
    1.414
    """
    known, place = np.unique(group, return_inverse=True)
    spare = values.size - known.size
    if spare == 0:
        return float("nan")
    mean = np.bincount(place, values) / np.bincount(place)
    return float(np.sqrt(np.sum((values - mean[place]) ** 2) / spare))


def _errors(fit: FamilyFit, held: FamilyRecords) -> tuple[Array, Array]:
    """Log errors at all held-out records, and the derivatives of the log predictions by the fit's coordinates."""
    found = replace(fit.problem, look=held.curves, loss=held.loss, noise=None).evaluate(fit.theta)
    if found is None:
        raise InputError(f"law = {fit.law.name}: gives no positive loss for some of the held-out runs")
    return found


def _half_width(fit: FamilyFit, jacobian: Array, level: float) -> Array:
    """Half of each interval, of the logarithm."""
    ends = last_records(fit.records.curves)
    residuals = fit.residuals()[ends]
    seeds = pooled_seed_spread(residuals, fit.records.curves.group)
    single = seeds**2 if fit.spread.by_seed else float(np.mean(residuals**2))
    known = np.einsum("ri,ij,rj->r", jacobian, fit.spread.covariance, jacobian)
    quantile = student.ppf(0.5 + 0.5 * level, [fit.spread.dof(row[None]) for row in jacobian])
    return np.asarray(quantile * np.sqrt(np.maximum(known, 0.0) + single))


def _failed(split: Split, law: FamilyLaw, why: str) -> Verdict:
    nothing = np.full(split.held.size, np.nan)
    return Verdict(
        split=split.name,
        law=law.name,
        failure=why,
        predicted=nothing,
        low=nothing,
        high=nothing,
        curve_error=nothing,
        parameters=len(law.parameters),
        values={},
        converged=False,
        at_bounds=(),
        warnings=(),
    )
