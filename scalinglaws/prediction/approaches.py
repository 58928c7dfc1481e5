"""Chinchilla's two ways of measuring exponents, applied to theoretical curves, where the truth is known.

Approach 1 takes the best of a ladder of models at each budget (the envelope of training curves), approach 2 the
vertex of a parabola through the losses of an isoFLOP slice. `approaches` puts both beside `frontier` and `phase`: what
is left between them is the bias of the method, as there is no noise.
"""

from __future__ import annotations

import json
import math
from importlib.metadata import version

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws.curves.schema import SCHEMA
from scalinglaws.errors import require
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD
from scalinglaws.prediction.frontier import budgets, optimum
from scalinglaws.prediction.sizes import SizeCurve, SizeFamily
from scalinglaws.symbolic import known_phase

__all__ = ["approaches"]

Float = NDArray[np.float64]

ENVELOPE = 1500
"""Budgets at which approach 1 looks for the best model (Hoffmann et al., section 3.1)."""


def approaches(
    model: PLRF, opt: SGD, flops: ArrayLike, *, sizes_per_decade: int = 4, window: float = 1.0
) -> xr.Dataset:
    """Measure compute-optimal exponents as Chinchilla's approaches 1 and 2 do, and say by how much they are off.

    Parameters
    ----------
    model, opt
        As in `frontier`, which makes the curves.
    flops
        Budgets of the isoFLOP slices, shape (k,), k >= 2; approach 1 uses 1500 budgets over the same range.
    sizes_per_decade
        Models in each factor of ten of the ladder, which reaches a decade beyond the optima on both sides.
    window
        Decades of size on each side of the best model that a parabola is fitted to.

    Returns
    -------
    Dataset over `approach` ("frontier", "envelope", "isoflop", "limit") and `flops`: `d_star` and `risk` of the first
    three at each budget; `size_exponent` and `loss_exponent`, the slopes of straight lines through the logarithms;
    for "limit" the derived exponents. `size_bias` and `loss_bias` are differences to "frontier" on the same budgets:
    what the method adds, as against what the limit is away ("limit" in the same column). The derived exponents are
    NaN outside the region that `phase` knows.

    Raises
    ------
    InputError
        For fewer than two budgets, a ladder of less than 1 model a decade, a window too small for a parabola, and as
        in `frontier`.

    References
    ----------
    Hoffmann et al., Training Compute-Optimal Large Language Models, arXiv 2203.15556, sections 3.1 and 3.2.

    Examples
    --------
    >>> from scalinglaws.optimizers import relative_lr
    >>> model, opt = PLRF(alpha=0.9, beta=0.6, d=100), SGD(lr=relative_lr(0.25))
    >>> ds = approaches(model, opt, np.geomspace(1e9, 1e12, 7))
    >>> ds["size_exponent"].round(3).to_series().to_dict()
    {'frontier': 0.404, 'envelope': 0.41, 'isoflop': 0.397, 'limit': 0.4}
    """
    at = np.sort(budgets(flops))
    require(at.size >= 2 and at[-1] > at[0], "flops", flops, "needs two different budgets or more")
    require(sizes_per_decade >= 1, "sizes_per_decade", sizes_per_decade, "must be at least 1")
    family = SizeFamily(model, opt)
    best = [optimum(family, float(f)) for f in at]
    d_star, risk = np.array([p.d_star for p in best]), np.array([p.risk for p in best])
    reach = max(1.0, window) + 0.5
    ladder = _ladder(family, d_star.min() / 10**reach, d_star.max() * 10**reach, sizes_per_decade)
    dense = np.geomspace(at[0], at[-1], ENVELOPE)
    sizes, least = _envelope(ladder, dense / family.batch)
    rows = {
        "frontier": (d_star, risk, _slopes(at, d_star, risk)),
        "envelope": (*_envelope(ladder, at / family.batch), _slopes(dense, sizes, least)),
        "isoflop": _with_slopes(at, *_vertices(ladder, at / family.batch, window)),
        "limit": (np.full(at.size, np.nan), np.full(at.size, np.nan), _limit(model)),
    }
    return _dataset(at, rows, model, opt)


