"""Refits of a family with its runs resampled: a bootstrap whose units are runs.

Where every group has two seeds or more, seeds are drawn with replacement within their group, and the spread of the
refits is enlarged for the seeds that a group lacks (n / (n - 1)). Otherwise whole residual curves change sign run
by run (wild cluster bootstrap; Cameron, Gelbach, Miller, Rev. Econ. Stat. 90 (2008) 414), which takes what the law
misses in each run for an independent draw.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scalinglaws._workers import cores
from scalinglaws.comparison.family_laws.covariance import replicated
from scalinglaws.comparison.family_laws.curves import FamilyCurves, FamilyRecords
from scalinglaws.comparison.separable.problem import Problem
from scalinglaws.errors import require

__all__ = ["FamilyDraws", "resample_runs"]

Array = NDArray[np.float64]

_REFIT = 30  # iterations; refits begin at the fit
_CLOSE = 1e-5  # and may stop where a step promises less than this share of the objective: far below their own spread
_SHARES = 4
"""Tasks for each worker, so that none waits long for another."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FamilyDraws:
    """Refits of resampled families.

    Parameters
    ----------
    theta
        Coordinates of each refit, shape (replicates, p).
    by_seed
        Whether seeds were drawn, else signs of whole residual curves.
    """

    theta: Array
    by_seed: bool


def resample_runs(
    problem: Problem[FamilyCurves],
    records: FamilyRecords,
    theta: Array,
    replicates: int,
    rng: np.random.SeedSequence | int | None,
    executor: Executor | None,
) -> FamilyDraws:
    """Refit `replicates` resampled families, starting at the fit `theta`; the same for any number of workers."""
    require(isinstance(replicates, int) and replicates >= 2, "replicates", replicates, "must be an integer, 2 or more")
    root = rng if isinstance(rng, np.random.SeedSequence) else np.random.SeedSequence(rng)
    seeds = root.spawn(replicates)
    if executor is None:
        rows = _refits(problem, records, theta, seeds)
    else:
        size = -(-replicates // (_SHARES * cores()))
        tasks = [
            executor.submit(_refits, problem, records, theta, seeds[i : i + size]) for i in range(0, replicates, size)
        ]
        rows = [row for task in tasks for row in task.result()]
    by_seed = replicated(records.curves.group)
    drawn = np.array(rows)
    if by_seed:
        count = np.bincount(records.curves.group)
        lacking = float(np.mean(count / (count - 1.0)))
        drawn = np.clip(theta + np.sqrt(lacking) * (drawn - theta), *problem.bounds)
    return FamilyDraws(theta=drawn, by_seed=by_seed)


def _refits(
    problem: Problem[FamilyCurves], records: FamilyRecords, theta: Array, seeds: list[np.random.SeedSequence]
) -> list[Array]:
    draw = _draw_seeds if replicated(records.curves.group) else _flip_runs
    rows = []
    for seed in seeds:
        end = draw(problem, records, theta, np.random.default_rng(seed)).solve(theta, iterations=_REFIT, flat=_CLOSE)
        assert end is not None  # the law is defined at the fit, whatever the losses
        rows.append(end.theta)
    return rows


def _draw_seeds(
    problem: Problem[FamilyCurves], records: FamilyRecords, theta: Array, rng: np.random.Generator
) -> Problem[FamilyCurves]:
    del theta
    group = records.curves.group
    members = [np.flatnonzero(group == g) for g in range(int(group.max()) + 1)]
    drawn = records.take(np.concatenate([rng.choice(m, size=m.size) for m in members]))
    return replace(problem, look=drawn.curves, loss=drawn.loss)


def _flip_runs(
    problem: Problem[FamilyCurves], records: FamilyRecords, theta: Array, rng: np.random.Generator
) -> Problem[FamilyCurves]:
    found = problem.residuals(theta)
    assert found is not None
    sign = rng.choice([0.0, 2.0], size=len(records.curves.names))  # log loss + r is the law, + 2 r its mirror image
    return replace(problem, loss=records.loss * np.exp(sign[records.curves.run] * found))
