"""The main job as one call: measured runs in; health, fit, held-out test and optimum out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from scalinglaws._numbers import has_optimum, said_unit
from scalinglaws.comparison.family_laws import FamilyRecords
from scalinglaws.curves import end_points
from scalinglaws.errors import InputError, require
from scalinglaws.fitting import Fit, fit
from scalinglaws.plotting.style import human, scientific
from scalinglaws.prediction import Finding, HeldOut, check_curves, check_table, optimal, predict_held_out
from scalinglaws.prediction.placing import Placement, place
from scalinglaws.report.comparison import Comparison, compare

__all__ = ["Analysis", "analyse", "paragraph"]

_NOT_PLACED = "not placed on the phase diagram"
_SIZES = 3
"""Fewest sizes of a family that is placed on the phase diagram: its law has two parameters of size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Everything the report shows.

    Attributes
    ----------
    curves
        The family of runs, or None when only end points were given.
    table
        End points: params, tokens, flops and loss over `run`.
    findings
        Health of the family.
    held_out
        The blind test: a fit without the held-out runs, its predictions and what was measured.
    fit
        The fit to all runs, with its bootstrap; the optimum comes from it.
    optimum
        Dataset over `flops`: the compute-optimal params, tokens and loss with intervals.
    level
        Level of every interval.
    comparison
        The runs on the phase diagram of the solvable model, and its forecast of the largest size; None where the runs
        do not allow it, and `about_comparison` says why.
    """

    curves: xr.Dataset | None
    table: xr.Dataset
    findings: list[Finding]
    held_out: HeldOut
    fit: Fit
    optimum: xr.Dataset
    params_convention: str
    flops_convention: str
    level: float
    notes: list[str]
    comparison: Comparison | None
    about_comparison: str


def analyse(
    data: xr.Dataset,
    *,
    hold_out: str | Sequence[str] = "largest",
    flops: ArrayLike | None = None,
    law: str = "chinchilla",
    estimator: str = "huber",
    params: str = "total",
    count_flops: str = "6ND",
    level: float = 0.9,
    replicates: int = 2000,
    rng: int = 0,
    theory: bool = False,
    executor: Executor | None = None,
) -> Analysis:
    """Check a family, test the law on held-out runs, fit it to all of them and read off the optimum.

    Parameters
    ----------
    data
        A family of curves (`scalinglaws.read_curves`) or a table of end points (`scalinglaws.read_table`).
    hold_out
        Names of the runs kept from the blind fit, or "largest" for the one with the most compute and its seeds.
    flops
        Budgets of the optimum in FLOP, shape (k,); by default the largest compute of the table times 0.1, 1 and 10.
    law, estimator
        As for `scalinglaws.fit`.
    params, count_flops
        How N and C are counted: `PARAMS_CONVENTIONS` and `FLOPS_CONVENTIONS` of `scalinglaws.curves.schema`.
    level
        Level of the intervals.
    replicates
        Bootstrap refits.
    theory
        Place the runs on the phase diagram of the solvable model too, which takes a minute or so.
    executor
        Where the runs are placed while all else is done here.
    """
    require(0 < level < 1, "level", level, "must lie strictly between 0 and 1")
    curves = data if "row_size" in data else None
    about = _why_not_placed(curves) if theory else ""
    placeable = theory and not about
    placing = executor.submit(place, data, level=level) if placeable and executor else None
    table = end_points(data, params=params, flops=count_flops) if curves is not None else data
    test = predict_held_out(
        table, hold_out=hold_out, law=law, estimator=estimator, level=level, replicates=replicates, rng=rng
    )
    fitted = fit(table, law=law, estimator=estimator).bootstrap(replicates=replicates, rng=rng)
    budgets = float(table["flops"].max()) * np.array([0.1, 1.0, 10.0]) if flops is None else np.atleast_1d(flops)
    comparison, about = _comparison(data, level, placing) if placeable else (None, about)
    return Analysis(
        curves=curves,
        table=table,
        findings=(check_curves(curves) if curves is not None else []) + check_table(table),
        held_out=test,
        fit=fitted,
        optimum=optimal(fitted, budgets, level=level),
        params_convention=params,
        flops_convention=count_flops,
        level=level,
        notes=_notes(data),
        comparison=comparison,
        about_comparison=about,
    )


def _why_not_placed(curves: xr.Dataset | None) -> str:
    """Say what a family lacks for the solvable model; nothing if it can be tried."""
    if curves is None:
        return "end points alone, without curves and learning rates, cannot be placed on the phase diagram"
    try:
        sizes = np.unique(FamilyRecords.of(curves).curves.size).size
        require(sizes >= _SIZES, "sizes", sizes, f"must be {_SIZES} or more")
    except InputError as error:
        return f"{_NOT_PLACED}: {error}"
    return ""


def _comparison(curves: xr.Dataset, level: float, placing: Future[Placement] | None) -> tuple[Comparison | None, str]:
    """Hold the runs against the solvable model, or say why that is not possible."""
    try:
        return compare(curves, leave_out=("size",), level=level, placing=placing), ""
    except InputError as error:
        return None, f"{_NOT_PLACED}: {error}"


def _notes(data: xr.Dataset) -> list[str]:
    raw: Any = data.attrs.get("notes", "[]")
    return [str(n) for n in (json.loads(raw) if isinstance(raw, str) else raw)]


def paragraph(a: Analysis) -> str:
    """Write the one paragraph a colleague could read: what was done, what came out, how far to trust it."""
    said = [_family_sentence(a), _test_sentence(a), _optimum_sentence(a), _trust_sentence(a)]
    return " ".join(said + ([] if a.comparison is None else [a.comparison.sentence]))


def _family_sentence(a: Analysis) -> str:
    n, d = a.table["params"].values, a.table["tokens"].values
    failed = [f for f in a.findings if not f.ok]
    health = "Every check of the family passed." if not failed else f"{len(failed)} of {len(a.findings)} checks failed."
    return (
        f"{n.size} runs of {human(n.min())} to {human(n.max())} parameters trained on {human(d.min())} to "
        f"{human(d.max())} tokens were analysed. {health}"
    )


def _test_sentence(a: Analysis) -> str:
    t = a.held_out
    inside = int(np.sum(t.covered))
    if t.measured.size > 1:
        worst = 100 * np.max(np.abs(t.relative_error))
        return (
            f"Predicting {t.measured.size} held-out runs, of up to {t.extrapolation:.1f} times the compute of the "
            f"largest fitted run, the {a.fit.law.name} law was off by at most {worst:.2f} % and {inside} of them fell "
            f"inside their {100 * a.level:.0f} % intervals."
        )
    verdict, unit = "inside" if inside else "outside", said_unit(a.fit.table.loss_unit)
    return (
        f"Fitted without the run {t.names[0]}, which took {t.extrapolation:.1f} times the compute of the largest "
        f"fitted run, the {a.fit.law.name} law predicts its final loss as {t.predicted[0]:.4f} {unit} "
        f"({100 * a.level:.0f} % interval {t.low[0]:.4f} to {t.high[0]:.4f}); measured was {t.measured[0]:.4f}, "
        f"{verdict} the interval and {100 * t.relative_error[0]:+.2f} % from the prediction."
    )


def _optimum_sentence(a: Analysis) -> str:
    best = a.optimum.isel(flops=-1)
    if not has_optimum(best):
        return "The fitted law has no compute-optimal size: one of its terms does not help."
    low, high = float(best["params_low"]), float(best["params_high"])
    return (
        f"With {scientific(float(best['flops']))} FLOP the compute-optimal model has {human(float(best['params']))} "
        f"parameters ({human(low)} to {human(high)}) and sees {human(float(best['tokens']))} tokens, "
        f"{float(best['tokens_per_param']):.3g} per parameter, for a loss of {float(best['loss']):.3f} "
        f"({float(best['loss_low']):.3f} to {float(best['loss_high']):.3f}) {said_unit(a.fit.table.loss_unit)}."
    )


def _trust_sentence(a: Analysis) -> str:
    factor = float(a.optimum["flops"].max() / a.table["flops"].max())
    reach = "lies within the measured range" if factor <= 1 else f"is {human(factor)} times the largest measured run"
    caution = " ".join(a.fit.warnings)
    warned = f" The fit warns: {caution}" if caution else ""
    budget = "That budget" if has_optimum(a.optimum.isel(flops=-1)) else "The largest budget asked for"
    return f"{budget} {reach}; the intervals hold only as far as the law itself does.{warned}"
