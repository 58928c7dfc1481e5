"""How far a fit can be trusted: profiles with their thresholds, ridges of two parameters, errors by origin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from scalinglaws.errors import require
from scalinglaws.fitting.profile import Profile
from scalinglaws.fitting.ridge import Ridge
from scalinglaws.plotting.style import MEASURED, PREDICTED, axes_of, human, label_log, scientific, size_colors
from scalinglaws.prediction.rolling import Rolling

__all__ = ["ProfileArtists", "RidgeArtists", "RollingArtists", "joint_region", "profile_curve", "rolling_errors"]

_LABELS = {
    "n_opt": "compute-optimal parameters N*",
    "d_opt": "compute-optimal tokens D*",
    "tokens_per_param": "tokens per parameter D*/N*",
    "loss_opt": "loss at the optimum (nats/token)",
    "surface": "loss (nats/token)",
}
_WIDE = 3.0  # ratio of the ends from which an axis is logarithmic
_COUNTS = 1e4  # from here on numbers are written as people say counts


class ProfileArtists(NamedTuple):
    """What `profile_curve` drew; `interval` is None where the whole profile stays below the threshold."""

    curve: Line2D
    threshold: Line2D
    best: Line2D
    interval: PolyCollection | None


class RidgeArtists(NamedTuple):
    """What `joint_region` drew: regions from the widest to the narrowest."""

    regions: Sequence[PolyCollection]
    spine: Line2D
    best: Line2D


class RollingArtists(NamedTuple):
    """What `rolling_errors` drew, one of each for an origin."""

    errors: list[ErrorbarContainer | PathCollection]
    origins: list[Line2D]


def profile_curve(profile: Profile, *, ax: Axes | None = None) -> ProfileArtists:
    """Draw the root of the excess over its threshold: straight arms where the fit is quadratic, 1 at the ends.

    Parameters
    ----------
    profile
        From `scalinglaws.fitting.profile.profile`. An open end is marked by an arrow at the edge.
    """
    ax = axes_of(ax)
    root = np.sqrt(np.maximum(profile.excess, 0.0) / profile.threshold)
    (curve,) = ax.plot(profile.values, root, color=PREDICTED, marker=".", ms=4, label="least objective")
    threshold = ax.axhline(1.0, color=MEASURED, lw=0.8, ls="--", label=f"{100 * profile.level:g} % threshold")
    height = float(np.interp(profile.best, profile.values, root))
    (best,) = ax.plot(
        [profile.best], [height], "D", color=PREDICTED, ms=5, clip_on=False, label=f"best {profile.best:.4g}"
    )
    low, high = max(profile.low, float(profile.values[0])), min(profile.high, float(profile.values[-1]))
    inside = np.linspace(low, high, 200)
    shade = ax.fill_between(inside, 0.0, 1.0, color=PREDICTED, alpha=0.12, lw=0)
    for is_open, x, arrow in zip(profile.is_open, (low, high), ("<", ">"), strict=True):
        if is_open:
            ax.plot([x], [1.0], marker=arrow, color=MEASURED, ms=7, clip_on=False, ls="", label="open end")
    if profile.values[-1] / profile.values[0] > _WIDE:
        ax.set_xscale("log")
        label_log(ax.xaxis)
    elif profile.values[-1] >= _COUNTS:
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: human(value)))
    ax.set(xlabel=_label(profile.name, profile.at), ylabel=r"$\sqrt{\mathrm{excess}/\mathrm{threshold}}$")
    ax.set_ylim(0.0, max(1.5, min(2.5, float(root.max()))))
    ax.legend(loc="upper center")
    return ProfileArtists(curve, threshold, best, shade)


def joint_region(ridge: Ridge, *, ax: Axes | None = None) -> RidgeArtists:
    """Draw the joint regions of two quantities, each level at its own threshold, and the spine between them."""
    ax = axes_of(ax)
    regions = []
    for level in sorted(ridge.thresholds, reverse=True):
        low, high = ridge.low[level], ridge.high[level]
        inside = np.isfinite(low)
        label = f"{100 * level:g} % region"
        top = 10.0 * float(np.nanmax(np.where(np.isfinite(high), high, ridge.spine)))  # open ends leave the picture
        low, high = np.maximum(low, 0.1 * ridge.spine.min()), np.minimum(high, top)
        regions.append(
            ax.fill_between(ridge.along, low, high, where=inside, color=PREDICTED, alpha=0.18, lw=0.6, label=label)
        )
    (spine,) = ax.plot(ridge.along, ridge.spine, color=PREDICTED, lw=1.0, label=f"best {ridge.names[1]} for each")
    (best,) = ax.plot([ridge.best[0]], [ridge.best[1]], "D", color=PREDICTED, ms=5)
    ends = [ridge.along, np.concatenate([ridge.low[max(ridge.low)], ridge.high[max(ridge.low)], ridge.spine])]
    for axis, values, scale in ((ax.xaxis, ends[0], ax.set_xscale), (ax.yaxis, ends[1], ax.set_yscale)):
        shown = values[np.isfinite(values) & (values > 0)]
        if shown.max() / shown.min() > _WIDE:
            scale("log")
            label_log(axis)
    ax.set(xlabel=_label(ridge.names[0], ridge.at), ylabel=_label(ridge.names[1], ridge.at))
    ax.legend(loc="best")
    return RidgeArtists(regions, spine, best)


def rolling_errors(rolling: Rolling, *, ax: Axes | None = None) -> RollingArtists:
    """Draw the error of every prediction against compute, coloured by origin, with its interval where there is one."""
    ax = axes_of(ax)
    require(len(rolling.origins) > 0, "rolling", 0, "has no origin to draw")
    colors = size_colors([origin.flops for origin in rolling.origins])
    ax.axhline(0.0, color=MEASURED, lw=0.8)
    drawn: list[ErrorbarContainer | PathCollection] = []
    marks = []
    for origin in rolling.origins:
        color = tuple(colors.to_rgba(np.array(origin.flops)))
        label = f"below {scientific(origin.flops)}: {origin.rows} runs, mean error {origin.mape:.2f} %"
        error = 100.0 * origin.error
        if np.isfinite(origin.low).all():
            spread = 100.0 * np.abs(np.stack([origin.low, origin.high]) - origin.predicted) / origin.measured
            bar = ax.errorbar(origin.compute, error, yerr=spread, fmt="o", ms=3, lw=0.7, color=color, label=label)
            drawn.append(bar)
        else:
            drawn.append(ax.scatter(origin.compute, error, s=10, color=color, label=label))
        marks.append(ax.axvline(origin.flops, color=color, lw=0.9, ls=":"))
    ax.set(xscale="log", xlabel="training compute (FLOP)", ylabel="predicted over measured loss (%)")
    ax.legend(loc="best", fontsize=8)
    return RollingArtists(drawn, marks)


def _label(name: str, at: object) -> str:
    place = at if isinstance(at, dict) else {}
    text = _LABELS.get(name, name)
    if "flops" in place and name in _LABELS and name != "surface":
        return f"{text} at {scientific(place['flops'])} FLOP"
    return text