def _ladder(family: SizeFamily, low: float, high: float, per_decade: int) -> list[SizeCurve]:
    return [family.curve(d) for d in family.sizes(per_decade) if low <= d <= high]


def _table(ladder: list[SizeCurve], samples: Float) -> tuple[Float, Float]:
    """Log sizes, and log risk of every size at every budget, infinite where it has less than one step."""
    log_d = np.array([curve.log_d for curve in ladder])
    steps = np.log(samples)[:, None] - log_d
    table = np.stack([curve.log_risk(np.maximum(steps[:, i], 0.0)) for i, curve in enumerate(ladder)], axis=1)
    return log_d, np.where(steps >= 0.0, table, np.inf)


def _envelope(ladder: list[SizeCurve], samples: Float) -> tuple[Float, Float]:
    """Approach 1: size and risk of the best model of the ladder at each budget."""
    log_d, table = _table(ladder, samples)
    place = table.argmin(axis=1)
    return np.exp(log_d[place]), np.exp(table[np.arange(place.size), place])


def _vertices(ladder: list[SizeCurve], samples: Float, window: float) -> tuple[Float, Float]:
    """Approach 2: vertices of parabolas through log risk over log size, each around the best model."""
    log_d, table = _table(ladder, samples)
    vertices = []
    for row in table:
        near = np.isfinite(row) & (abs(log_d - log_d[row.argmin()]) <= window * math.log(10) * (1 + 1e-9))
        require(bool(near.sum() >= 3), "window", window, "must hold three models or more of the ladder")
        centre = log_d[row.argmin()]
        bend, slope, height = np.polyfit(log_d[near] - centre, row[near], 2)
        require(bool(bend > 0), "window", window, "too wide for a parabola: the fitted one has no minimum")
        shift = -slope / (2 * bend)
        vertices.append((centre + shift, height + 0.5 * slope * shift))
    log_size, log_risk = np.array(vertices).T
    return np.exp(log_size), np.exp(log_risk)


def _slopes(flops: Float, sizes: Float, risk: Float) -> tuple[float, float]:
    """Size and loss exponents: least-squares lines through the logarithms."""
    size = np.polynomial.Polynomial.fit(np.log(flops), np.log(sizes), 1).convert().coef[1]
    loss = np.polynomial.Polynomial.fit(np.log(flops), np.log(risk), 1).convert().coef[1]
    return float(size), -float(loss)


def _with_slopes(flops: Float, sizes: Float, risk: Float) -> tuple[Float, Float, tuple[float, float]]:
    return sizes, risk, _slopes(flops, sizes, risk)


def _limit(model: PLRF) -> tuple[float, float]:
    here = known_phase(model.alpha, model.beta)
    return (math.nan, math.nan) if here is None else (here.size_exponent, here.loss_exponent)


def _dataset(at: Float, rows: dict[str, tuple[Float, Float, tuple[float, float]]], model: PLRF, opt: SGD) -> xr.Dataset:
    size, loss = np.array([row[2] for row in rows.values()]).T
    each = ("approach", "flops")
    ds = xr.Dataset(
        {
            "d_star": (each, np.stack([row[0] for row in rows.values()])),
            "risk": (each, np.stack([row[1] for row in rows.values()])),
            "size_exponent": ("approach", size),
            "loss_exponent": ("approach", loss),
            "size_bias": ("approach", size - size[0]),
            "loss_bias": ("approach", loss - loss[0]),
        },
        {"approach": ("approach", list(rows)), "flops": ("flops", at)},
    )
    ds.attrs = {
        "schema": SCHEMA,
        "version": version("scalinglaws"),
        "model": json.dumps(model.to_dict()),
        "optimizer": json.dumps(opt.to_dict()),
    }
    return ds
