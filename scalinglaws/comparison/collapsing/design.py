"""What the records say about how the runs were set up, before any loss is looked at: horizons, schedules, rates.

Curves alone cannot tell a wrong learning rate from a wrong horizon: both move the whole curve. The records often can:
when the tokens of a size follow the horizon law of the others, its horizon is not the reason.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.collapsing.family import Curve, Selection, on_grid
from scalinglaws.errors import InputError

__all__ = ["Design", "check_alike", "design_of", "off_the_line", "rate_is_held"]

Array = NDArray[np.float64]

OFF = 0.05
"""A size whose horizon, rate or batch is this far from the power law of the others is named."""

_STRAIGHT = 0.02  # the others lie on a power law if none of them is further from it
_SHAPE = 0.05  # largest difference of lr over its mean that counts as the same schedule
_AFTER_WARMUP = 0.1
_HELD = 0.9
_ALIKE = ("schedule", "peak_lr", "batch", "seq_len", "depth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Ratios of one size to the power law of the others, by index of the size; only those that are off.

    Parameters
    ----------
    exponent
        Slope of log horizon against log size, or NaN with fewer than two sizes.
    straight
        Whether horizons follow a power law of size (all sizes but those in `horizon`).
    horizon, peak_lr, batch
        The ratios.
    schedule
        Names of the runs whose learning rate over x, up to a factor, is not that of most runs.
    rates_known, peaks_known
        Whether every run has a record of its learning rate, of its peak.
    """

    exponent: float
    straight: bool
    horizon: dict[int, float]
    peak_lr: dict[int, float]
    batch: dict[int, float]
    schedule: tuple[str, ...]
    rates_known: bool
    peaks_known: bool


def design_of(selection: Selection, sizes: Array, group: NDArray[np.int64]) -> Design:
    """Compare the records of the sizes with each other."""
    curves = selection.curves
    horizon = _means([c.horizon for c in curves], group)
    peak = _means([c.run.peak_lr for c in curves], group)
    off, straight = off_the_line(sizes, horizon)
    log_n = np.log(sizes)
    exponent = float(np.polyfit(log_n, np.log(horizon), 1)[0]) if sizes.size > 1 else float("nan")
    rates_known = all(c.repaired.lr is not None for c in curves)
    return Design(
        exponent=exponent,
        straight=straight,
        horizon=off,
        peak_lr=off_the_line(sizes, peak)[0],
        batch=off_the_line(sizes, _means([c.run.batch for c in curves], group))[0],
        schedule=_other_shapes(curves) if rates_known else (),
        rates_known=rates_known,
        peaks_known=bool(np.isfinite(peak).all()),
    )


def off_the_line(sizes: Array, values: Array) -> tuple[dict[int, float], bool]:
    """Find the sizes that are off the power law on which all the others lie.

    Parameters
    ----------
    sizes, values
        Positive, shape (sizes,); NaN values are unknown, and nothing is said then.

    Returns
    -------
        Ratio to the law of the others by index, and whether the sizes (without them) lie on a power law.

    Examples
    --------
    >>> n = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    >>> off_the_line(n, np.array([1.0, 2.0, 4.0, 16.0, 16.0]))
    ({3: 2.0}, True)
    """
    if sizes.size < 2 or not (values > 0).all():
        return {}, True
    log_n, log_v = np.log(sizes), np.log(values)
    if _scatter(log_n, log_v) <= _STRAIGHT:
        return {}, True
    if sizes.size >= 4:
        keep = ~np.eye(sizes.size, dtype=bool)
        scatter = np.array([_scatter(log_n[k], log_v[k]) for k in keep])
        p = int(np.argmin(scatter))
        slope, level = np.polyfit(log_n[keep[p]], log_v[keep[p]], 1)
        ratio = float(np.exp(log_v[p] - slope * log_n[p] - level))
        if scatter[p] <= _STRAIGHT and abs(ratio - 1.0) > OFF:
            return {p: round(ratio, 9)}, True
    return {}, False


def _scatter(log_n: Array, log_v: Array) -> float:
    """Largest distance from the least-squares line."""
    slope, level = np.polyfit(log_n, log_v, 1)
    return float(np.max(np.abs(log_v - slope * log_n - level)))


def _means(values: list[float], group: NDArray[np.int64]) -> Array:
    array = np.asarray(values, dtype=np.float64)
    return np.array([array[group == p].mean() for p in range(int(group.max()) + 1)])


def _other_shapes(curves: tuple[Curve, ...]) -> tuple[str, ...]:
    """Name the runs whose rate over x, relative to its own mean after warm-up, is not that of most runs."""
    table = _shapes(curves)
    distance = _distance(table, np.median(table, axis=0))
    return tuple(c.run.name for c, d in zip(curves, distance, strict=True) if d > _SHAPE)


def _shapes(curves: tuple[Curve, ...]) -> Array:
    """Learning rates over their means on a grid of x after warm-up that every run has, shape (runs, x)."""
    clocks = [c.repaired.clock / c.horizon for c in curves]
    x = np.linspace(max(_AFTER_WARMUP, *(float(u[0]) for u in clocks)), 1.0, 60)[:-1]
    table = np.stack([on_grid(u, np.asarray(c.repaired.lr), x) for u, c in zip(clocks, curves, strict=True)])
    mean = table.mean(axis=1, keepdims=True)
    return np.asarray(table / np.where(mean > 0, mean, 1.0))


def _distance(table: Array, shape: Array) -> Array:
    return np.asarray(np.abs(table - shape).max(axis=1))


def check_alike(selection: Selection, group: NDArray[np.int64], labels: tuple[str, ...]) -> None:
    """Refuse runs of one size that differ in more than their seed: their spread would be taken for noise.

    Raises
    ------
    InputError
        Naming the size and in what its runs differ.
    """
    for p, label in enumerate(labels):
        curves = tuple(c for c, k in zip(selection.curves, group, strict=True) if k == p)
        for name in _ALIKE:
            values = sorted({str(getattr(c.run, name)) for c in curves} - {"", "nan"})
            if len(values) > 1:
                raise InputError(
                    f"size {label}: its runs differ in {name.replace('_', ' ')} ({', '.join(values)}), so their spread "
                    "is no seed noise; give runs that differ in size and seed alone"
                )
        if len(curves) > 1 and all(c.repaired.lr is not None for c in curves):
            table = _shapes(curves)
            other = int(np.argmax(_distance(table, table[0])))
            if _distance(table, table[0])[other] > _SHAPE:
                raise InputError(
                    f"size {label}: runs {curves[0].run.name} and {curves[other].run.name} have other learning rates "
                    "over x, so their spread is no seed noise; give runs that differ in size and seed alone"
                )


def rate_is_held(curve: Curve) -> bool:
    """Say whether a run is known to have kept its learning rate from its peak on."""
    lr = curve.repaired.lr
    if lr is not None and lr.max() > 0:
        reached = int(np.argmax(lr >= 0.99 * lr.max()))
        return bool(lr[reached:].min() >= _HELD * lr.max() and curve.repaired.clock[reached] < 0.5 * curve.horizon)
    text = curve.run.schedule.strip().lower()
    if text.startswith("{"):
        try:
            text = str(json.loads(text).get("shape", ""))
        except json.JSONDecodeError:
            return False
    return text in ("const", "constant")
