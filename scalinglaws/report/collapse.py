"""A collapse as a page or a picture, with its numbers beside it as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from scalinglaws._files import atomic_path, write_text
from scalinglaws._numbers import said_unit
from scalinglaws.comparison.collapsing.result import Collapse
from scalinglaws.comparison.collapsing.sizes import BANDS
from scalinglaws.plotting.collapse import (
    deviation_curves,
    draw_collapse,
    end_losses,
    normalised_curves,
    size_differences,
)
from scalinglaws.plotting.style import styled
from scalinglaws.report.diagram import check_out
from scalinglaws.report.layout import Card, Grid, Picture, fill, picture

__all__ = ["write_collapse"]

_VIEWS: tuple[tuple[str, str, Callable[..., object]], ...] = (
    (
        "Normalised curves",
        "Loss less the irreducible loss, over its value at the end of the same run, against the share of the run's "
        "horizon. Curves of a well-scaled family lie on one another.",
        normalised_curves,
    ),
    (
        "Deviation against seed noise",
        "Orange: spread of the normalised curves over all runs, relative to their mean. Black: spread of the loss "
        "between seeds before it is normalised, by size (thin) and on average. Below the noise, the runs agree better "
        "than two seeds of one size do.",
        deviation_curves,
    ),
    (
        "Sizes one by one",
        "Mean curve of each size over the mean of all. All are 1 at the end by construction; a size that leaves the "
        "others, or an orderly fan of sizes, is a fault of scaling.",
        size_differences,
    ),
    (
        "Irreducible loss",
        "Final losses against compute. The grey band is what they leave open for the irreducible loss.",
        end_losses,
    ),
)


def write_collapse(c: Collapse, path: str | os.PathLike[str], *, title: str = "Collapse of loss curves") -> None:
    """Draw a collapse to `path` (.html, .png or .svg), and write its numbers beside it as JSON, each atomically.

    Raises
    ------
    InputError
        For another suffix.
    """
    out = check_out(path)
    with styled():
        if out.suffix == ".html":
            write_text(out, _page(c, title))
        else:
            with atomic_path(out) as temporary:
                draw_collapse(c).savefig(temporary, format=out.suffix[1:])
    write_text(Path(out).with_suffix(".json"), json.dumps(c.to_dict(), indent=2) + "\n")


def _page(c: Collapse, title: str) -> str:
    sizes = c.dataset.sizes
    return fill(
        "page.html.j2",
        title=title,
        subtitle=f"{sizes['run']} runs, {sizes['size']} sizes, {said_unit(c.dataset['loss'].attrs['units'])}",
        paragraph=c.verdict,
        cards=_cards(c),
        findings=c.findings,
        notes=[],
        figures=[_view(c, *view) for view in _VIEWS],
        tables=[_sizes(c)],
        provenance=_provenance(c),
    )


def _view(c: Collapse, title: str, caption: str, draw: Callable[..., object]) -> Picture:
    return picture(title, caption, lambda figure: draw(c, ax=figure.subplots()))


def _cards(c: Collapse) -> list[Card]:
    percent = f"{100 * c.level:.0f} %"
    low, high = c.onset_interval
    since = Card("below seed noise from", "unknown", "one seed per size")
    if np.isfinite(c.onset):
        detail = f"{percent}: {100 * (1 - high):.3g} to {100 * (1 - low):.3g} %" if np.isfinite(low) else "no interval"
        since = Card("below seed noise from", f"{100 * (1 - c.onset):.3g} %", f"of training on, {detail}")
    floor = c.irreducible
    span = f"{floor.low:.4f} to {floor.high:.4f}" if np.isfinite(floor.low) else "not fitted"
    return [
        since,
        Card("deviation, second half", _percent(c.mean_deviation.value), f"{percent}: {_span(c.mean_deviation)}"),
        Card("seed noise, second half", _percent(c.mean_noise.value), f"{percent}: {_span(c.mean_noise)}"),
        Card(f"irreducible loss, {floor.source}", f"{floor.value:.4f}", f"ends: {span}"),
    ]


def _percent(value: float) -> str:
    return f"{100 * value:.3g} %" if np.isfinite(value) else "unknown"


def _span(interval: tuple[float, float, float]) -> str:
    _, low, high = interval
    return f"{100 * low:.3g} to {100 * high:.3g} %" if np.isfinite(low) else "no interval"


def _sizes(c: Collapse) -> Grid:
    ds = c.dataset
    mean = ds["size_mean"].values.mean(axis=0)
    x = ds["x"].values
    odd = {o.size for o in c.odd.found}
    rows = []
    for p, name in enumerate(ds["label"].values):
        relative = ds["size_mean"].values[p] / mean - 1.0
        bands = [float(np.nanmean(relative[(x >= low) & (x <= high)])) for low, high in BANDS.values()]
        half = float(ds["sigma"].values[p][(x >= 0.5) & (x < 1.0)].mean())
        cells = [f"{100 * v:+.2f} %" for v in bands]
        rows.append([str(name), str(int(ds["seeds"].values[p])), *cells, _percent(half), "off" if p in odd else ""])
    header = ["size", "runs", *BANDS, "seed noise, second half", ""]
    note = "Mean curve of each size over the mean of all sizes, averaged over the bands of x " + ", ".join(
        f"{name} ({low:g} to {high:g})" for name, (low, high) in BANDS.items()
    )
    return Grid("Sizes", header, rows, note + ".")


def _provenance(c: Collapse) -> list[str]:
    kept = {k: v for k, v in c.dataset.attrs.items() if k not in ("left_out", "repairs", "version")}
    return [
        f"Intervals: {100 * c.level:.0f} %, {c.replicates} bootstrap resamples of seeds; sizes are taken as they are.",
        *(f"{name}: {value}" for name, value in kept.items()),
        f"scalinglaws {version('scalinglaws')}",
    ]
