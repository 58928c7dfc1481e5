"""How far a schedule law misses a run it was not fitted to: the larger part of a forecast's error.

Refits of resampled residuals know how well the records determine the parameters, not how wrong the law is on another
schedule. So each run is left out in turn, or, of a single run, its last third, and predicted from the rest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.schedule_laws.history import History

if TYPE_CHECKING:
    from scalinglaws.comparison.separable.problem import Problem

__all__ = ["unseen_errors"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_MOST = 6
"""Runs that are left out in turn, at most."""

_STARTS = 2


def unseen_errors(problem: Problem[History]) -> list[Array]:
    """Return the log errors, predicted minus measured, on the second half of each run or part that was left out.

    Parameters
    ----------
    problem
        What was fitted. Leaving a run out must leave records enough, and one fall of the rate that the law can
        learn from, else it says nothing about the law.

    Returns
    -------
        One array for each run left out; empty where nothing could be.
    """
    slices = [part for _, part in problem.look.curves]
    every = np.arange(problem.loss.size)
    if len(slices) > 1:
        chosen = np.unique(np.linspace(0, len(slices) - 1, min(_MOST, len(slices))).round().astype(np.int64))
        parts = [every[slices[i]] for i in chosen]
    else:
        parts = [every[2 * every.size // 3 :]]
    found = [_error(problem, np.setdiff1d(every, part), part) for part in parts]
    return [error for error in found if error is not None]


def _error(problem: Problem[History], kept: Index, left: Index) -> Array | None:
    known = _part(problem, kept)
    if kept.size <= len(problem.names) or not _tells_of_decay(known):
        return None
    ends = [known.solve(known.smooth(start.theta)) for start in known.starts()[:_STARTS]]
    solved = [end for end in ends if end is not None]
    if not solved:
        return None
    there = _part(problem, left[left.size // 2 :]).evaluate(min(solved, key=lambda end: end.objective).theta)
    return None if there is None else there[0]


def _tells_of_decay(problem: Problem[History]) -> bool:
    return len(problem.law.amplitudes) <= 2 or bool(np.any(problem.look.drop[~problem.look.ramp] > 0))


def _part(problem: Problem[History], keep: Index) -> Problem[History]:
    return replace(problem, look=History.take(problem.look, keep), loss=problem.loss[keep])
