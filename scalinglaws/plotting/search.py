"""The schedule a law thinks best, beside the standard ones: rates above, predicted curves below."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from scalinglaws import schedules
from scalinglaws.comparison.path import Path
from scalinglaws.comparison.schedule_laws import ScheduleFit
from scalinglaws.comparison.schedule_laws.search import SearchResult
from scalinglaws.plotting.style import MEASURED, PREDICTED
from scalinglaws.schedules import Schedule

__all__ = ["SearchArtists", "schedule_search"]

_POINTS = 300
_COLORS = ("#7a8594", "#2563eb", "#0f766e")


class SearchArtists(NamedTuple):
    """What `schedule_search` drew: one line for each schedule, the found one first."""

    rates: tuple[Line2D, ...]
    losses: tuple[Line2D, ...]


def schedule_search(result: SearchResult, fit: ScheduleFit, *, axes: tuple[Axes, Axes]) -> SearchArtists:
    """Draw the schedule found, the best standard one, cosine and linear decay, with the loss the law predicts.

    Parameters
    ----------
    result
        From `search_schedule`.
    fit
        The fit that was searched.
    axes
        For the rates, and for the losses over the same steps.
    """
    above, below = axes
    rates, losses = [], []
    for name, (schedule, color) in _drawn(result).items():
        path = Path.of_schedule(schedule)
        step = np.unique(np.linspace(max(path.steps // 10, 1), path.steps, _POINTS).astype(np.int64))
        curve = fit.predict(path, step)
        width = 1.8 if color == PREDICTED else 1.0
        rates += above.plot(np.arange(path.steps), path.rate, color=color, lw=width, label=name)
        losses += below.plot(step, curve, color=color, lw=width, label=f"{name}: {curve[-1]:.4f}")
    above.set(xlabel="update", ylabel="learning rate", ylim=(0, None))
    sure = f"{100 * result.level:.0f} % interval {1e3 * result.gain_low:.2g} to {1e3 * result.gain_high:.2g}"
    gain = f"predicted gain over {result.found.best}: {1e3 * result.found.gain:.2g} millinats, {sure}"
    below.set(xlabel="update", ylabel="predicted loss (nats/token)")
    above.set_title(gain, fontsize="small", color=MEASURED)
    above.legend(loc="lower left")
    below.legend(loc="upper right", title="final loss")
    return SearchArtists(tuple(rates), tuple(losses))


def _drawn(result: SearchResult) -> dict[str, tuple[Schedule, str]]:
    """Schedules by name with their colours; found first, the rival next."""
    found = result.found
    drawn = {"found": (found.schedule, PREDICTED), found.best: (found.rival, _COLORS[1])}
    rival = found.rival
    for name, make, color in (("cosine", schedules.cosine, _COLORS[0]), ("linear", schedules.linear, _COLORS[2])):
        if rival.steps is not None and name not in drawn:
            standard = make(rival.peak, rival.steps, warmup=rival.warmup, floor=rival.floor)
            drawn[name] = (standard, color)
    return drawn
