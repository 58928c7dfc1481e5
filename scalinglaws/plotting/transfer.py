"""Whether a learning rate transfers over widths: the sweep of rates, the best of them, and the coordinate check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from scalinglaws.comparison.transfer import RateTransfer
from scalinglaws.plotting.style import MEASURED, PREDICTED, axes_of, label_log, size_colors

__all__ = ["CoordinateArtists", "RateArtists", "coordinate_changes", "draw_coordinates", "draw_transfer", "rate_curves"]


class RateArtists(NamedTuple):
    """What `rate_curves` drew; `kept` is missing where the best rate of the smallest width is unknown."""

    curves: list[Line2D]
    best: list[Line2D]
    kept: Line2D | None


class CoordinateArtists(NamedTuple):
    """What `coordinate_changes` drew."""

    layers: list[Line2D]


def rate_curves(found: RateTransfer, parameterization: str, *, ax: Axes | None = None) -> RateArtists:
    """Draw final loss against peak learning rate, one line a width; dots mark best rates, a line the smallest width's.

    Runs that diverged are drawn as crosses at the top edge.
    """
    ax, ds = axes_of(ax), found.dataset.sel(parameterization=parameterization)
    finite = np.isfinite(ds["loss"].values)
    top = float(ds["loss"].values[finite].max())
    colors = size_colors(ds["width"].values)
    curves, best, kept = [], [], None
    for width in ds["width"].values:
        row, ink = ds.sel(width=width), colors.to_rgba(width)
        loss = row["loss"].values
        curves += ax.plot(ds["rate"], np.where(np.isfinite(loss), loss, np.nan), ".-", color=ink, label=f"{width:g}")
        ax.plot(ds["rate"].values[np.isinf(loss)], np.full(np.isinf(loss).sum(), top), "x", color=ink)
        best += ax.plot(row["best_rate"], row["best_loss"], "o", mfc="white", mec=ink, ms=7, zorder=4)
    first = float(ds["best_rate"][0])
    if np.isfinite(first):
        kept = ax.axvline(first, color=MEASURED, lw=0.9, ls=":", label="best at the smallest width")
    ax.set(xscale="log", xlabel="peak learning rate at the base width", ylabel="final loss (nats/token)")
    label_log(ax.xaxis)
    ax.set_title(parameterization)
    ax.legend(title="width")
    return RateArtists(curves, best, kept)


def coordinate_changes(ds: xr.Dataset, *, ax: Axes | None = None) -> CoordinateArtists:
    """Draw the change of every layer's output after the last update against width, slopes in the legend."""
    ax = axes_of(ax)
    last = ds.isel(update=-1)
    lines = []
    layers = last["layer"].values
    for i, layer in enumerate(layers):
        change, slope = last["change"].sel(layer=layer).mean("seed"), float(last["slope"].sel(layer=layer))
        ink = PREDICTED if layer == "logits" else str(0.15 + 0.6 * i / len(layers))
        lines += ax.plot(ds["width"], change, ".-", color=ink, label=f"{layer}: {slope:+.2f}")
    ax.set(xscale="log", yscale="log", xlabel="width", ylabel="change of activations (root mean square)")
    ax.set_xticks(ds["width"].values, [f"{w:g}" for w in ds["width"].values])
    ax.minorticks_off()
    ax.set_title(f"{ds.attrs['parameterization']}, after {int(last['update'])} updates")
    ax.legend(title="slope", loc="upper left", bbox_to_anchor=(1.0, 1.0))  # too long to fit between the lines
    return CoordinateArtists(lines)


def draw_transfer(found: RateTransfer) -> Figure:
    """Draw the sweep of every parameterization side by side, on one scale."""
    names = found.dataset["parameterization"].values
    figure = Figure(figsize=(5.2 * len(names), 4.2), layout="constrained")
    axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for name, ax in zip(names, axes, strict=True):
        rate_curves(found, str(name), ax=ax)
    return figure


def draw_coordinates(checks: Sequence[xr.Dataset]) -> Figure:
    """Draw coordinate checks side by side, on one scale."""
    figure = Figure(figsize=(5.2 * len(checks), 4.2), layout="constrained")
    axes = figure.subplots(1, len(checks), sharey=True, squeeze=False)[0]
    for check, ax in zip(checks, axes, strict=True):
        coordinate_changes(check, ax=ax)
    return figure
