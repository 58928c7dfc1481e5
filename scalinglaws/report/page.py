"""The report as a page and as JSON: the same analysis twice, for people and for programs."""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr

from scalinglaws._files import write_text
from scalinglaws._numbers import has_optimum, plain, said_unit
from scalinglaws.plotting.style import human, scientific
from scalinglaws.report.analysis import Analysis, paragraph
from scalinglaws.report.comparison import cards, grids
from scalinglaws.report.layout import Card, Grid, fill
from scalinglaws.report.words import parameter_table, span

__all__ = ["as_json", "render", "write_report"]


def write_report(a: Analysis, path: str | os.PathLike[str], *, title: str = "Scaling report") -> None:
    """Write the page to `path` and the numbers beside it as JSON, each atomically."""
    write_text(path, render(a, title=title))
    write_text(os.fspath(path).removesuffix(".html") + ".json", json.dumps(as_json(a), indent=2) + "\n")


def render(a: Analysis, *, title: str = "Scaling report") -> str:
    """Return the self-contained HTML page: no script, no address outside itself."""
    from scalinglaws.report.figures import figures

    return fill(
        "page.html.j2",
        title=title,
        subtitle=f"{a.fit.table.rows} runs, {a.fit.law.name} law, {a.fit.estimator.name} estimator, "
        f"{said_unit(a.fit.table.loss_unit)}",
        paragraph=paragraph(a),
        cards=_cards(a),
        findings=a.findings,
        notes=[*a.notes, *filter(None, [a.about_comparison])],
        figures=figures(a),
        tables=[_held_out(a), _parameters(a), _optimum(a), *_theory(a), _runs(a)],
        provenance=_provenance(a),
    )


def as_json(a: Analysis) -> dict[str, Any]:
    """Return the analysis as plain values, ready for `json.dumps`."""
    t = a.held_out
    return {
        "paragraph": paragraph(a),
        "findings": [{"check": f.check, "ok": f.ok, "sentence": f.sentence} for f in a.findings],
        "notes": a.notes,
        "held_out": t.to_dict(),
        "fit": a.fit.to_dict(),
        "intervals": {k: list(a.fit.interval(k, level=a.level)) for k in a.fit.params},
        "optimum": plain(a.optimum),
        "runs": plain(a.table),
        "comparison": None if a.comparison is None else a.comparison.to_dict(),
        "about_comparison": a.about_comparison,
        "conventions": {"params": a.params_convention, "flops": a.flops_convention, "level": a.level},
        "version": version("scalinglaws"),
    }


def _cards(a: Analysis) -> list[Card]:
    t, best = a.held_out, a.optimum.isel(flops=-1)
    percent, unit = f"{100 * a.level:.0f} %", said_unit(a.fit.table.loss_unit)
    verdict = "inside the interval" if t.covered[0] else "outside the interval"
    return [
        Card(
            "predicted, not looked at",
            f"{t.predicted[0]:.4f}",
            f"{unit}, {percent}: {t.low[0]:.4f} to {t.high[0]:.4f}",
        ),
        Card("measured", f"{t.measured[0]:.4f}", f"{100 * t.relative_error[0]:+.2f} %, {verdict}"),
        *_optimal_cards(best, percent),
        *([] if a.comparison is None else cards(a.comparison.placement)[:1]),
    ]


def _optimal_cards(best: xr.Dataset, percent: str) -> list[Card]:
    label = f"optimal size at {scientific(float(best['flops']))} FLOP"
    if not has_optimum(best):
        return [Card(label, "none", "one term of the law does not help")]
    return [
        Card(
            label,
            human(float(best["params"])),
            f"{percent}: {human(float(best['params_low']))} to {human(float(best['params_high']))}",
        ),
        Card(
            "tokens for it",
            human(float(best["tokens"])),
            f"{float(best['tokens_per_param']):.3g} per parameter, loss {float(best['loss']):.3f}",
        ),
    ]


