"""The search from several starts, and what their ends say about the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scalinglaws.comparison.separable.minimise import End
from scalinglaws.comparison.separable.problem import Problem, Start
from scalinglaws.errors import InputError, require
from scalinglaws.fitting import Starts

__all__ = ["agreement", "doubts", "gradient_norm", "listed", "search"]

_SAME = 1e-4
"""Starts agree whose objectives differ by less than this, relatively."""


def search(
    problem: Problem[Any], count: int | None = None, *, screened: bool = False, starts: Sequence[Start] | None = None
) -> list[End]:
    """Minimise from the first `count` starts of the law, all by default; return the ends that are defined.

    Parameters
    ----------
    problem
        What is fitted.
    count
        How many starts.
    screened
        Take the best starts that differ widely rather than the first, which costs nothing more.
    starts
        Those of the law, where they are known already.

    Raises
    ------
    InputError
        For more starts than there are, and where the law is undefined at all of them.
    """
    known = problem.starts() if starts is None else list(starts)
    if screened:
        known = _apart(sorted(known, key=problem.worth), len(problem.law.amplitudes))
    if count is not None:
        require(1 <= count <= len(known), "starts", count, f"must lie between 1 and {len(known)}, what the law offers")
    ends = [problem.solve(problem.smooth(start.theta)) for start in known[:count]]
    found = [end for end in ends if end is not None]
    if not found:
        raise InputError(f"law = {problem.law.name}: gives no positive loss at any of its starts for these runs")
    return found


def _apart(starts: list[Start], amplitudes: int) -> list[Start]:
    """Put those first that share at most half of their shapes with each one before: neighbours end alike."""
    chosen: list[Start] = []
    late: list[Start] = []
    for start in starts:
        shared = [np.isclose(start.theta, other.theta)[amplitudes:].sum() for other in chosen]
        near = any(2 * count > start.theta.size - amplitudes for count in shared)
        (late if near else chosen).append(start)
    return chosen + late


def gradient_norm(end: End, amplitudes: int) -> float:
    """Return the largest derivative of the log objective by a log parameter."""
    unit = np.where(np.arange(end.theta.size) < amplitudes, end.theta, 1.0)
    return float(np.abs(end.gradient * unit).max()) / max(end.objective, 1e-18)


def agreement(ends: Sequence[End]) -> Starts:
    """Count the ends whose objective is that of the best."""
    objectives = np.array([end.objective for end in ends])
    best = float(objectives.min())
    return Starts(
        tried=len(ends),
        agreeing=int(np.sum(objectives <= best * (1.0 + _SAME) + 1e-14)),
        best=best,
        worst=float(objectives.max()),
    )


def doubts(best: End, ends: Sequence[End]) -> list[str]:
    """Say what about the search itself should be doubted; nothing for a healthy one."""
    said = []
    if not best.converged:
        said.append("the search did not converge: take the parameters as a description of these curves only")
    if len(ends) > 1 and agreement(ends).agreeing == 1:
        said.append("no two starts ended at the same objective: a better fit may exist")
    return said


def listed(names: Sequence[str]) -> str:
    """Join names as a sentence does.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
