"""From labelled runs to arrays on one grid of normalised compute: who takes part, how far each run goes, at which x.

x = t / t* is the share of a run's own horizon. The horizon is the run's end, so that nothing but the curves is
assumed; `Horizon(scale, exponent)` gives t* = (N / scale)^exponent tokens instead, for runs that were trained
longer and may be cut (at a constant learning rate; a decaying one makes no sense when cut).

Sizes are groups of equal parameters. The horizon of a size is where most of its runs end, the longest if several ends
are as frequent; other runs stopped early (or went on) and are named. With one run per size nothing here can tell an
early stop: the horizon law of the other sizes can (`design`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws.comparison.collapsing.damage import Repaired, repair
from scalinglaws.curves import Run, from_runs, iter_runs, params_by, tokens_by
from scalinglaws.curves.schema import validate
from scalinglaws.errors import InputError, require

__all__ = ["Curve", "Family", "Horizon", "Selection", "choose", "on_grid", "place"]

Array = NDArray[np.float64]

_SAME_END = 0.01  # ends of one size that differ by less are one horizon (logging is no finer)
_BEGUN = 0.5  # a log that begins later shows too little of a curve
_REACHED = 1e-3  # a run this close to a given horizon has reached it


class Horizon(NamedTuple):
    """A horizon law t* = (N / scale)^exponent in tokens; `exponent` is gamma."""

    scale: float
    exponent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One run that takes part: the run as given, its repaired curve, its size and its horizon (units of the clock)."""

    run: Run
    repaired: Repaired
    size: float
    horizon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The runs that take part, in order of size, and why the others do not.

    Parameters
    ----------
    curves
        Sorted by size, then as given.
    left_out
        Reason by name.
    repairs
        Sentences on curves that were repaired.
    counts_params
        Whether sizes are parameters; else they are widths.
    in_tokens
        Whether every curve is timed in tokens.
    """

    curves: tuple[Curve, ...]
    left_out: dict[str, str]
    repairs: tuple[str, ...]
    counts_params: bool
    in_tokens: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Losses on one grid of x, plain arrays.

    Parameters
    ----------
    x
        Normalised compute, from 0 or later to 1, shape (x,).
    names
        Of the runs.
    group
        Index of each run's size, shape (runs,).
    sizes, labels
        Parameters (or widths) and short names of the sizes, shape (sizes,).
    loss, final
        Losses on the grid, shape (runs, x), NaN before the first observation, and at the horizon, shape (runs,).
    compute
        6 N t* of each run in FLOP, shape (runs,); up to a common factor where `in_flops` is false.
    in_flops
        Whether parameters and tokens are known, so that compute is in FLOP.
    """

    x: Array
    names: tuple[str, ...]
    group: NDArray[np.int64]
    sizes: Array
    labels: tuple[str, ...]
    loss: Array
    final: Array
    compute: Array
    in_flops: bool

    @property
    def seeds(self) -> NDArray[np.int64]:
        """How many runs each size has."""
        return np.bincount(self.group, minlength=self.sizes.size)


def choose(runs: xr.Dataset | Iterable[Run], *, params: str = "total", horizon: Horizon | None = None) -> Selection:
    """Decide which runs take part, by the rules of `damage` and of this module.

    Parameters
    ----------
    runs
        A family of measured runs, or the runs themselves.
    params
        What counts as N; a key of `curves.schema.PARAMS_CONVENTIONS`.
    horizon
        Where to cut the runs; by default each ends at its own end.

    Raises
    ------
    InputError
        When no run is left, or sizes are unknown, or `horizon` is given and tokens or parameters are unknown.
    """
    ds = _labelled(runs)
    size, counts_params = _sizes(ds, params)
    repaired = _repaired(ds, in_steps=False)
    if horizon is None and not all(done.in_tokens for _, done in repaired if not done.refused):
        repaired = _repaired(ds, in_steps=True)
    left_out = {run.name: done.refused for run, done in repaired if done.refused}
    repairs = [f"run {run.name}: {note}" for run, done in repaired for note in done.notes if not done.refused]
    kept = [(run, done, float(n)) for (run, done), n in zip(repaired, size, strict=True) if not done.refused]
    ends = _given_horizons(kept, horizon, counts_params) if horizon else _own_horizons(kept)
    curves = []
    for (run, done, n), (end, reason) in zip(kept, ends, strict=True):
        if reason or done.clock[0] > _BEGUN * end:
            left_out[run.name] = reason or f"its log begins at {100 * done.clock[0] / end:.3g} % of its horizon"
        else:
            curves.append(Curve(run=run, repaired=done, size=n, horizon=end))
    if not curves:
        named = "; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3])
        raise InputError(f"runs: none can take part ({named})")
    return Selection(
        curves=tuple(sorted(curves, key=lambda c: c.size)),
        left_out=left_out,
        repairs=tuple(repairs),
        counts_params=counts_params,
        in_tokens=all(c.repaired.in_tokens for c in curves),
    )


def _labelled(runs: xr.Dataset | Iterable[Run]) -> xr.Dataset:
    if isinstance(runs, xr.Dataset):
        return validate(runs)
    many = list(runs) if isinstance(runs, Iterable) else []
    good = bool(many) and all(isinstance(run, Run) for run in many)
    require(good, "runs", runs, "must be a family of measured runs (read_curves) or a list of Run")
    return from_runs(many)