def _held_out(a: Analysis) -> Grid:
    t = a.held_out
    rows = [
        [
            t.names[i],
            f"{t.predicted[i]:.4f}",
            f"{t.low[i]:.4f} to {t.high[i]:.4f}",
            f"{t.measured[i]:.4f}",
            f"{100 * t.relative_error[i]:+.3f} %",
            "yes" if t.covered[i] else "no",
        ]
        for i in range(t.measured.size)
    ]
    note = (
        f"Fitted without these runs; the largest of them has {t.extrapolation:.2f} times the compute of the largest "
        "fitted run. The interval covers parameter uncertainty and the scatter of one run."
    )
    header = ["run", "predicted", f"{100 * t.level:.0f} % interval", "measured", "measured over predicted", "covered"]
    return Grid("Held-out runs", header, rows, note)


def _parameters(a: Analysis) -> Grid:
    note = (
        f"{a.fit.law.formula}, {a.fit.estimator.name} estimator: objective {a.fit.objective:.8e} "
        f"(sum over {a.fit.table.loss.size} runs), scaled gradient {a.fit.gradient_norm:.1e}, "
        f"{a.fit.starts.agreeing} of {a.fit.starts.tried} starts agree, condition number {a.fit.condition:.0f}, "
        f"{'converged' if a.fit.converged else 'NOT converged'}. Intervals: {_resampling(a)}."
    )
    return Grid("Fitted law (all runs)", *parameter_table(a.fit, a.level), note)


def _resampling(a: Analysis) -> str:
    draws = a.fit.draws
    return "none" if draws is None else f"{draws.kind} bootstrap by {draws.by}, {draws.noise.size} refits"


def _optimum(a: Analysis) -> Grid:
    reach = a.optimum["flops"].values / float(a.table["flops"].max())
    rows = []
    for i, factor in enumerate(reach):
        row = a.optimum.isel(flops=i)
        names = [
            span(row, "params"),
            span(row, "tokens"),
            span(row, "tokens_per_param", ".3g"),
            span(row, "loss", ".4f"),
        ]
        rows.append([scientific(float(row["flops"])), f"{factor:.3g}", *names])
    header = ["FLOP", "times largest run", "parameters", "tokens", "tokens/parameter", "loss"]
    return Grid(
        "Compute-optimal sizes", header, rows, "C = 6 N D. Intervals are of the fitted law, not of one future run."
    )


def _theory(a: Analysis) -> list[Grid]:
    return [] if a.comparison is None else grids(a.comparison)


def _runs(a: Analysis) -> Grid:
    fitted = a.fit.predict(a.table["params"].values, a.table["tokens"].values)
    order = np.argsort(a.table["flops"].values)
    rows = [
        [
            str(a.table["run"].values[i]),
            human(float(a.table["params"][i])),
            human(float(a.table["tokens"][i])),
            scientific(float(a.table["flops"][i])),
            f"{float(a.table['loss'][i]):.4f}",
            f"{fitted[i]:.4f}",
        ]
        for i in order[-200:]
    ]
    note = "" if order.size <= 200 else f"The 200 largest of {order.size} runs; the JSON file has them all."
    return Grid("Runs", ["run", "parameters", "tokens", "FLOP", "final loss", "fitted"], rows, note)


def _provenance(a: Analysis) -> list[str]:
    source = a.curves if a.curves is not None else a.table
    kept = {
        k: v for k, v in source.attrs.items() if k not in ("Conventions", "featureType", "schema", "notes", "ladder")
    }
    lines = [
        f"N counts {a.params_convention.replace('_', '-')} parameters, C is {a.flops_convention}, D is tokens seen.",
        _loss_line(a),
        f"scalinglaws {version('scalinglaws')}, numpy {np.__version__}, xarray {xr.__version__}",
    ]
    return lines + [f"{key}: {value}" for key, value in kept.items()]


def _loss_line(a: Analysis) -> str:
    squared = a.fit.table.loss_unit == "1"
    what = "held-out mean squared errors" if squared else "natural-log cross-entropies on held-out text"
    return f"Losses are {what}; every interval names its level."
