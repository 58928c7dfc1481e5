"""The report's figures, each drawn into an address that the page carries inside itself."""

from __future__ import annotations

from matplotlib.figure import Figure

from scalinglaws.curves import iter_runs
from scalinglaws.plotting import (
    agreement,
    compute_curves,
    data_term,
    held_out,
    isoflop,
    residuals,
    size_term,
    styled,
)
from scalinglaws.report.analysis import Analysis
from scalinglaws.report.comparison import pictures
from scalinglaws.report.layout import Picture, picture

__all__ = ["figures"]


def figures(a: Analysis) -> list[Picture]:
    """Draw every figure the analysis has the data for."""
    drawn = [_curves, _held_out, _terms, _isoflop] if a.curves is not None else [_held_out, _terms, _isoflop]
    with styled():
        made = [draw(a) for draw in drawn]
        return made + ([] if a.comparison is None else pictures(a.comparison))


def _curves(a: Analysis) -> Picture:
    def draw(figure: Figure) -> None:
        assert a.curves is not None
        compute_curves(a.curves, params=a.params_convention, flops=a.flops_convention, ax=figure.subplots())

    caption = (
        "Held-out loss of every run against the compute it has spent; dots mark the ends. The dashed line is the best "
        "loss any run reached within a budget. Points inside a run are measured before its learning rate has decayed, "
        "so only the dots enter the fit."
    )
    return picture("Loss curves over compute", caption, draw)


def _held_out(a: Analysis) -> Picture:
    t = a.held_out
    curve = None
    if a.curves is not None:
        curve = next(r for r in iter_runs(a.curves) if r.name == t.names[0])
    kept = ", ".join(t.names[:3]) + (f" and {len(t.names) - 3} more" if len(t.names) > 3 else "")
    caption = (
        f"Kept from the fit: {kept}. The diamond is the final loss that the law predicts from the "
        f"other {t.fit.table.rows} runs, with its {100 * t.level:.0f} % prediction interval."
    )

    def draw(figure: Figure) -> None:
        if curve is None or curve.tokens is None:
            agreement(t, ax=figure.subplots())
            return
        left, right = figure.subplots(1, 2)
        held_out(t, curve, ax=left)
        agreement(t, ax=right)

    return picture("The held-out run: predicted against measured", caption, draw, (9.6, 4.2))


def _terms(a: Analysis) -> Picture:
    hidden = 0

    def draw(figure: Figure) -> None:
        nonlocal hidden
        axes = figure.subplots(1, 3)
        hidden = size_term(a.fit, ax=axes[0]).hidden + data_term(a.fit, ax=axes[1]).hidden
        residuals(a.fit, ax=axes[2])

    made = picture("The fit: loss against size, against data, and what is left", "", draw, (10.4, 3.7))
    omitted = f" {hidden} points below the fitted limit cannot be shown on a log axis." if hidden else ""
    return made._replace(
        caption="Left and middle: the loss above its fitted limit with the other term taken out by the law (coloured "
        "by the other quantity), and the law. Right: residuals; a trend here would mean the law is wrong." + omitted
    )


def _isoflop(a: Analysis) -> Picture:
    caption = (
        "Fitted loss along model size at fixed compute, C = 6 N D. Diamonds: the compute-optimal size with its "
        f"{100 * a.level:.0f} % bootstrap interval. Dots: the measured runs, coloured by their own compute."
    )

    def draw(figure: Figure) -> None:
        isoflop(a.fit, a.optimum["flops"].values, level=a.level, ax=figure.subplots())

    return picture("IsoFLOP curves and the compute-optimal size", caption, draw)
