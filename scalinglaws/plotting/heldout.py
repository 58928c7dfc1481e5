"""What was predicted without looking, against what was measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from scalinglaws.curves import Run
from scalinglaws.plotting.style import MEASURED, PREDICTED, axes_of, in_unit, label_log
from scalinglaws.prediction import HeldOut

__all__ = ["AgreementArtists", "HeldOutArtists", "agreement", "held_out"]


class HeldOutArtists(NamedTuple):
    """What `held_out` drew."""

    curve: Line2D
    measured: Line2D
    predicted: ErrorbarContainer


class AgreementArtists(NamedTuple):
    """What `agreement` drew."""

    fitted: PathCollection
    held_out: ErrorbarContainer
    identity: Line2D


def held_out(result: HeldOut, curve: Run, *, ax: Axes | None = None) -> HeldOutArtists:
    """Draw the measured curve of one held-out run over tokens, its final loss, and the prediction with its interval.

    Parameters
    ----------
    result
        From `scalinglaws.prediction.predict_held_out`.
    curve
        One of its runs, with tokens.
    """
    ax = axes_of(ax)
    index = result.names.index(curve.name)
    measured, predicted = float(result.measured[index]), float(result.predicted[index])
    tokens = np.asarray(curve.tokens)
    seen = tokens > 0
    (line,) = ax.plot(tokens[seen], curve.loss[seen], color=MEASURED, lw=1.2, label="measured curve, never fitted")
    (dot,) = ax.plot(tokens[-1:], [measured], "o", color=MEASURED, label=f"measured {measured:.4f}")
    label = f"predicted {predicted:.4f}, {100 * result.level:.0f} % interval"
    bar = ax.errorbar(
        tokens[-1:] * 1.12, [predicted], yerr=_spread(result, [index]), fmt="D", color=PREDICTED, capsize=4, label=label
    )
    ax.set(xscale="log", xlabel="training tokens", ylabel=in_unit("held-out loss", result.fit.table.loss_unit))
    top = min(float(curve.loss[seen][0]), 1.7 * measured)
    ax.set_ylim(min(measured, float(result.low[index])) * 0.97, top)
    ax.set_xlim(float(tokens[seen][np.argmax(curve.loss[seen] <= top)]) / 1.5, tokens[-1] * 1.6)
    label_log(ax.xaxis)
    ax.legend(loc="lower left")
    return HeldOutArtists(line, dot, bar)


def agreement(result: HeldOut, *, ax: Axes | None = None) -> AgreementArtists:
    """Draw measured against predicted loss: the fitted runs, and the held-out ones with their intervals."""
    ax = axes_of(ax)
    table = result.fit.table
    predicted = result.fit.predict(table.params, table.tokens)
    ends = [min(table.loss.min(), result.low.min()), max(table.loss.max(), result.high.max())]
    (identity,) = ax.plot(ends, ends, color=MEASURED, lw=0.8)
    fitted = ax.scatter(predicted, table.loss, s=18, color="#7a8594", label="fitted runs")
    everything = list(range(len(result.names)))
    bars = ax.errorbar(
        result.predicted,
        result.measured,
        xerr=_spread(result, everything),
        fmt="D",
        color=PREDICTED,
        capsize=4,
        zorder=4,
        label=f"held out, {100 * result.level:.0f} % interval",
    )
    ax.set(xlabel=in_unit("predicted loss", table.loss_unit), ylabel=in_unit("measured loss", table.loss_unit))
    ax.legend(loc="upper left")
    return AgreementArtists(fitted, bars, identity)


def _spread(result: HeldOut, index: list[int]) -> NDArray[np.float64]:
    return np.stack([result.predicted - result.low, result.high - result.predicted])[:, index]
