"""An optimum with its evidence as a page, with the numbers beside it as JSON."""

from __future__ import annotations

import os
from importlib.metadata import version

from scalinglaws._findings import Finding
from scalinglaws._numbers import scientific, span
from scalinglaws.errors import InputError
from scalinglaws.fitting.ridge import ridge
from scalinglaws.plotting import approach_lines, isoflop, isoflop_slices, joint_region, profile_curve, residuals
from scalinglaws.plotting.advice import size_opinions
from scalinglaws.plotting.uncertainty import rolling_errors
from scalinglaws.prediction.advising import Advice
from scalinglaws.report.evidence import evidence
from scalinglaws.report.layout import Card, Grid, Picture, fill, picture, write_page
from scalinglaws.report.words import parameter_table

__all__ = ["write_advice"]

_RIDGE_POINTS = 15
_LEGEND_LINE = 0.19  # inches


def write_advice(advice: Advice, path: str | os.PathLike[str], *, title: str = "Compute-optimal sizes") -> None:
    """Write a page to `path` (.html), and the numbers beside it as JSON, each atomically.

    Raises
    ------
    InputError
        For another suffix.
    """
    write_page(path, lambda: _page(advice, title), advice.to_dict())


def _page(advice: Advice, title: str) -> str:
    return fill(
        "page.html.j2",
        title=title,
        subtitle=f"{advice.fit.table.rows} runs, {advice.fit.law.formula}, {advice.fit.estimator.name} estimator",
        paragraph=" ".join([advice.sentence, advice.why]),
        cards=_cards(advice),
        question="How far to trust it",
        findings=_findings(advice),
        notes=[],
        figures=_pictures(advice),
        tables=[*evidence(advice), _parameters(advice), *_notes(advice)],
        provenance=_provenance(advice),
    )


def _cards(advice: Advice) -> list[Card]:
    best = advice.optimum.isel(flops=-1)
    budget = f"{scientific(float(best['flops']))} FLOP"
    percent = f"{100 * advice.level:g} %"
    return [
        _card(f"parameters at {budget}", percent, span(best, "params")),
        _card("tokens", percent, span(best, "tokens")),
        _card("loss", percent, span(best, "loss", ".4f")),
        _card("tokens per parameter", percent, span(best, "tokens_per_param", ".3g")),
    ]


def _card(label: str, percent: str, shown: str) -> Card:
    value, _, ends = shown.partition(" (")
    return Card(label, value, f"{percent}: {ends.rstrip(')')}")


def _findings(advice: Advice) -> list[Finding]:
    """List the sentence of trust, whether the approaches agree, and every caution."""
    found = [Finding("trust", advice.sound, advice.trust)]
    if advice.approaches is not None:
        agree = " agree: " in advice.approaches.sentence
        found.append(Finding("approaches", agree, advice.approaches.sentence))
    found += [Finding("caution", False, each) for each in advice.cautions]
    if not advice.cautions:
        found.append(Finding("design", True, "The design determines the law, and no run lies too far from it."))
    return found


def _pictures(advice: Advice) -> list[Picture]:
    made = [_opinions(advice), _lines(advice), _slices(advice), _rolling(advice), _profile(advice), _ridge(advice)]
    return [*(each for each in made if each is not None), _residuals(advice)]


def _opinions(advice: Advice) -> Picture:
    caption = (
        "One budget, many opinions. Orange diamond: the answer, its interval shaded. Black: laws that stand up about "
        "as well on larger runs; pale: those that do not. Blue: approaches 1 and 2. Crosses: published laws, whose "
        "runs and ways to count differ."
    )
    return picture("Who says what", caption, lambda f: size_opinions(advice, ax=f.subplots()), (8.4, 5.6))


def _lines(advice: Advice) -> Picture | None:
    found = advice.approaches
    if found is None:
        return None
    title = "Approaches side by side"
    return picture(title, found.sentence, lambda f: approach_lines(found, corrected=True, ax=f.subplots()))


