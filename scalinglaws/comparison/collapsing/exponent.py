"""The exponent gamma of the compute-optimal horizon t* ~ N^gamma, measured two ways on runs at a constant rate.

`frontier_exponent` asks which size is best at each compute and fits c*(N) = kappa N^(1 + gamma); `collapse_exponent`
asks which gamma makes the normalised curves fall onto one another. They look at different things (the envelope, the
shapes), so their agreement means something. Both need runs whose loss on the way is what a shorter run would have
reached: with a decaying rate it is not, and no gamma can be had from such runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.collapsing.design import rate_is_held
from scalinglaws.comparison.collapsing.deviation import deviation
from scalinglaws.comparison.collapsing.family import Curve, Family, Selection, on_grid
from scalinglaws.comparison.collapsing.irreducible import COMPUTE_LAW, FEWEST, refit_ends
from scalinglaws.comparison.collapsing.seeds import redraw
from scalinglaws.fitting import Table, fit

__all__ = ["HorizonExponent", "collapse_exponent", "frontier_exponent", "horizon_exponents"]

Array = NDArray[np.float64]

_BUDGETS = 400
_GAMMAS = 41
_FEWEST = 5  # exponents, and points of x, below which no minimum is looked for
_CLEAR = 0.5  # a minimum counts if it is at most half of the deviation at both ends of the range
_INTERIOR = 3  # sizes through which a frontier is drawn
_CUT = 0.5  # share of its run at which the middle size is cut, which leaves room to tilt the horizons
_SHAPE_X = np.linspace(0.1, 1.0, 46)


@dataclass(frozen=True, slots=True, kw_only=True)
class HorizonExponent:
    """One estimate of gamma.

    Parameters
    ----------
    method
        "frontier" or "collapse".
    value
        gamma; NaN where the data give none.
    low, high, level
        Its interval, NaN without several seeds of every size, and nominal coverage.
    untold
        Why there is no value or no interval, or "".
    """

    method: str
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    level: float = 0.9
    untold: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        values = {name: getattr(self, name) for name in HorizonExponent.__slots__}
        return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in values.items()}


def horizon_exponents(
    selection: Selection, family: Family, *, irreducible: float | None, level: float, replicates: int, rng: int
) -> tuple[HorizonExponent, HorizonExponent]:
    """Estimate gamma by the frontier and by the best collapse, or say why these runs cannot give it.

    Parameters
    ----------
    selection, family
        The runs and their sizes.
    irreducible
        Lhat; None refits it wherever it is needed.
    level, replicates, rng
        Of the seed bootstrap.
    """
    untold = ""
    if family.sizes.size < 2:
        untold = "one size has no horizon exponent"
    elif not all(rate_is_held(c) for c in selection.curves):
        untold = (
            "the learning rate decays or is not recorded, so the loss on the way is not what a shorter run would reach"
        )
    if untold:
        frontier, best = (HorizonExponent(method=m, level=level, untold=untold) for m in ("frontier", "collapse"))
        return frontier, best
    return (
        frontier_exponent(selection, family, level=level, replicates=replicates, rng=rng),
        collapse_exponent(selection, family, irreducible=irreducible, level=level, replicates=replicates, rng=rng),
    )


def frontier_exponent(
    selection: Selection, family: Family, *, level: float, replicates: int, rng: int
) -> HorizonExponent:
    """Estimate gamma from the best size at each compute, c*(N) = kappa N^(1 + gamma) by log-log least squares.

    Compute is log-spaced and losses are means over seeds. Points of the smallest and the largest size are dropped (a
    still smaller or larger one might be better there), and so are those of sizes that were not seen to overtake the
    one before or to be overtaken.

    References
    ----------
    Qiu et al. (2025), arXiv 2507.02119, appendix C.
    """
    budgets, losses = _on_budgets(selection.curves)

    def slopes(index: NDArray[np.int64]) -> Array:
        return np.array([_frontier_slope(losses[row], family, budgets) for row in index])

    edge = (
        f"fewer than {_INTERIOR} sizes between the smallest and the largest are seen to overtake one and be overtaken: "
        "the runs are too short or the sizes too few"
    )
    return _with_interval("frontier", slopes, edge, family, level, replicates, rng)


def _on_budgets(curves: tuple[Curve, ...]) -> tuple[Array, Array]:
    """Log-spaced clock x size, and the loss of every run there, shape (runs, budgets); infinite where not running."""
    spent = [c.repaired.clock * c.size for c in curves]
    budgets = np.geomspace(min(s[s > 0][0] for s in spent), max(s[-1] for s in spent), _BUDGETS)
    rows = [
        np.interp(np.log(budgets), np.log(s[s > 0]), c.repaired.loss[s > 0], left=np.inf, right=np.inf)
        for s, c in zip(spent, curves, strict=True)
    ]
    return budgets, np.stack(rows)


def _frontier_slope(losses: Array, family: Family, budgets: Array) -> float:
    """Return gamma of the frontier of the mean losses, or NaN."""
    by_size = np.stack([losses[family.group == p].mean(axis=0) for p in range(family.sizes.size)])
    best = np.argmin(by_size, axis=0)
    log_n: list[float] = []
    log_c: list[float] = []
    for p in range(1, family.sizes.size - 1):
        where = np.flatnonzero(best == p)
        if where.size == 0 or where[0] == 0 or where[-1] == budgets.size - 1:
            continue
        before, after = where[0], where[-1] + 1
        overtook = np.isfinite(by_size[best[before - 1], before])
        if overtook and np.isfinite(by_size[p, after]):
            log_n += [float(np.log(family.sizes[p]))] * where.size
            log_c += np.log(budgets[where]).tolist()
    return float(np.polyfit(log_n, log_c, 1)[0]) - 1.0 if len(set(log_n)) >= _INTERIOR else float("nan")


def collapse_exponent(
    selection: Selection, family: Family, *, irreducible: float | None, level: float, replicates: int, rng: int
) -> HorizonExponent:
    """Estimate gamma as the exponent of t* ~ N^gamma that makes the curves collapse best.

    Every run is cut at t*(N), half-way for a size in the middle, and normalised by its loss there; the mean of Delta
    over x in [0.1, 1) is minimised over all gamma that the lengths of the runs allow.

    Parameters
    ----------
    selection, family
        The runs and their sizes.
    irreducible
        Lhat; None refits it to the cut ends for every gamma and every resample.
    level, replicates, rng
        Of the seed bootstrap.
    """
    sizes = family.sizes
    if sizes.size < (2 if irreducible is not None else FEWEST):
        return HorizonExponent(method="collapse", level=level, untold="there are too few sizes")
    gammas, cuts = _possible(selection.curves, family)
    if gammas.size < _FEWEST:
        return HorizonExponent(method="collapse", level=level, untold="the runs are too short to be cut at other sizes")
    tables = [_cut(selection.curves, horizon[family.group]) for horizon in cuts]

    def vertices(index: NDArray[np.int64]) -> Array:
        columns = []
        for losses, horizon in zip(tables, cuts, strict=True):
            drawn = losses[index]
            floor = _floors(drawn[..., -1], (sizes * horizon)[family.group], irreducible)
            columns.append(_mean_deviation(drawn[..., np.isfinite(losses).all(axis=0)], floor))
        return np.array([_lowest(gammas, row) for row in np.stack(columns, axis=1)])

    edge = f"the deviation has no clear minimum in the range that the runs allow, {gammas[0]:.2f} to {gammas[-1]:.2f}"
    return _with_interval("collapse", vertices, edge, family, level, replicates, rng)


def _mean_deviation(losses: Array, floor: Array) -> Array:
    """Mean Delta over x of every resample (replicates, runs, x); NaN where Lhat is not below all ends."""
    if losses.shape[-1] < _FEWEST:
        return np.full(len(losses), np.nan)
    below = np.where(floor < losses[..., -1].min(axis=1), floor, np.nan)[:, None, None]
    ell = (losses - below) / (losses[..., -1:] - below)
    return np.asarray(deviation(np.moveaxis(ell, 1, 0)[..., :-1]).mean(axis=1))


def _possible(curves: tuple[Curve, ...], family: Family) -> tuple[Array, list[Array]]:
    """Exponents for which every run reaches its horizon, and those horizons by size."""
    last = np.array([c.repaired.clock[-1] for c in curves])
    ends = np.array([last[family.group == p].min() for p in range(family.sizes.size)])
    log_n = np.log(family.sizes) - np.log(family.sizes).mean()
    slope, level = np.polyfit(log_n, np.log(ends), 1)
    room = np.log(1.0 / _CUT) / float(np.max(np.abs(log_n)))
    gammas = slope + np.linspace(-room, room, _GAMMAS)
    cuts = [_CUT * np.exp(level + g * log_n) for g in gammas]
    fits = np.array([bool((cut <= ends).all()) for cut in cuts])
    return gammas[fits], [cut for cut, ok in zip(cuts, fits, strict=True) if ok]


def _cut(curves: tuple[Curve, ...], horizon: Array) -> Array:
    """Losses over x of runs cut at the given horizons, shape (runs, x)."""
    rows = [
        on_grid(c.repaired.clock / end, c.repaired.loss, _SHAPE_X, log=True)
        for c, end in zip(curves, horizon, strict=True)
    ]
    return np.stack(rows)


def _floors(finals: Array, compute: Array, irreducible: float | None) -> Array:
    """Lhat of every resample, shape (replicates,)."""
    if irreducible is not None:
        return np.full(len(finals), irreducible)
    unit = float(np.exp(np.mean(np.log(compute))))
    table = Table(params=compute / unit, tokens=np.ones(compute.size), loss=finals[0])
    return refit_ends(fit(table, law=COMPUTE_LAW, starts=2), finals)


def _lowest(gammas: Array, spread: Array) -> float:
    """Vertex of the parabola through the least squared deviation and its neighbours; NaN without a clear minimum."""
    known = np.isfinite(spread)
    gammas, spread = gammas[known], spread[known]
    if gammas.size < _FEWEST:
        return float("nan")
    k = int(np.argmin(spread))
    if k in (0, gammas.size - 1) or spread[k] > _CLEAR * min(spread[0], spread[-1]):
        return float("nan")
    left, here, right = spread[k - 1 : k + 2] ** 2
    bend = left - 2.0 * here + right
    return float(gammas[k] + 0.5 * (gammas[1] - gammas[0]) * (left - right) / bend) if bend > 0 else float(gammas[k])


def _with_interval(
    method: str,
    estimate: Callable[[NDArray[np.int64]], Array],
    edge: str,
    family: Family,
    level: float,
    replicates: int,
    rng: int,
) -> HorizonExponent:
    """Estimate from the runs as they are, then from redrawn seeds; `edge` says what a missing value means."""
    value = float(estimate(np.arange(family.group.size)[None])[0])
    if not np.isfinite(value):
        return HorizonExponent(method=method, level=level, untold=edge)
    if family.seeds.min() < 2:
        untold = "a size with one seed says nothing about the noise, so there is no interval"
        return HorizonExponent(method=method, value=value, level=level, untold=untold)
    draws = estimate(redraw(family.group, replicates, np.random.default_rng(rng)))
    known = draws[np.isfinite(draws)]
    if known.size < 0.9 * draws.size:
        share = 100.0 * (1.0 - known.size / draws.size)
        untold = f"{share:.0f} % of the resamples of seeds give no value, so noise decides and the value is withheld"
        return HorizonExponent(method=method, level=level, untold=untold)
    low, high = np.quantile(known, [0.5 - 0.5 * level, 0.5 + 0.5 * level])
    return HorizonExponent(method=method, value=value, low=float(low), high=float(high), level=level)
