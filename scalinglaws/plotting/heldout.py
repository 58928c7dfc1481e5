"""What was predicted without looking, against what was measured."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D

from scalinglaws.curves import Run
from scalinglaws.plotting.style import MEASURED, PREDICTED, axes_of
from scalinglaws.prediction import HeldOut

__all__ = ["HeldOutArtists", "held_out"]


class HeldOutArtists(NamedTuple):
    """What `held_out` drew."""

    curve: Line2D | None
    measured: Line2D
    predicted: ErrorbarContainer


def held_out(result: HeldOut, *, curve: Run | None = None, index: int = 0, ax: Axes | None = None) -> HeldOutArtists:
    """Draw one held-out run: its measured curve over tokens, its final loss, and the prediction with its interval.

    Parameters
    ----------
    result
        From `scalinglaws.prediction.predict_held_out`.
    curve
        The whole measured curve, if there is one; without it only the end points are drawn.
    index
        Which of the held-out runs.
    """
    ax = axes_of(ax)
    tokens, measured, predicted = (float(x[index]) for x in (result.tokens, result.measured, result.predicted))
    spread = [[predicted - float(result.low[index])], [float(result.high[index]) - predicted]]
    line = None
    if curve is not None and curve.tokens is not None:
        seen = curve.tokens > 0
        (line,) = ax.plot(
            curve.tokens[seen], curve.loss[seen], color=MEASURED, lw=1.2, label="measured curve, never fitted"
        )
        ax.set_ylim(min(measured, predicted) * 0.97, min(float(curve.loss[seen][0]), 1.6 * measured))
    (dot,) = ax.plot([tokens], [measured], "o", color=MEASURED, label=f"measured {measured:.4f}")
    label = f"predicted {predicted:.4f}, {100 * result.level:.0f} % interval"
    bar = ax.errorbar(
        [tokens * 1.06], [predicted], yerr=spread, fmt="D", color=PREDICTED, capsize=4, zorder=4, label=label
    )
    ax.set(xscale="log", xlabel="training tokens", ylabel="held-out loss (nats/token)")
    ax.legend(loc="upper right")
    return HeldOutArtists(line, dot, bar)