def _slices(advice: Advice) -> Picture:
    """Draw measured budgets where there are any, else the fitted law at the budgets asked for."""
    found = None if advice.approaches is None else advice.approaches.isoflop
    if found is None:
        caption = "Fitted loss along model size at fixed compute; diamonds are the optima with their intervals."
        return picture(
            "Loss along size at fixed compute",
            caption,
            lambda f: isoflop(advice.fit, advice.optimum["flops"].values, level=advice.level, ax=f.subplots()),
        )
    caption = (
        "Runs of one budget each, the curve through them and its minimum; hollow where something is wrong with it."
    )
    lines = sum(1 + len(budget.codes) for budget in found.budgets) + 2
    height = max(4.4, _LEGEND_LINE * lines)  # the legend stands beside the axes and is not clipped
    return picture("isoFLOP slices", caption, lambda f: isoflop_slices(found, ax=f.subplots()), (8.4, height))


def _rolling(advice: Advice) -> Picture | None:
    rolled = advice.rolling
    if rolled is None:
        return None
    caption = (
        "Every run above an origin (dotted), predicted by the law fitted to the runs below it, with "
        f"{100 * advice.level:g} % prediction intervals."
    )
    title = "Larger runs predicted from smaller ones"
    return picture(title, caption, lambda f: rolling_errors(rolled, ax=f.subplots()))


def _profile(advice: Advice) -> Picture | None:
    """Profile N* where that is quick (a closed form), else the parameter that the data determine least."""
    fitted, trading = advice.fit, advice.design.trading
    at = {"flops": float(advice.optimum["flops"][-1])}
    try:
        if fitted.law.optimum_in_closed_form is not None:
            found = fitted.profile("n_opt", advice.level, **at)
        elif trading:
            found = fitted.profile(trading[0], advice.level)
        else:
            return None
    except InputError:  # an exact fit has no profile
        return None
    return picture("Profile", found.summary(), lambda f: profile_curve(found, ax=f.subplots()), (8.4, 3.8))


def _ridge(advice: Advice) -> Picture | None:
    """Draw the two parameters that trade off most."""
    if len(advice.design.trading) < 2:
        return None
    one, two = advice.design.trading[:2]
    try:
        found = ridge(advice.fit, one, two, points=_RIDGE_POINTS)
    except InputError:
        return None
    caption = f"Values of {one} and {two} that the runs allow together. {advice.design.direction()}"
    return picture("What trades off", caption, lambda f: joint_region(found, ax=f.subplots()), (8.4, 3.8))


def _residuals(advice: Advice) -> Picture:
    caption = f"A trend here would mean that the law is wrong. {advice.outliers.summary()}"
    return picture("Residuals", caption, lambda f: residuals(advice.fit, ax=f.subplots()), (8.4, 3.8))


def _parameters(advice: Advice) -> Grid:
    note = advice.fit.summary().split("\nwarning")[0].replace("\n", "; ") + "."
    return Grid(f"Parameters of the {advice.chosen.name} law", *parameter_table(advice.fit, advice.level), note)


def _notes(advice: Advice) -> list[Grid]:
    """List what is wrong with budgets or approaches, one row each."""
    rows = [[note] for note in advice.about_approaches[1:]]
    return [Grid("Doubts about budgets and approaches", ["note"], rows, "")] if rows else []


def _provenance(advice: Advice) -> list[str]:
    kind = advice.fit.draws.kind if advice.fit.draws else "no"
    counts = ", ".join(f"{name} {count}" for name, count in advice.replicates.items())
    return [
        f"Intervals: {100 * advice.level:g} %, {kind} bootstrap; refits: {counts}. They take the law as true.",
        "C = 6 N D along the optimum. Losses in the unit of the table.",
        f"scalinglaws {version('scalinglaws')}",
    ]
