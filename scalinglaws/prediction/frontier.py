r"""The compute-optimal frontier of a solvable model: best size, steps and risk for each budget, with local exponents.

`frontier` minimises P(d, t) along flops = d t B over real d. Curves exist at whole d only; between them log P is
interpolated in log d by a polynomial *along t ~ d^x*. With the x of the optimum itself (finite-size scaling) the
balance of the terms of the risk hardly changes, so that five sizes, a quarter of a decade apart, give exponents to
about 1e-6, where a polynomial at fixed flops would need sizes a few per cent apart; small models, whose risk shows
single eigenvalues, want x = 0, the same steps for all. Derivatives by the steps are exact, hence

    loss exponent  -d log P* / d log f = -P_t t / P at the optimum (envelope theorem),
    size exponent   d log d* / d log f = -h_uF / h_uu,     h(u, F) = log P(e^u, e^(F - u) / B).

x only names coordinates: it starts from `phase`, is replaced by the slope that is found, and of it and 0 the one with
the smaller error is used.
"""

from __future__ import annotations

import json
import math
from bisect import bisect
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from scalinglaws.curves.schema import SCHEMA
from scalinglaws.errors import InputError, require
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD
from scalinglaws.prediction.sizes import SizeCurve, SizeFamily
from scalinglaws.symbolic import known_phase

__all__ = ["FINE", "Grid", "Optimum", "budgets", "frontier", "optimum"]

Float = NDArray[np.float64]

FRAMES = 2
"""Times the scaling frame is replaced by the one found; each costs no new curve."""
MOVES = 200
"""Windows tried before giving up."""
REFINEMENTS = 1, 2, 4
"""Sizes per decade, in units of the grid's."""
LARGEST = 1e50
"""Largest budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Which sizes carry the interpolation.

    Parameters
    ----------
    nodes, per_decade
        How many sizes, and how many of them in each factor of ten.
    tolerance
        Error of the exponents above which sizes are taken denser.
    """

    nodes: int
    per_decade: int
    tolerance: float


