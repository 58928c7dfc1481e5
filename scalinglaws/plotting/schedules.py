"""Pictures of learning-rate schedules: the rate over the run, or over the gradient-flow time it has added up to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from scalinglaws.errors import require
from scalinglaws.plotting.style import axes_of
from scalinglaws.schedules import Schedule

__all__ = ["draw_schedules"]

_POINTS = 1000


def draw_schedules(
    schedules: Mapping[str, Schedule], *, over: str = "step", ax: Axes | None = None
) -> dict[str, Line2D]:
    """Draw rates against the step, or against gradient-flow time.

    Parameters
    ----------
    schedules
        By the name the legend shows; a constant rate without an end is drawn as long as the longest other one.
    over
        "step" or "tau".
    ax
        Where to draw; the current axes if not given.

    Returns
    -------
    The lines, by name.

    Raises
    ------
    InputError
        For no schedule at all, no length at all, or an unknown abscissa.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from scalinglaws import schedules
    >>> lines = draw_schedules({"WSD": schedules.wsd(0.1, 1000, warmup=50)}, ax=Figure().subplots())
    >>> float(lines["WSD"].get_ydata().max())
    0.1
    """
    require(over in ("step", "tau"), "over", over, "must be step or tau")
    lengths = [schedule.steps for schedule in schedules.values() if schedule.steps is not None]
    require(bool(lengths), "schedules", list(schedules), "must hold one schedule with an end or more")
    ax = axes_of(ax)
    lines = {}
    for name, schedule in schedules.items():
        steps = np.unique(np.append(_around(schedule), np.linspace(0, schedule.steps or max(lengths), _POINTS)))
        at = schedule.tau(steps) if over == "tau" else steps
        (lines[name],) = ax.plot(at, schedule(np.floor(steps)), label=name, lw=1.4)
    ax.set(
        xlabel="gradient-flow time (sum of learning rates)" if over == "tau" else "updates",
        ylabel="learning rate",
        ylim=(0.0, None),
    )
    ax.legend(loc="lower left")
    return lines


def _around(schedule: Schedule) -> NDArray[np.float64]:
    """Give steps on both sides of every kink, so that a jump is drawn as one."""
    kinks = np.array(schedule.kinks, dtype=np.float64)
    return np.concatenate([kinks, np.maximum(kinks - 1e-6, 0.0)])