def _repaired(ds: xr.Dataset, *, in_steps: bool) -> list[tuple[Run, Repaired]]:
    """Repair every run, timed in tokens; or all of them in steps, so that they can be compared."""
    rows = np.cumsum(ds["row_size"].values)[:-1]
    tokens = np.split(np.full(ds.sizes["obs"], np.nan) if in_steps else tokens_by(ds).values, rows)
    return [(run, repair(run, seen)) for run, seen in zip(iter_runs(ds), tokens, strict=True)]


def _sizes(ds: xr.Dataset, params: str) -> tuple[Array, bool]:
    """Parameters of every run, or widths where parameters are unknown."""
    if (ds["params"].sum("group").values > 0).all():
        return np.asarray(params_by(ds, params).values, dtype=np.float64), True
    width = ds["width"].values if "width" in ds else np.full(ds.sizes["run"], np.nan)
    if not (width > 0).all():
        name = ds["run"].values[np.flatnonzero(~(width > 0))[0]]
        raise InputError(f"run {name}: neither parameters nor width are known, so its size is not")
    return np.asarray(width, dtype=np.float64), False


def _own_horizons(kept: list[tuple[Run, Repaired, float]]) -> list[tuple[float, str]]:
    """Each run's own end, refused where most runs of its size end elsewhere."""
    end = np.array([done.clock[-1] for _, done, _ in kept])
    size = np.array([n for _, _, n in kept])
    answers = []
    for (_, done, n), own in zip(kept, end, strict=True):
        same = end[size == n]
        alike = [int(np.sum(np.abs(same / e - 1.0) <= _SAME_END)) for e in same]
        common = float(max(e for e, count in zip(same, alike, strict=True) if count == max(alike)))
        stray = abs(own / common - 1.0) > _SAME_END
        unit = "tokens" if done.in_tokens else "steps"
        verb = "stops early" if own < common else "goes on"
        reason = f"it {verb}: it ends at {own:.4g} {unit}, and the horizon of its size is {common:.4g}" if stray else ""
        answers.append((float(own), reason))
    return answers


def _given_horizons(
    kept: list[tuple[Run, Repaired, float]], horizon: Horizon, counts_params: bool
) -> list[tuple[float, str]]:
    scale, exponent = horizon
    numbers = all(isinstance(v, int | float) and np.isfinite(v) for v in (scale, exponent))
    require(numbers and scale > 0, "horizon", tuple(horizon), "must be (scale, exponent), finite, with scale > 0")
    require(counts_params, "horizon", tuple(horizon), "needs the parameters of every run, and they are unknown")
    answers = []
    for run, done, n in kept:
        if not done.in_tokens:
            raise InputError(f"run {run.name}: its tokens are unknown, so no horizon in tokens can be given")
        with np.errstate(over="ignore", under="ignore"):
            end = float((n / scale) ** exponent)
        short = done.clock[-1] < end * (1.0 - _REACHED)
        early = f"it ends at {done.clock[-1]:.4g} tokens, before its horizon of {end:.4g}"
        answers.append((end, early if short else ""))
    return answers


def place(selection: Selection, x: Array, *, log: bool = False) -> Family:
    """Interpolate the chosen runs onto a grid of normalised compute.

    Parameters
    ----------
    selection
        From `choose`.
    x
        Increasing, within [0, 1], ending at 1; shape (x,).
    log
        Interpolate in log t instead of t: closer where logging is sparse and log-spaced.
    """
    curves = selection.curves
    clocks = [c.repaired.clock / c.horizon for c in curves]
    loss = np.stack([on_grid(u, c.repaired.loss, x, log=log) for u, c in zip(clocks, curves, strict=True)])
    sizes, group = np.unique([c.size for c in curves], return_inverse=True)
    compute = 6.0 * np.array([c.size * c.horizon for c in curves])
    return Family(
        x=x,
        names=tuple(c.run.name for c in curves),
        group=group.astype(np.int64),
        sizes=sizes,
        labels=_labels(curves, sizes),
        loss=loss,
        final=loss[:, -1],
        compute=compute,
        in_flops=selection.counts_params and selection.in_tokens,
    )


def on_grid(u: Array, loss: Array, x: Array, *, log: bool = False) -> Array:
    """Interpolate a curve over u = t / t* at x: linear in t, or in log t; NaN before the first observation.

    Examples
    --------
    >>> on_grid(np.array([0.25, 1.0]), np.array([3.0, 1.0]), np.array([0.0, 0.5, 1.0])).round(3).tolist()
    [nan, 2.333, 1.0]
    >>> on_grid(np.array([0.25, 1.0]), np.array([3.0, 1.0]), np.array([0.0, 0.5, 1.0]), log=True).tolist()
    [nan, 2.0, 1.0]
    """
    if log:
        seen = u > 0
        with np.errstate(divide="ignore"):
            u, loss, x = np.log(u[seen]), loss[seen], np.log(x)
    return np.asarray(np.interp(x, u, loss, left=np.nan))


def _labels(curves: tuple[Curve, ...], sizes: Array) -> tuple[str, ...]:
    """Widths where each size has one of its own, else parameters as people write them."""
    width = [{c.run.width for c in curves if c.size == n} for n in sizes]
    flat = [w for found in width for w in found]
    if all(len(found) == 1 for found in width) and len(set(flat)) == len(flat) and np.isfinite(flat).all():
        return tuple(f"{w:g}" for w in flat)
    return tuple(f"{n:.3g}" for n in sizes)
