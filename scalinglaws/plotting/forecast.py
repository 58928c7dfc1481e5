"""The loss curve forecast for a schedule that was not run, among the curves it is based on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from scalinglaws.comparison.schedule_laws import Forecast
from scalinglaws.plotting.style import MEASURED, PREDICTED, axes_of

__all__ = ["ForecastArtists", "draw_forecasts", "forecast_curve", "rates"]

_FITTED = "#7a8594"


class ForecastArtists(NamedTuple):
    """What `forecast_curve` drew."""

    measured: list[Line2D]
    fitted: list[Line2D]
    forecast: Line2D
    band: PolyCollection
    others: list[Line2D]


def forecast_curve(forecast: Forecast, *, ax: Axes | None = None) -> ForecastArtists:
    """Draw the fitted curves, the law on them, and the forecast with its interval; other laws' ends as ticks.

    Parameters
    ----------
    forecast
        From `scalinglaws.comparison.forecast_schedule`.
    """
    ax = axes_of(ax)
    records, curve = forecast.fit.records, forecast.curve
    said = np.exp(forecast.fit.residuals()) * records.loss
    measured, fitted = [], []
    for part in records.slices:
        step = records.look.step[part]
        measured += ax.plot(step, records.loss[part], color=MEASURED, lw=0.9, alpha=0.75)
        fitted += ax.plot(step, said[part], color=_FITTED, lw=0.9, ls="--")
    measured[0].set_label(f"measured ({len(measured)} run{'s' if len(measured) > 1 else ''})")
    fitted[0].set_label(f"{forecast.fit.law} law on them")
    step, level = curve["step"].values, 100 * float(curve.attrs["level"])
    band = ax.fill_between(step, curve["loss_low"], curve["loss_high"], color=PREDICTED, alpha=0.22, lw=0)
    (line,) = ax.plot(step, curve["loss"], color=PREDICTED, lw=1.5, zorder=4)
    line.set_label(f"forecast: {forecast.end()[0]:.4f}, {level:.0f} % interval")
    others = []
    for marker, (name, loss) in zip("osv^<>x+", list(forecast.opinions().items())[1:], strict=False):
        others += ax.plot(step[-1:], [loss], marker, color=PREDICTED, mfc="none", clip_on=False, ls="none", zorder=5)
        others[-1].set_label(f"{name} says {loss:.4f}")
    ends = [*(float(records.loss[p].min()) for p in records.slices), float(curve["loss_low"].min())]
    bottom = min(ends)
    top = float(np.quantile(np.concatenate([records.loss, curve["loss"].values]), 0.93))
    ax.set_ylim(bottom - 0.06 * (top - bottom), top)
    ax.set(xlabel="updates", ylabel="held-out loss (nats/token)", title=forecast.size)
    ax.legend(loc="upper right")
    return ForecastArtists(measured, fitted, line, band, others)


def rates(forecast: Forecast, *, ax: Axes | None = None) -> list[Line2D]:
    """Draw the learning rates of the fitted runs and of the forecast, the latter last."""
    ax = axes_of(ax)
    lines = []
    for path, _ in forecast.fit.records.look.curves:
        lines += ax.plot(np.arange(path.steps), path.rate, color=MEASURED, lw=0.9, alpha=0.75)
    lines += ax.plot(np.arange(forecast.path.steps), forecast.path.rate, color=PREDICTED, lw=1.5)
    ax.set(xlabel="updates", ylabel="learning rate")
    ax.set_ylim(bottom=0)
    return lines


def draw_forecasts(forecasts: list[Forecast]) -> Figure:
    """Draw learning rates over the forecast for each size, two sizes in a row."""
    columns = min(len(forecasts), 2)
    rows = -(-len(forecasts) // columns)
    figure = Figure(figsize=(8.0 * columns, 6.8 * rows), layout="constrained")
    parts = figure.subfigures(rows, columns, squeeze=False).ravel()
    for part, forecast in zip(parts, forecasts, strict=False):
        above, below = part.subplots(2, 1, sharex=True, height_ratios=(1, 3))
        rates(forecast, ax=above)
        forecast_curve(forecast, ax=below)
        above.set(xlabel="", title=f"{forecast.size}: {forecast.target}")
        below.set_title("")
    return figure