FINE = Grid(nodes=5, per_decade=4, tolerance=1e-4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """The compute-optimal point of one budget.

    Parameters
    ----------
    flops, d_star, steps, risk
        Budget, best size (real), steps d_star leaves, and the risk reached.
    size_exponent, loss_exponent
        Local slopes: d* ~ flops^size_exponent and risk ~ flops^(-loss_exponent) round this budget.
    size_exponent_error, loss_exponent_error
        Larger change of each when the smallest or the largest of the sizes behind it is left out: an estimate of the
        error of discretisation, mostly from above.
    """

    flops: float
    d_star: float
    steps: float
    risk: float
    size_exponent: float
    loss_exponent: float
    size_exponent_error: float
    loss_exponent_error: float

    @property
    def error(self) -> float:
        """The larger of both errors."""
        return max(self.size_exponent_error, self.loss_exponent_error)


_MEANING = {
    "d_star": "compute-optimal number of parameters",
    "steps": "steps at the optimum, flops / (d_star batch)",
    "risk": "least expected risk for the budget",
    "size_exponent": "local xi in d_star ~ flops^xi",
    "loss_exponent": "local eta in risk ~ flops^-eta",
    "size_exponent_error": "error of discretisation of the local size exponent",
    "loss_exponent_error": "error of discretisation of the local loss exponent",
}


def frontier(model: PLRF, opt: SGD, flops: ArrayLike) -> xr.Dataset:
    """Find the compute-optimal size, steps and risk for each budget, and the local exponents there.

    From the deterministic limit of `solve`, with flops = d * steps * batch; v/d and the rate rule of `model` and
    `opt` are kept while d varies over the reals and steps over the reals (exact at whole numbers, analytic between).
    A budget costs some ten curves, about 25 ms; budgets close to each other share them.

    The optimum is the one with larger and smaller sizes on both sides. Where 2 (alpha + beta) is barely above 1, the
    smallest models of all may have less risk still, because v/d is kept and they have less to learn.

    Parameters
    ----------
    model
        Its d sets only v/d.
    opt
        Constant rate and batch, the rate as a number or `relative_lr`.
    flops
        Budgets, shape (k,) or a number; from 1 to 1e50, in any order.

    Returns
    -------
    Dataset over `flops`: `d_star`, `steps`, `risk`, the local `size_exponent` (d_star ~ flops^xi) and
    `loss_exponent` (risk ~ flops^-eta), and for both the error of discretisation, `size_exponent_error` and
    `loss_exponent_error`. How far a local exponent is from its limit is another matter: see `phase`. Rounding is not
    in these errors; it reaches 1e-3 in the size exponent once the risk is below 1e-24 of the initial one.

    Raises
    ------
    InputError
        For budgets outside 1 to 1e50, one too small to have an optimum with d >= 1 and steps >= 1, a schedule,
        or a rate that is unstable at a size the search needs.

    References
    ----------
    Paquette, Paquette, Xiao, Pennington, 4+3 Phases of Compute-Optimal Neural Scaling Laws, arXiv 2405.15074.

    Examples
    --------
    >>> from scalinglaws.optimizers import relative_lr
    >>> best = frontier(PLRF(alpha=0.9, beta=0.6, d=100), SGD(lr=relative_lr(0.25)), [1e12, 1e15])
    >>> best["loss_exponent"].round(4).values  # phase II: 2/3 and 0.4 as flops grow
    array([0.6596, 0.6624])
    >>> best["size_exponent"].round(4).values
    array([0.4027, 0.4014])
    """
    at = budgets(flops)
    family = SizeFamily(model, opt)
    found = [optimum(family, float(f)) for f in at]
    columns = {name: np.array([getattr(point, name) for point in found]) for name in _MEANING}
    ds = xr.Dataset(
        {name: ("flops", column, {"long_name": _MEANING[name], "units": "1"}) for name, column in columns.items()},
        {"flops": ("flops", at, {"long_name": "compute, d * steps * batch", "units": "1"})},
    )
    ds.attrs = {
        "schema": SCHEMA,
        "version": version("scalinglaws"),
        "method": "deterministic",
        "model": json.dumps(model.to_dict()),
        "optimizer": json.dumps(opt.to_dict()),
    }
    return ds


def budgets(flops: ArrayLike) -> Float:
    """Return budgets as a float array of shape (k,), checked.

    Raises
    ------
    InputError
        If there is none, or one is not a number between 1 and `LARGEST`.
    """
    try:
        at = np.atleast_1d(np.asarray(flops, dtype=np.float64))
    except (TypeError, ValueError):
        raise InputError(f"flops = {flops!r}: must be numbers") from None
    require(at.ndim == 1 and at.size > 0, "flops", flops, "must be one budget or a list of them")
    require(bool(np.all((at >= 1.0) & (at <= LARGEST))), "flops", flops, f"must lie between 1 and {LARGEST:g}")
    return at


def optimum(family: SizeFamily, flops: float, grid: Grid = FINE) -> Optimum:
    """Find the compute-optimal point of one budget.

    Small models resolve single eigenvalues, which a coarse interpolation cannot follow: sizes are taken denser until
    the error of the exponents is below the tolerance of `grid`, or as dense as whole numbers allow.

    Raises
    ------
    InputError
        If the optimum has d < 1 or less than one step.
    """
    found = None
    for denser in REFINEMENTS:
        trial = _search(family, flops, grid.nodes, denser * grid.per_decade)
        if trial is not None and (found is None or trial.error < found.error):
            found = trial
        if found is not None and found.error <= grid.tolerance:
            break
    if found is None:
        raise InputError(f"flops = {flops:g}: too small, no optimum with at least one parameter and one step")
    return found


def _search(family: SizeFamily, flops: float, nodes: int, per_decade: int) -> Optimum | None:
    """Walk along the sizes of a grid until the best of them has sizes on both sides; None if it never has.

    log P is nearly the logarithm of a sum of power laws, which is convex in log d: the walk follows the exact risks of
    whole sizes, and only the last step, between two of them, interpolates.
    """
    sizes = family.sizes(per_decade)
    log_samples = math.log(flops / family.batch)
    size_exponent, frame = _expected(family.model)
    last = bisect(sizes, flops / family.batch) - 1 + nodes // 2  # the best must leave a step or more
    first = bisect(sizes, flops**size_exponent) - nodes // 2
    for _ in range(MOVES):
        first = max(min(first, last - nodes + 1), 0)
        window = _Window([family.curve(d) for d in sizes[first : first + nodes]], log_samples)
        move = window.best - nodes // 2
        wanted = max(min(first + move, last - nodes + 1), 0)
        if wanted == first or (nodes % 2 == 0 and move == -1):
            break
        first = wanted
    if not 0 < window.best < nodes - 1:
        return None
    return window.optimum(flops, family.batch, frame)


def _expected(model: PLRF) -> tuple[float, float]:
    """Where to look first: size exponent and trade-off of the phase, or of balance where it is not known."""
    here = known_phase(model.alpha, model.beta)
    return (0.5, 1.0) if here is None else (here.size_exponent, here.tradeoff_exponent)


class _Window:
    """A few sizes, and log P interpolated between them at a fixed number of samples times parameters."""

    def __init__(self, curves: list[SizeCurve], log_samples: float) -> None:
        self.curves, self.log_samples = curves, log_samples
        self.log_d = np.array([curve.log_d for curve in curves])
        self.spacing = float(np.diff(self.log_d).mean())
        self._starts = np.cumsum([0, *(curve.weight.size for curve in curves[:-1])])
        self._owner = np.repeat(np.arange(len(curves)), [curve.weight.size for curve in curves])
        self._log_factor = np.concatenate([curve.log_factor for curve in curves])
        self._weight = np.concatenate([curve.weight for curve in curves])
        powers = ((self.log_d - self.log_d[0]) / self.spacing)[:, None] ** np.arange(len(curves))
        self._basis = np.linalg.inv(powers)  # column i: coefficients of the i-th Lagrange polynomial
        self.best = int(self._log_risks(np.exp(log_samples - self.log_d))[0].argmin())

    def derivatives(self, u: float, frame: float) -> tuple[float, float, float, float, float]:
        """h, h_u, h_F, h_uu, h_uF at log d = u, along t ~ d^frame between the sizes."""
        nodes = self.log_samples - u + frame * (self.log_d - u)
        value, slope, bend = self._log_risks(np.exp(nodes))
        basis, basis_1, basis_2 = self._lagrange(u)
        k = 1.0 + frame
        h, h_f = basis @ value, basis @ slope
        h_u = basis_1 @ value - k * h_f
        h_uf = basis_1 @ slope - k * (basis @ bend)
        h_uu = basis_2 @ value - 2.0 * k * (basis_1 @ slope) + k * k * (basis @ bend)
        return float(h), float(h_u), float(h_f), float(h_uu), float(h_uf)

    def exponents(self, u: float, frame: float) -> tuple[float, float]:
        """Local size and loss exponents at the minimum u."""
        _, _, h_f, h_uu, h_uf = self.derivatives(u, frame)
        return -h_uf / h_uu, -h_f

    def optimum(self, flops: float, batch: int, frame: float) -> Optimum | None:
        """Interpolate the minimum next to the best size, in the frame that proves more accurate; None if none can."""
        moving = self._in_frame(flops, batch, frame)
        for _ in range(FRAMES):
            if moving is None or not 0.0 < moving.size_exponent < 1.0:
                break
            moving = self._in_frame(flops, batch, 1.0 / moving.size_exponent - 1.0)
        found = [point for point in (moving, self._in_frame(flops, batch, 0.0)) if point is not None]
        return min(found, key=lambda point: point.error, default=None)

    def _in_frame(self, flops: float, batch: int, frame: float) -> Optimum | None:
        u = self.minimum(frame, self.log_d[self.best - 1], self.log_d[self.best + 1])
        if u is None:
            return None
        size, loss = self.exponents(u, frame)
        errors = self._errors(u, frame, size, loss)
        steps = flops / (math.exp(u) * batch)
        if errors is None or steps < 1.0:
            return None
        return Optimum(
            flops=flops,
            d_star=math.exp(u),
            steps=steps,
            risk=math.exp(self.derivatives(u, frame)[0]),
            size_exponent=size,
            loss_exponent=loss,
            size_exponent_error=errors[0],
            loss_exponent_error=errors[1],
        )

    def minimum(self, frame: float, low: float, high: float) -> float | None:
        """Log size of the least risk between two sizes; None if the interpolated slope does not change its sign."""

        def slope(u: float) -> float:
            return self.derivatives(u, frame)[1]

        if slope(low) >= 0.0 or slope(high) <= 0.0:
            return None
        return float(brentq(slope, low, high, xtol=1e-12))

    def _errors(self, u: float, frame: float, size: float, loss: float) -> tuple[float, float] | None:
        """Larger change of the exponents when the smallest or the largest size is left out."""
        changes = []
        for part in self._parts():
            other = part.minimum(frame, u - self.spacing, u + self.spacing)
            if other is None:
                return None
            changes.append(np.subtract(part.exponents(other, frame), (size, loss)))
        worst = abs(np.array(changes)).max(axis=0)
        return float(worst[0]), float(worst[1])

    def _parts(self) -> tuple[_Window, _Window]:
        """Leave out the smallest size, and the largest."""
        return _Window(self.curves[1:], self.log_samples), _Window(self.curves[:-1], self.log_samples)

    def _log_risks(self, steps: Float) -> tuple[Float, Float, Float]:
        """Log P of each size at its own steps, and two derivatives by the logarithm of the steps."""
        exponent = steps[self._owner] * self._log_factor
        terms = self._weight * np.exp(exponent)
        first = exponent * terms
        sums = [np.add.reduceat(part.real, self._starts) for part in (terms, first, first + exponent * first)]
        slope = sums[1] / sums[0]
        return np.log(sums[0]), slope, sums[2] / sums[0] - slope**2

    def _lagrange(self, u: float) -> tuple[Float, Float, Float]:
        """Give the Lagrange polynomials of the sizes and two derivatives at u."""
        y, p = (u - self.log_d[0]) / self.spacing, np.arange(len(self.curves))
        zero = y**p
        one = p * y ** np.maximum(p - 1, 0) / self.spacing
        two = p * (p - 1) * y ** np.maximum(p - 2, 0) / self.spacing**2
        return zero @ self._basis, one @ self._basis, two @ self._basis
