"""Fit a schedule law to measured curves: several starts, a robust objective, and what the runs do not tell in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws.comparison.path import Path
from scalinglaws.comparison.schedule_laws.base import ScheduleLaw
from scalinglaws.comparison.schedule_laws.identify import Identified, identify
from scalinglaws.comparison.schedule_laws.records import Records, by_size
from scalinglaws.comparison.schedule_laws.registry import find_schedule_law
from scalinglaws.comparison.schedule_laws.result import ScheduleFit
from scalinglaws.comparison.separable.fitted import outcome
from scalinglaws.comparison.separable.minimise import End
from scalinglaws.comparison.separable.problem import Problem
from scalinglaws.comparison.separable.search import doubts, search
from scalinglaws.errors import InputError, require
from scalinglaws.fitting import estimator as find_estimator

__all__ = ["fit_schedule"]

Array = NDArray[np.float64]

_ESTIMATORS = ("huber", "log-l2")
_MOST = 400  # records of one run: neighbours are correlated, and more of them cost time and tell nothing


def fit_schedule(
    runs: xr.Dataset,
    law: str | ScheduleLaw = "noise",
    *,
    estimator: str = "huber",
    delta: float = 1e-3,
    starts: int | None = None,
    fixed: Mapping[str, float] | None = None,
    skip: float = 0.0,
    warmup: int | None = None,
    paths: Mapping[str, Path] | None = None,
) -> ScheduleFit:
    """Fit one law jointly to the loss curves of some runs of one size.

    The objective is a plain sum over records; of a run with more than 400 after warm-up, 400 are taken evenly.

    Parameters
    ----------
    runs
        A family of runs of one model, with their learning rates; see `by_size` for more than one.
    law
        A name of `SCHEDULE_LAWS`, or a law.
    estimator, delta
        "huber" with its threshold, or "log-l2", of the log residuals; see `scalinglaws.fitting.estimator`.
    starts
        How many of the law's starts to use; all of them by default.
    fixed
        Shapes to hold, for example `{"forget": 1e-3}` of the momentum law.
    skip
        Fraction of each run's updates whose records are left out at its start; records of the warm-up always are.
    warmup
        Updates of linear warm-up before the first record, where the rule of `Path.of_run` is not wanted.
    paths
        Learning rates by run name, where they are known better than from the records.

    Raises
    ------
    InputError
        For unknown names, runs of several sizes, runs without learning rates, and too few records.

    Examples
    --------
    >>> from scalinglaws import schedules
    >>> from scalinglaws.comparison.schedule_laws import find_schedule_law
    >>> from scalinglaws.curves import Run, from_runs
    >>> schedule = schedules.constant(0.1, steps=400)
    >>> step = np.arange(20, 401, 20)
    >>> loss = find_schedule_law("tau-power").predict({"L0": 2.0, "A": 1.0, "alpha": 0.5}, schedule, step)
    >>> import json
    >>> run = Run(name="a", step=step, loss=loss, params={}, schedule=json.dumps(schedule.to_dict()))
    >>> fit = fit_schedule(from_runs([run]), "tau-power")
    >>> {name: round(value, 3) for name, value in fit.params.items()}
    {'L0': 2.0, 'A': 1.0, 'alpha': 0.5}
    """
    if estimator not in _ESTIMATORS:
        raise InputError(f"estimator = {estimator!r}: must be one of {', '.join(_ESTIMATORS)} for schedule laws")
    sizes = by_size(runs)
    if len(sizes) > 1:
        raise InputError(f"runs: are of {len(sizes)} sizes ({', '.join(sizes)}), and a schedule law is fitted to one")
    law = find_schedule_law(law)
    records = Records.of(runs, skip=skip, warmup=warmup, paths=paths, most=_MOST)
    problem = Problem(
        law=law,
        look=records.look,
        loss=records.loss,
        estimator=find_estimator(estimator, delta),
        fixed=dict(fixed or {}),
    )
    enough = records.loss.size > len(problem.names)
    require(enough, "records", records.loss.size, f"must exceed the {len(problem.names)} parameters of {law.name}")
    ends = search(problem, starts)
    best = min(ends, key=lambda end: end.objective)
    known = identify(problem, best, records)
    return ScheduleFit(
        **outcome(problem, best, ends),
        condition=known.condition,
        at_bounds=known.at_bounds,
        warnings=_sentences(best, ends, known, records),
        records=records,
    )


def _sentences(best: End, ends: list[End], known: Identified, records: Records) -> tuple[str, ...]:
    said = doubts(best, ends)
    if records.left_out:
        said.append(f"{', '.join(records.left_out)} diverged and is left out")
    return (*said, *known.warnings)
