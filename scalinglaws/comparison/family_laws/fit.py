"""Fit a family law jointly to the loss curves of several sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws.comparison.family_laws.base import FamilyLaw
from scalinglaws.comparison.family_laws.covariance import Sandwich, sandwich
from scalinglaws.comparison.family_laws.curves import FamilyCurves, FamilyRecords
from scalinglaws.comparison.family_laws.identify import condition_of, loose_directions, loose_words
from scalinglaws.comparison.family_laws.levels import Levels
from scalinglaws.comparison.family_laws.registry import find_family_law
from scalinglaws.comparison.family_laws.result import FamilyFit
from scalinglaws.comparison.path import Path
from scalinglaws.comparison.separable.fitted import outcome
from scalinglaws.comparison.separable.minimise import End
from scalinglaws.comparison.separable.problem import Problem, Start
from scalinglaws.comparison.separable.search import doubts, listed, search
from scalinglaws.errors import InputError, require
from scalinglaws.fitting import estimator as find_estimator

__all__ = ["fit_family"]

Array = NDArray[np.float64]

_ESTIMATORS = ("huber", "log-l2")
_NOISES = ("records", "levels")
_MOST = 100  # records of one run: all laws are smooth in the logarithm of time, and neighbours tell the same
_STARTS = 3


def fit_family(
    runs: xr.Dataset | FamilyRecords,
    law: str | FamilyLaw = "monomials",
    *,
    estimator: str = "huber",
    delta: float = 1e-2,
    noise: str = "records",
    starts: int | None = _STARTS,
    fixed: Mapping[str, float] | None = None,
    params: str = "non_embedding",
    skip: float = 0.0,
    warmup: int | None = None,
    paths: Mapping[str, Path] | None = None,
    most: int = _MOST,
) -> FamilyFit:
    """Fit one law jointly to loss curves of several sizes, batches and schedules.

    The objective is a plain sum over records; of each run at most `most` are taken, evenly in the logarithm of the
    step. Its minimum gives the parameters, never their errors: those come from the spread between runs.

    Parameters
    ----------
    runs
        A family of runs with their learning rates, or records taken from one by `FamilyRecords.of` (the arguments
        from `params` on are then not used).
    law
        A name of `FAMILY_LAWS`, or a law.
    estimator, delta
        "huber" with its threshold, or "log-l2", of the log residuals; see `scalinglaws.fitting.estimator`.
    noise
        "records" counts every record alike. "levels" allows each run to lie too high or too low as a whole and weights
        sizes by their scatter (feasible generalised least squares, see `levels.Levels`; two rounds after a fit with
        "records"): by far the better estimate where seeds differ by more than a run's own wobble.
    starts
        How many of the law's starts to descend from, the best first; all of them if None.
    fixed
        Shapes to hold, for example `{"alpha": 1.0}`.
    params
        What counts as N, a key of `schema.PARAMS_CONVENTIONS`.
    skip
        Fraction of each run's updates whose records are left out at its start; records of the warm-up always are.
    warmup
        Updates of linear warm-up before the first record, where the rule of `Path.of_run` is not wanted.
    paths
        Learning rates by run name, where they are known better than from the records.
    most
        Records to take of each run.

    Raises
    ------
    InputError
        For unknown names, runs without learning rates or sizes, and too few records.

    Examples
    --------
    >>> from scalinglaws.comparison.family_laws import find_family_law
    >>> curves = FamilyCurves.of([Path(rate=np.full(99, 0.1))] * 3, [10.0, 20.0, 40.0], [np.arange(9, 100, 9)] * 3)
    >>> loss = find_family_law("monomials").predict({"E": 1.0, "A": 2.0, "B": 0.5, "a": 0.5, "b": 1.0}, curves)
    >>> fit = fit_family(FamilyRecords(curves=curves, loss=loss), "monomials")
    >>> {name: round(value, 4) for name, value in fit.params.items()}
    {'E': 1.0, 'A': 2.0, 'B': 0.5, 'a': 0.5, 'b': 1.0}
    """
    if estimator not in _ESTIMATORS:
        raise InputError(f"estimator = {estimator!r}: must be one of {', '.join(_ESTIMATORS)} for family laws")
    require(noise in _NOISES, "noise", noise, f"must be one of {', '.join(_NOISES)}")
    records = (
        runs
        if isinstance(runs, FamilyRecords)
        else FamilyRecords.of(runs, params=params, skip=skip, warmup=warmup, paths=paths, most=most)
    )
    law = find_family_law(law)
    problem = Problem(
        law=law,
        look=records.curves,
        loss=records.loss,
        estimator=find_estimator(estimator, delta),
        fixed=dict(fixed or {}),
    )
    enough = records.loss.size > len(problem.names)
    require(enough, "records", records.loss.size, f"must exceed the {len(problem.names)} parameters of {law.name}")
    offered = problem.starts()
    ends = search(problem, starts, screened=True, starts=offered)
    if noise == "levels":
        problem, ends = _weighted(problem, ends, starts, offered)
    return _result(problem, records, ends)


def _weighted(
    problem: Problem[FamilyCurves], ends: list[End], starts: int | None, offered: list[Start]
) -> tuple[Problem[FamilyCurves], list[End]]:
    """Weight the records by what the fit missed, and again by what the better fit misses; then search from all sides.

    What one noise made a minimum need not be one of the next, so the last search looks at the law's starts as well.
    """
    best = _lowest(ends)
    for _ in range(2):
        missed = problem.residuals(best.theta)
        assert missed is not None  # the end of a search is a place where the law is defined
        problem = replace(problem, noise=Levels.of(missed, problem.look))
        end = problem.solve(best.theta)
        assert end is not None  # as above
        best = end
    return problem, [best, *search(problem, starts, screened=True, starts=offered)]


def _lowest(ends: list[End]) -> End:
    return min(ends, key=lambda end: end.objective)


def _result(problem: Problem[FamilyCurves], records: FamilyRecords, ends: list[End]) -> FamilyFit:
    best = _lowest(ends)
    found = problem.evaluate(best.theta)
    assert found is not None  # the end of a search is a place where the law is defined
    residuals, jacobian = found
    lower, upper = problem.bounds
    free = ~((best.theta <= lower) | (best.theta >= upper))
    spread = sandwich(jacobian, residuals, problem.estimator, records.curves, free)
    at_bounds = tuple(str(n) for n in np.array(problem.names)[~free])
    loose = _loose(problem, best.theta, jacobian, spread, free)
    return FamilyFit(
        **outcome(problem, best, ends),
        condition=condition_of(jacobian[:, free]),
        at_bounds=at_bounds,
        loose=loose,
        warnings=_sentences(best, ends, at_bounds, spread, records),
        records=records,
        spread=spread,
    )


def _loose(
    problem: Problem[FamilyCurves], theta: Array, jacobian: Array, spread: Sandwich, free: NDArray[np.bool_]
) -> tuple[str, ...]:
    """Sentences on directions of the log parameters; amplitudes count relative to themselves."""
    unit = np.where(np.arange(theta.size) < len(problem.law.amplitudes), theta, 1.0)[free]
    covariance = spread.covariance[np.ix_(free, free)] / np.outer(unit, unit)
    names = tuple(str(n) for n in np.array(problem.names)[free])
    return loose_words(names, loose_directions(jacobian[:, free] * unit, covariance))


def _sentences(
    best: End, ends: list[End], at_bounds: tuple[str, ...], spread: Sandwich, records: FamilyRecords
) -> tuple[str, ...]:
    said = doubts(best, ends)
    if at_bounds:
        said.append(f"{listed(at_bounds)} ended on a bound: the law is simpler here than its formula")
    if not spread.by_seed:
        said.append(
            "not every size has two seeds or more, so errors take what the law misses in each run for an independent "
            "draw"
        )
    if records.left_out:
        said.append(f"{listed(records.left_out)} diverged and is left out")
    return tuple(said)
