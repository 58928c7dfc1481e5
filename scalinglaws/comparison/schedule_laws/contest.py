"""Which law predicts schedules it has not seen: every law is fitted to the same runs and judged on all others.

Runs of several sizes are fitted size by size, with one set of parameters each, and judged together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from scalinglaws._progress import Progress, Report, silent
from scalinglaws.comparison.path import Path
from scalinglaws.comparison.schedule_laws.base import ScheduleLaw
from scalinglaws.comparison.schedule_laws.fit import fit_schedule
from scalinglaws.comparison.schedule_laws.records import by_size
from scalinglaws.comparison.schedule_laws.registry import SCHEDULE_LAWS, find_schedule_law
from scalinglaws.comparison.schedule_laws.result import ScheduleFit
from scalinglaws.curves import select
from scalinglaws.errors import InputError

__all__ = ["Contest", "contest"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Contest:
    """Laws against each other on held-out schedules.

    Parameters
    ----------
    errors
        Over `law` and `run`: R2, MAE, RMSE, PredE, WorstE and end of each held-out curve (see `metrics.Errors`).
    fits
        The fit of each size and law, by (size, law).
    notes
        Sizes that took no part, and why.
    """

    errors: xr.Dataset
    fits: Mapping[tuple[str, str], ScheduleFit]
    notes: tuple[str, ...]

    def table(self) -> xr.Dataset:
        """Return the mean over the held-out curves, over `law`, best first by MAE, with the number of parameters."""
        means = self.errors.mean("run")
        laws = [str(name) for name in self.errors["law"].values]
        free = {name: len(fit.problem.names) for (_, name), fit in self.fits.items()}
        means["parameters"] = ("law", [free[name] for name in laws])
        return means.isel(law=np.argsort(means["MAE"].values))


def contest(
    runs: xr.Dataset,
    train: Iterable[str],
    laws: Iterable[str | ScheduleLaw] | None = None,
    *,
    skip: float = 0.0,
    warmup: int | None = None,
    paths: Mapping[str, Path] | None = None,
    report: Report = silent,
    **options: Any,
) -> Contest:
    """Fit laws to the runs named in `train` and judge them on the others.

    Parameters
    ----------
    runs
        A family of runs, of one size or several.
    train
        Names of the runs to fit.
    laws
        All registered ones by default.
    skip, warmup, paths, options
        As for `fit_schedule`; `skip` holds for the judged records too.
    report
        Called before each fit.

    Raises
    ------
    InputError
        For names that are not of the family, and if no size has a run to fit and one to judge.

    Examples
    --------
    >>> import json
    >>> from scalinglaws import schedules
    >>> from scalinglaws.curves import Run, from_runs
    >>> values, step = {"L0": 2.0, "A": 1.0, "C": 1.0, "alpha": 0.5, "forget": 0.05}, np.arange(20, 401, 20)
    >>> law = find_schedule_law("momentum")
    >>> made = []
    >>> for schedule in (schedules.cosine(0.1, 400), schedules.wsd(0.1, 400), schedules.linear(0.1, 400)):
    ...     text, loss = json.dumps(schedule.to_dict()), law.predict(values, schedule, step)
    ...     made.append(Run(name=schedule.shape, step=step, loss=loss, params={}, schedule=text))
    >>> found = contest(from_runs(made), ["cosine", "wsd"], ["tau-power", "momentum"])
    >>> found.table().law.values.tolist(), found.errors.run.values.tolist()
    (['momentum', 'tau-power'], ['linear'])
    """
    wanted = [train] if isinstance(train, str) else list(train)
    select(runs, wanted)  # refuses unknown names
    chosen = [find_schedule_law(law) for law in (SCHEDULE_LAWS if laws is None else laws)]
    parts, notes = [], []
    for size, group in by_size(runs).items():
        names = [str(name) for name in group["run"].values]
        fitted = [name for name in names if name in wanted]
        judged = [name for name in names if name not in wanted]
        if fitted and judged:
            parts.append((size, select(group, fitted), select(group, judged)))
        else:
            notes.append(f"{size}: {'no run to judge' if fitted else 'no run to fit'}, left out")
    if not parts:
        raise InputError(f"train = {wanted}: leaves no size with both a run to fit and another one to judge")
    fits: dict[tuple[str, str], ScheduleFit] = {}
    by_law = []
    for i, law in enumerate(chosen):
        rows = []
        for j, (size, fitted_runs, judged_runs) in enumerate(parts):
            done = i * len(parts) + j
            total = len(chosen) * len(parts)
            report(Progress(label=f"{law}, {size}", item=done + 1, items=total, done=done, total=total))
            fit = fit_schedule(fitted_runs, law, skip=skip, warmup=warmup, paths=paths, **options)
            fits[size, law.name] = fit
            rows.append(fit.metrics(judged_runs, skip=skip, warmup=warmup, paths=paths))
        by_law.append(xr.concat(rows, "run", combine_attrs="drop"))
    errors = xr.concat(by_law, "law", combine_attrs="drop").assign_coords(law=[law.name for law in chosen])
    return Contest(errors=errors, fits=fits, notes=tuple(notes))
