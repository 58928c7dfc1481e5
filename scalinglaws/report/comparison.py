"""Theory against measurement: where the runs lie on the phase diagram, and which law predicts the runs left out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import xarray as xr

from scalinglaws._findings import Finding
from scalinglaws._progress import Report, silent
from scalinglaws.comparison.family_laws import FamilyContest, contest_families
from scalinglaws.fitting.result import certificate
from scalinglaws.plotting.family_contest import draw_family_contest
from scalinglaws.plotting.placement import draw_placement
from scalinglaws.prediction.placing import Placement, place
from scalinglaws.prediction.placing.metric import check_level
from scalinglaws.report.layout import Card, Grid, Picture, fill, picture, write_page

__all__ = ["LAWS", "Comparison", "cards", "compare", "grids", "pictures", "write_comparison"]

LAWS = ("chinchilla", "functional", "plrf")
"""Laws of the contest unless others are named: the empirical baseline, theory's law of schedules, the model itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Measured runs held against the solvable model.

    Parameters
    ----------
    placement
        Where they lie on the phase diagram.
    contest
        What each law predicts of the runs left out.
    """

    placement: Placement
    contest: FamilyContest

    @property
    def sentence(self) -> str:
        """The answer in a few sentences."""
        return f"{self.placement.sentence} {self.contest.verdict}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {"placement": self.placement.to_dict(), "contest": self.contest.to_dict()}


def compare(
    runs: xr.Dataset,
    *,
    laws: Sequence[str] = LAWS,
    leave_out: Sequence[str] | None = None,
    level: float = 0.9,
    params: str = "non_embedding",
    starts: int = 3,
    report: Report = silent,
    placing: Future[Placement] | None = None,
) -> Comparison:
    """Place a family of runs on the phase diagram, and let laws predict the runs it can spare.

    Parameters
    ----------
    runs
        A family of runs with their learning rates.
    laws
        Names of `comparison.family_laws.FAMILY_LAWS`.
    leave_out
        As for `contest_families`; all that the family allows if None.
    level
        Level of the region and of all intervals.
    params
        What counts as N.
    starts
        Descents of each fit; 1 is a third of the time, and does not say whether others end elsewhere.
    report
        Called before each fit of the contest.
    placing
        The placement, where it is under way already (`executor.submit(place, runs)`); made here otherwise.

    Raises
    ------
    InputError
        For runs that no family law can be fitted to, and as `place`.
    """
    check_level(level)  # before the fits, which take their time
    contest = contest_families(runs, laws, leave_out, level=level, params=params, report=report, starts=starts)
    placement = place(runs, level=level, params=params, starts=starts) if placing is None else placing.result()
    return Comparison(placement=placement, contest=contest)


def write_comparison(
    c: Comparison, path: str | os.PathLike[str], *, title: str = "Measured runs and the solvable model"
) -> None:
    """Write a page to `path` (.html), and the numbers beside it as JSON, each atomically.

    Raises
    ------
    InputError
        For another suffix.
    """
    write_page(path, lambda: _page(c, title), c.to_dict())


def _page(c: Comparison, title: str) -> str:
    curves = c.placement.fit.records.curves
    return fill(
        "page.html.j2",
        title=title,
        subtitle=f"{len(curves.names)} runs, {len(set(curves.size.tolist()))} sizes, {c.placement.fit.law.formula}",
        paragraph=c.sentence,
        cards=cards(c.placement),
        question="How far to trust it",
        findings=_findings(c.placement),
        notes=list(c.placement.why_not),
        figures=pictures(c),
        tables=grids(c),
        provenance=[
            "Errors count runs, not records. Probabilities take the solvable model as true, for a flat prior.",
            f"scalinglaws {version('scalinglaws')}",
        ],
    )


def cards(placed: Placement) -> list[Card]:
    """Show the phase and both exponents at a glance."""
    percent = f"{100 * placed.level:.0f} %"
    best = next(iter(placed.probabilities))
    shown = [Card("phase", placed.phase, f"{best} has probability {placed.probabilities[best]:.2f}")]
    for name in ("alpha", "beta", "size_exponent", "loss_exponent"):
        low, high = placed.interval(name)
        label = {"size_exponent": "size exponent of theory", "loss_exponent": "loss exponent of theory"}.get(name, name)
        shown.append(Card(label, f"{getattr(placed, name):.3f}", f"{percent}: {low:.3f} to {high:.3f}"))
    return shown


def pictures(c: Comparison) -> list[Picture]:
    """Draw the placement, and the contest where there was one."""
    made = [_diagram(c.placement)]
    if c.contest.errors.sizes["split"]:
        caption = (
            "Mean error of each law on the end points of the runs left out of its fit. Theory's laws are filled; where "
            "a size has several seeds, the mark is their scatter, which no law can be below on average."
        )
        height = 1.6 + 0.9 * c.contest.errors.sizes["split"]
        made.append(
            picture(
                "Which law predicts what was left out",
                caption,
                lambda figure: draw_family_contest(c.contest, ax=figure.subplots()),
                (8.4, max(height, 3.0)),
            )
        )
    return made


def _diagram(placed: Placement) -> Picture:
    caption = (
        "Phases of compute-optimal training of the solvable model over data complexity alpha and target complexity "
        "beta, coloured by the exponent of the loss; orange: where these runs lie. " + placed.sentence
    )
    return picture(
        "Which phase are the runs in?", caption, lambda figure: draw_placement(placed, ax=figure.subplots()), (8.4, 5.4)
    )


def grids(c: Comparison) -> list[Grid]:
    """List exponents, the fitted parameters and the errors of the contest."""
    return [_exponents(c.placement), _parameters(c.placement), *_contest(c.contest)]


def _exponents(placed: Placement) -> Grid:
    rows = [list(row) for row in placed.exponent_rows()]
    note = (
        "Size exponent: how the compute-optimal size grows with compute. Loss exponent: how the reducible loss falls "
        f"with it. {100 * placed.level:.0f} % intervals; those of theory take the model as true."
    )
    return Grid("Exponents: theory and measurement", ["", "size exponent", "loss exponent"], rows, note)


def _parameters(placed: Placement) -> Grid:
    fit = placed.fit
    rows = []
    for name, value in fit.params.items():
        known = name in fit.problem.names and name not in fit.at_bounds
        low, high = fit.interval(name, level=placed.level) if known else (float("nan"), float("nan"))
        rows.append([name, f"{value:.5g}", f"{low:.4g} to {high:.4g}" if known else "on a bound"])
    note = f"{certificate(fit)}. {' '.join(f'{sentence}.' for sentence in fit.loose)}"
    return Grid(
        "The solvable model, fitted", ["parameter", "value", f"{100 * placed.level:.0f} % interval"], rows, note
    )


def _contest(contest: FamilyContest) -> list[Grid]:
    made = []
    for split in contest.errors["split"].values.tolist():
        row = contest.errors.sel(split=split)
        rows = [
            [str(law), *(f"{100 * float(row[name].sel(law=law)):.2f} %" for name in ("end_error", "curve_error"))]
            for law in row["law"].values
        ]
        header = ["law", "mean error, end points", "mean error, curves"]
        made.append(Grid(f"Left out: {split}", header, rows, _prose(contest.remarks(split))))
    if made:
        made[-1] = made[-1]._replace(note=f"{made[-1].note} {_prose(contest.conditions)}")
    return made


def _prose(lines: list[str]) -> str:
    """Join lines to a paragraph."""
    said = [line.strip() for line in lines]
    return " ".join(f"{line[0].upper()}{line[1:]}." for line in said)


def _findings(placed: Placement) -> list[Finding]:
    fitted = Finding("search", placed.fit.converged, certificate(placed.fit))
    return [fitted, *(Finding("caution", False, sentence) for sentence in placed.warnings)]
