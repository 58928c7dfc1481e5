"""Gradient noise: what schedules removed from the loss, measured and predicted, and how far the prediction was off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import FillBetweenPolyCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from scalinglaws.errors import InputError
from scalinglaws.plotting.style import MEASURED, PREDICTED, axes_of, human, size_colors

__all__ = ["ErrorArtists", "RemovedArtists", "draw_removed", "noise_errors", "removed_loss"]

Array = NDArray[np.float64]

_BASELINE = "#7a8594"


class RemovedArtists(NamedTuple):
    """What `removed_loss` drew."""

    measured: Line2D
    predicted: Line2D
    band: FillBetweenPolyCollection | None


class ErrorArtists(NamedTuple):
    """What `noise_errors` drew."""

    targets: PathCollection
    means: Line2D
    baseline: Line2D | None


def removed_loss(curves: xr.Dataset, run: str, *, ax: Axes | None = None) -> RemovedArtists:
    """Draw by how much the loss of one annealed run differs from its constant run's at equal gradient-flow time.

    Parameters
    ----------
    curves
        `Explanation.curves`, or `NoiseForecast.curves(...)`, whose interval is drawn too.
    run
        One of its runs.

    Raises
    ------
    InputError
        For an unknown run.
    """
    rows = _rows(curves, run)
    ax = axes_of(ax)
    tau, base = rows["tau"], rows["reference"]
    band = None
    if "low" in rows:
        low, high = (1e3 * (rows[name] - base) for name in ("low", "high"))
        band = ax.fill_between(tau, low, high, color=PREDICTED, alpha=0.18, lw=0, label=f"{_level(curves)} interval")
    (dots,) = ax.plot(tau, 1e3 * (rows["loss"] - base), ".", ms=2.5, color=MEASURED, label="measured")
    (line,) = ax.plot(tau, 1e3 * (rows["predicted"] - base), color=PREDICTED, label="predicted")
    ax.axhline(0.0, color=_BASELINE, lw=0.7)
    ax.set(xlabel=r"gradient-flow time $\tau$", ylabel="loss less constant run's\n(millinats/token)")
    return RemovedArtists(dots, line, band)


def draw_removed(curves: xr.Dataset, names: Sequence[str] | None = None, *, columns: int = 4) -> Figure:
    """Draw `removed_loss` for several runs in small panels on one scale.

    Parameters
    ----------
    curves
        As for `removed_loss`.
    names
        Runs, all by default.
    columns
        Panels side by side.
    """
    chosen = [str(n) for n in curves["run"].values] if names is None else list(names)
    if not chosen:
        raise InputError("names = []: needs one run or more")
    columns = min(columns, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = Figure(figsize=(2.9 * columns + 0.4, 2.1 * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for panel, name in zip(axes.flat, chosen, strict=False):
        removed_loss(curves, name, ax=panel)
        at = list(curves["run"].values).index(name)
        panel.set_title(_title(curves, at), fontsize=9)
        panel.set(xlabel="", ylabel="")
    for panel in axes.flat[len(chosen) :]:
        panel.set_visible(False)
    figure.supxlabel(r"gradient-flow time $\tau$ (sum of the learning rates)", fontsize=10)
    figure.supylabel("loss less constant run's\n(millinats/token)", fontsize=10, ma="center")
    axes.flat[0].legend(loc="best", fontsize=7.5)
    return figure


def noise_errors(
    errors: xr.Dataset,
    *,
    baseline: xr.Dataset | None = None,
    kinds: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> ErrorArtists:
    """Draw the mean relative error of each target by schedule, coloured by size.

    Parameters
    ----------
    errors
        `NoiseForecast.test(...)` or `Explanation.targets`.
    baseline
        The same for another model; the mean by schedule is drawn.
    kinds
        Name of the schedule of each target, where the stored ones do not tell them apart.
    """
    ax = axes_of(ax)
    stored = [str(v) for v in errors["schedule"].values] if kinds is None else list(kinds)
    if len(stored) != errors.sizes["run"]:
        raise InputError(f"kinds = {len(stored)} names: needs one for each of the {errors.sizes['run']} targets")
    order = sorted(set(stored))
    place = np.array([order.index(name) for name in stored], dtype=np.float64)
    sizes = np.where(errors["params"].values > 0, errors["params"].values, 1.0)
    colors = size_colors(sizes)
    percent = 100.0 * errors["relative"].values
    rank = np.argsort(np.argsort(sizes, kind="stable"), kind="stable") / max(sizes.size - 1, 1)
    dots = ax.scatter(percent, place + 0.5 * (rank - 0.5), c=colors.to_rgba(sizes), s=22, zorder=3)
    means = _by_kind(percent, place, len(order))
    (mark,) = ax.plot(means, np.arange(len(order)), "|", ms=22, mew=2, color=PREDICTED, label="mean of a schedule")
    other = None
    if baseline is not None:
        aligned = 100.0 * baseline["relative"].sel(run=errors["run"]).values
        (other,) = ax.plot(
            _by_kind(aligned, place, len(order)), np.arange(len(order)), "|", ms=22, mew=2, color=_BASELINE,
            label="mean of the baseline",
        )  # fmt: skip
    ax.set(yticks=np.arange(len(order)), yticklabels=order, xlabel="mean relative error of the loss (%)")
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.set_xlim(left=0.0)
    ax.legend(loc="lower right", markerscale=0.45)
    ends = [float(sizes.min()), float(sizes.max())]
    if ends[0] < ends[1]:
        bar = ax.figure.colorbar(colors, ax=ax, pad=0.02)
        bar.set_ticks(ends, labels=[human(v) for v in ends])
        bar.ax.minorticks_off()
        bar.set_label("parameters")
    return ErrorArtists(dots, mark, other)


def _rows(curves: xr.Dataset, run: str) -> dict[str, Array]:
    names = [str(n) for n in curves["run"].values]
    if run not in names:
        raise InputError(f"run = {run!r}: must be one of {', '.join(names)}")
    ends = np.cumsum(curves["row_size"].values)
    at = names.index(run)
    part = slice(int(ends[at] - curves["row_size"].values[at]), int(ends[at]))
    return {str(n): v.values[part] for n, v in curves.data_vars.items() if v.dims == ("obs",)}


def _level(curves: xr.Dataset) -> str:
    return f"{100 * float(curves.attrs['level']):.0f} %"


def _title(curves: xr.Dataset, at: int) -> str:
    size = float(curves["params"].values[at])
    schedule = str(curves["schedule"].values[at])
    said = "" if schedule.startswith("{") else schedule
    return ", ".join(part for part in (str(curves["run"].values[at]), said, human(size) if size > 0 else "") if part)


def _by_kind(values: Array, place: Array, count: int) -> Array:
    return np.array([values[place == i].mean() for i in range(count)])
