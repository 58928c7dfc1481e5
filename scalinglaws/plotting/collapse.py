"""A collapse in four views: normalised curves, deviation against noise, the sizes one by one, the fit of the ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from scalinglaws.comparison.collapsing.irreducible import PFLOP
from scalinglaws.comparison.collapsing.result import Collapse
from scalinglaws.plotting.style import MEASURED, PREDICTED, axes_of, in_unit, label_log, size_colors

__all__ = [
    "DeviationArtists",
    "DifferenceArtists",
    "EndArtists",
    "NormalisedArtists",
    "deviation_curves",
    "draw_collapse",
    "end_losses",
    "normalised_curves",
    "size_differences",
]

Array = NDArray[np.float64]

_BAND = "#d8dce2"


class NormalisedArtists(NamedTuple):
    """What `normalised_curves` drew."""

    curves: list[Line2D]
    mean: Line2D


class DeviationArtists(NamedTuple):
    """What `deviation_curves` drew; parts that are unknown are missing."""

    delta: Line2D
    sigma: Line2D | None
    by_size: list[Line2D]
    onset: Line2D | None


class DifferenceArtists(NamedTuple):
    """What `size_differences` drew."""

    sizes: list[Line2D]
    zero: Line2D


class EndArtists(NamedTuple):
    """What `end_losses` drew; without a fit there is no law."""

    points: PathCollection
    law: Line2D | None


def normalised_curves(c: Collapse, *, ax: Axes | None = None, log: bool = False) -> NormalisedArtists:
    """Draw the normalised curve of every run, one colour per size, and their mean.

    Parameters
    ----------
    c
        From `collapse`.
    log
        Logarithmic y axis.
    """
    ax, ds = axes_of(ax), c.dataset
    x = ds["x"].values
    colors = size_colors(ds["size"].values)
    curves = []
    for ell, n in zip(ds["ell"].values, ds["run_size"].values, strict=True):
        curves += ax.plot(x, ell, color=colors.to_rgba(n), lw=0.7, alpha=0.8)
    (mean,) = ax.plot(x, ds["mean"].values, color=MEASURED, lw=1.4, ls="--", label="mean of all runs")
    _name_sizes(ax, c)
    shown = ds["ell"].values[:, x >= 0.02]
    bottom = 0.97 * float(np.nanmin(shown))
    ax.set_ylim(bottom, min(float(np.nanmax(shown)), 4.0 * float(np.nanmedian(shown))))
    if log:
        ax.set_yscale("log")
        label_log(ax.yaxis)
    ax.set(xlim=(0, 1), xlabel="normalised compute x = t / t*", ylabel="normalised loss $\\ell(x)$")
    ax.legend(title="size", ncols=2)
    return NormalisedArtists(curves, mean)


def deviation_curves(c: Collapse, *, ax: Axes | None = None) -> DeviationArtists:
    """Draw Delta(x) and the seed noise sigma(x), by size and on average, with the onset marked."""
    ax, ds = axes_of(ax), c.dataset
    x = ds["x"].values
    colors = size_colors(ds["size"].values)
    by_size: list[Line2D] = []
    sigma = mark = None
    if np.isfinite(ds["sigma_mean"].values).any():
        for row, n in zip(ds["sigma"].values, ds["size"].values, strict=True):
            by_size += ax.plot(x, 100 * row, color=colors.to_rgba(n), lw=0.7, alpha=0.7)
        (sigma,) = ax.plot(
            x, 100 * ds["sigma_mean"].values, color=MEASURED, lw=1.8, label="seed noise, mean over sizes"
        )
    inside = x < 1.0  # Delta(1) = 0 by construction, which a log axis has no place for
    (delta,) = ax.plot(
        x[inside], 100 * ds["delta"].values[inside], color=PREDICTED, lw=1.8, label="deviation $\\Delta$"
    )
    if np.isfinite(c.onset) and c.onset > 0:
        mark = ax.axvline(1.0 - c.onset, color=PREDICTED, lw=1.0, ls=":", label=f"below from x = {1.0 - c.onset:.3g}")
    ax.set(xlim=(0, 1), yscale="log", xlabel="normalised compute x = t / t*", ylabel="relative standard deviation (%)")
    label_log(ax.yaxis)
    ax.legend()
    return DeviationArtists(delta, sigma, by_size, mark)


def size_differences(c: Collapse, *, ax: Axes | None = None) -> DifferenceArtists:
    """Draw the mean curve of every size relative to the mean of all sizes; odd sizes are drawn heavier."""
    ax, ds = axes_of(ax), c.dataset
    x = ds["x"].values
    means = ds["size_mean"].values
    relative = 100 * (means / means.mean(axis=0) - 1.0)
    colors = size_colors(ds["size"].values)
    odd = {o.size for o in c.odd.found}
    zero = ax.axhline(0.0, color=MEASURED, lw=0.8)
    lines = []
    for p, (row, n) in enumerate(zip(relative, ds["size"].values, strict=True)):
        heavy = p in odd
        name = f"{ds['label'].values[p]}: off" if heavy else None
        lines += ax.plot(x, row, color=PREDICTED if heavy else colors.to_rgba(n), lw=2.2 if heavy else 1.1, label=name)
    reach = 1.15 * float(np.nanmax(np.abs(relative[:, x >= 0.1])))
    ax.set(xlim=(0, 1), xlabel="normalised compute x = t / t*", ylabel="size's mean curve over the mean (%)")
    if reach > 0:
        ax.set_ylim(-reach, reach)
    if odd:
        ax.legend()
    return DifferenceArtists(lines, zero)


def end_losses(c: Collapse, *, ax: Axes | None = None) -> EndArtists:
    """Draw final losses against compute, the fitted L0 + a C^-b, and the interval of L0."""
    ax, ds = axes_of(ax), c.dataset
    compute, final = ds["compute"].values, ds["loss"].values[:, -1]
    colors = size_colors(ds["size"].values).to_rgba(ds["run_size"].values)
    points = ax.scatter(compute, final, c=colors, s=18, zorder=3)
    line = None
    fit = c.irreducible.fit
    in_flops = ds["compute"].attrs["units"] == "FLOP"
    if fit is not None:
        unit = PFLOP if in_flops else float(np.exp(np.mean(np.log(compute))))
        grid = np.geomspace(compute.min() / 1.5, compute.max() * 1.5, 100)
        (line,) = ax.plot(grid, fit.L0 + fit.a * (grid / unit) ** -fit.b, color=PREDICTED, label="$L_0 + a\\,C^{-b}$")
        ax.axhspan(fit.low, fit.high, color=_BAND, zorder=0, label=f"$L_0$, {100 * fit.level:.0f} % interval")
    ax.axhline(c.irreducible.value, color=MEASURED, lw=1.0, ls="--", label=f"subtracted: {c.irreducible.value:.4g}")
    ax.set(xscale="log", xlabel=f"compute at the end, 6 N t* ({'FLOP' if in_flops else 'arbitrary units'})")
    ax.set_ylabel(in_unit("final loss", ds["loss"].attrs["units"]))
    ax.legend()
    return EndArtists(points, line)


def draw_collapse(c: Collapse) -> Figure:
    """Draw all four views as one figure."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    axes = figure.subplots(2, 2)
    views: tuple[Callable[..., object], ...] = (normalised_curves, deviation_curves, size_differences, end_losses)
    for draw, ax in zip(views, axes.flat, strict=True):
        draw(c, ax=ax)
    return figure


def _name_sizes(ax: Axes, c: Collapse) -> None:
    """Put one entry per size into the legend: all of a few, the ends and the middle of many."""
    sizes, labels = c.dataset["size"].values, c.dataset["label"].values
    colors = size_colors(sizes)
    shown = range(sizes.size) if sizes.size <= 8 else (0, sizes.size // 2, sizes.size - 1)
    for p in shown:
        ax.plot([], [], color=colors.to_rgba(sizes[p]), label=str(labels[p]))
