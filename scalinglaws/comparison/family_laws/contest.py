"""Which law predicts runs of a family that it has not seen: every law on every split that the family allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from typing import Any

import xarray as xr

from scalinglaws._progress import Progress, Report, silent
from scalinglaws.comparison.family_laws.base import FamilyLaw
from scalinglaws.comparison.family_laws.curves import FamilyRecords
from scalinglaws.comparison.family_laws.judge import Verdict, judge
from scalinglaws.comparison.family_laws.registry import FAMILY_LAWS, find_family_law
from scalinglaws.comparison.family_laws.splits import KINDS, schedule_labels, splits_of
from scalinglaws.comparison.family_laws.standings import FamilyContest, standings
from scalinglaws.comparison.path import Path
from scalinglaws.errors import require

__all__ = ["contest_families"]

_MOST = 100  # records of one run, as in `fit_family`


def contest_families(
    runs: xr.Dataset,
    laws: str | FamilyLaw | Iterable[str | FamilyLaw] | None = None,
    leave_out: str | Iterable[str] | None = None,
    *,
    level: float = 0.9,
    executor: Executor | None = None,
    report: Report = silent,
    params: str = "non_embedding",
    skip: float = 0.0,
    warmup: int | None = None,
    paths: Mapping[str, Path] | None = None,
    most: int = _MOST,
    **options: Any,
) -> FamilyContest:
    """Leave out the largest sizes, the longest horizons or a schedule; let every law predict them from the rest.

    A law predicts the whole curves of the held-out runs and their end points, with intervals (see `judge`). What a
    family does not allow, or a law cannot do, is a sentence in the result and no error.

    Parameters
    ----------
    runs
        A family of runs with their learning rates.
    laws
        Names of `FAMILY_LAWS`, or laws; all registered ones by default.
    leave_out
        "size", "horizon", "schedule" (each schedule in turn) or "schedule: NAME"; the first three if None.
    level
        Nominal coverage of the prediction intervals.
    executor
        Where to fit, one task for each law and split; this process by default.
    report
        Called before each task, or, with an executor, as each one ends.
    params, skip, warmup, paths, most
        Which records are taken, as in `fit_family`; the same for all laws.
    options
        What else `fit_family` takes: `estimator`, `delta`, `starts`.

    Raises
    ------
    InputError
        For unknown laws or kinds, and for runs no law can read: without learning rates or sizes, or all diverged.

    Examples
    --------
    >>> from scalinglaws import model_family, schedules
    >>> shape = schedules.linear(0.3, 400)
    >>> runs = model_family(1.0, 0.7, sizes=[16, 24, 32, 48], horizon=(400, 1.0), schedule=shape, seeds=2)
    >>> found = contest_families(runs, ["chinchilla", "functional"])
    >>> found.errors.split.values.tolist(), list(found.refused)
    (['size'], ['horizon', 'schedule'])
    """
    require(0.0 < level < 1.0, "level", level, "must lie between 0 and 1")
    asked: Iterable[str | FamilyLaw] = FAMILY_LAWS if laws is None else laws  # type: ignore[assignment]
    chosen = [find_family_law(law) for law in ([asked] if isinstance(asked, str | FamilyLaw) else asked)]
    records = FamilyRecords.of(runs, params=params, skip=skip, warmup=warmup, paths=paths, most=most)
    kinds = [leave_out] if isinstance(leave_out, str) else list(KINDS if leave_out is None else leave_out)
    splits, refused = splits_of(records, schedule_labels(records, runs), kinds)
    tasks = [(split, law) for split in splits for law in chosen]

    def tell(done: int, item: int) -> None:
        split, law = tasks[item]
        label = f"{law}, {split.name}"
        report(Progress(label=label, item=item + 1, items=len(tasks), done=done, total=len(tasks)))

    verdicts: list[Verdict] = []
    if executor is None:
        for i, (split, law) in enumerate(tasks):
            tell(i, i)
            verdicts.append(judge(records, split, law, level, options))
    else:
        futures = [executor.submit(judge, records, split, law, level, options) for split, law in tasks]
        for i, future in enumerate(futures):
            verdicts.append(future.result())
            tell(i + 1, i)
    return standings(records, splits, chosen, verdicts, refused, level)
