"""The loss curve under a schedule that was not run, with its interval and what other laws say.

One forecast for each model size, from the runs of that size: a schedule law has no size in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from scalinglaws._progress import Progress, Report, silent
from scalinglaws.comparison.path import Path
from scalinglaws.comparison.schedule_laws.base import ScheduleLaw, path_of
from scalinglaws.comparison.schedule_laws.fit import fit_schedule
from scalinglaws.comparison.schedule_laws.history import ramp_end
from scalinglaws.comparison.schedule_laws.records import by_size
from scalinglaws.comparison.schedule_laws.registry import SCHEDULE_LAWS, find_schedule_law
from scalinglaws.comparison.schedule_laws.result import ScheduleFit
from scalinglaws.curves import select
from scalinglaws.errors import require
from scalinglaws.schedules import Schedule, parse

__all__ = ["Forecast", "forecast_schedule"]

_POINTS = 200


@dataclass(frozen=True, kw_only=True, eq=False)
class Forecast:
    """The forecast for the runs of one size.

    Parameters
    ----------
    size
        Which runs; a label of `by_size`.
    target
        What was asked for, in words.
    path
        Its learning rates.
    fit
        The law behind the forecast.
    others
        Fits of the other laws to the same runs, by name.
    curve
        Over `step`: loss, loss_low, loss_high, lr.
    judged
        Errors of every law on the runs that were not fitted, over `law` and `run`; None if all were.
    cautions
        Sentences: where the forecast leaves what was fitted, and the warnings of the fit.
    """

    size: str
    target: str
    path: Path
    fit: ScheduleFit
    others: Mapping[str, ScheduleFit]
    curve: xr.Dataset
    judged: xr.Dataset | None
    cautions: tuple[str, ...]

    def end(self) -> tuple[float, float, float]:
        """Return the loss at the end with the ends of its interval."""
        return tuple(float(self.curve[name][-1]) for name in ("loss", "loss_low", "loss_high"))  # type: ignore[return-value]

    def opinions(self) -> dict[str, float]:
        """Return the end loss by every law, the one behind the forecast first."""
        fits = {self.fit.law.name: self.fit, **self.others}
        return {name: float(fit.predict(self.path)[-1]) for name, fit in fits.items()}


def forecast_schedule(
    runs: xr.Dataset,
    target: str | Schedule | Path,
    law: str | ScheduleLaw = "noise",
    *,
    fit_to: Iterable[str] | None = None,
    others: Iterable[str | ScheduleLaw] | None = None,
    steps: int | None = None,
    level: float = 0.9,
    replicates: int = 100,
    rng: np.random.Generator | np.random.SeedSequence | int | None = 0,
    report: Report = silent,
    **options: Any,
) -> list[Forecast]:
    """Fit laws to measured runs and forecast the loss curve of another schedule, for each size in the family.

    Parameters
    ----------
    runs
        A family of runs with their learning rates.
    target
        A schedule or path; or its short form (`schedules.parse`), with the largest peak, the length and the warm-up
        of the fitted runs unless it says otherwise: "wsd:0.2", "cosine:floor=0.1,peak=1e-3".
    law
        The law behind the forecast.
    fit_to
        Names of the runs to fit, all by default; the others are judged.
    others
        Laws to compare with; all registered ones by default.
    steps
        Length of the target, for the short form.
    level, replicates, rng
        Of the interval; see `ScheduleFit.interval`.
    report
        Called before each fit.
    options
        As for `fit_schedule`.

    Raises
    ------
    InputError
        For unknown names and short forms, runs without learning rates, and sizes none of whose runs is fitted.
    """
    _check(target, steps, level, replicates)
    law = find_schedule_law(law)
    rivals = [find_schedule_law(other) for other in (SCHEDULE_LAWS if others is None else others)]
    rivals = [rival for rival in rivals if rival.name != law.name]
    wanted = None if fit_to is None else list(fit_to)
    groups = by_size(runs if wanted is None else _sizes_of(runs, wanted))
    forecasts = []
    for i, (size, group) in enumerate(groups.items()):
        names = [str(name) for name in group["run"].values]
        fitted = [name for name in names if wanted is None or name in wanted]
        fits = {}
        for j, one in enumerate([law, *rivals]):
            done, total = i * (len(rivals) + 1) + j, len(groups) * (len(rivals) + 1)
            report(Progress(label=f"{one}, {size}", item=done + 1, items=total, done=done, total=total))
            fits[one.name] = fit_schedule(select(group, fitted), one, **options)
        unseen = [name for name in names if name not in fitted]
        judged = _judge(fits, select(group, unseen), options) if unseen else None
        forecasts.append(_forecast(size, target, steps, fits, judged, (level, replicates, rng)))
    return forecasts


def _check(target: str | Schedule | Path, steps: int | None, level: float, replicates: int) -> None:
    """Refuse what would only fail after the fits."""
    require(0.0 < level < 1.0, "level", level, "must lie between 0 and 1")
    require(replicates >= 2, "replicates", replicates, "must be 2 or more")
    require(steps is None or steps >= 2, "steps", steps, "must be 2 or more")
    if isinstance(target, str):
        parse(target, peak=1.0, steps=10**9 if steps is None else steps)


def _sizes_of(runs: xr.Dataset, wanted: list[str]) -> xr.Dataset:
    """Keep the sizes that have a run to fit."""
    select(runs, wanted)  # refuses unknown names
    require(bool(wanted), "fit", wanted, "must name a run or more")
    groups = by_size(runs).values()
    kept = [name for group in groups for name in group["run"].values if set(group["run"].values) & set(wanted)]
    return select(runs, kept)


def _judge(fits: Mapping[str, ScheduleFit], runs: xr.Dataset, options: Mapping[str, Any]) -> xr.Dataset:
    taken = {name: options[name] for name in ("skip", "warmup", "paths") if name in options}
    rows = [fit.metrics(runs, **taken) for fit in fits.values()]
    return xr.concat(rows, "law", combine_attrs="drop").assign_coords(law=list(fits))


def _forecast(
    size: str,
    target: str | Schedule | Path,
    steps: int | None,
    fits: dict[str, ScheduleFit],
    judged: xr.Dataset | None,
    interval: tuple[float, int, Any],
) -> Forecast:
    fit, *_ = fits.values()
    fitted = [path for path, _ in fit.records.look.curves]
    path = _target(target, steps, fitted)
    begin = max(ramp_end(path), 1)
    grid = np.unique(np.round(np.linspace(begin, path.steps, _POINTS)).astype(np.int64))
    level, replicates, rng = interval
    draws = fit.bootstrap(replicates, rng=rng)
    low, high = fit.interval(path, grid, level=level, draws=draws)
    columns = {"loss": fit.predict(path, grid), "loss_low": low, "loss_high": high, "lr": path.rate[grid - 1]}
    curve = xr.Dataset({k: ("step", v) for k, v in columns.items()}, coords={"step": grid}, attrs={"level": level})
    words = target if isinstance(target, str) else target.shape if isinstance(target, Schedule) else "the given rates"
    return Forecast(
        size=size,
        target=words,
        path=path,
        fit=fit,
        others={name: other for name, other in fits.items() if other is not fit},
        curve=curve,
        judged=judged,
        cautions=(*_reach(path, fitted), *_blind(draws.left_out, len(fitted)), *fit.warnings),
    )


def _target(target: str | Schedule | Path, steps: int | None, fitted: list[Path]) -> Path:
    if not isinstance(target, str):
        return path_of(target)
    longest = max(fitted, key=lambda path: path.steps)
    length = longest.steps if steps is None else steps
    peak = max(path.peak for path in fitted)
    return Path.of_schedule(parse(target, peak=peak, steps=length, warmup=min(ramp_end(longest), length - 1)))


def _blind(left_out: int, runs: int) -> list[str]:
    """Say where the interval does not know how wrong the law is on another schedule."""
    if left_out == 0:
        return ["no run could be left out, so the interval does not hold the law's own error on another schedule"]
    if runs == 1:
        return ["one run was fitted: the law's own error is judged on the last third of that run alone"]
    return []


def _reach(path: Path, fitted: list[Path]) -> list[str]:
    """Say where a schedule leaves the range of what was fitted."""
    said = []
    longer = path.steps / max(other.steps for other in fitted)
    if longer > 1.02:  # the last logging interval is no extrapolation
        said.append(f"the schedule is {longer:.3g} times as long as the longest fitted run")
    higher = path.peak / max(other.peak for other in fitted)
    if higher > 1.001:
        said.append(f"its peak rate is {higher:.3g} times the largest fitted one")
    return said
