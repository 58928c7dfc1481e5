"""Do the loss curves of a family collapse onto one another below their seed noise? One call, one result.

Read `verdict` first, then the findings that are not ok. Subtract 0 (`irreducible=0`) from training losses of language
models; leave the fit for held-out losses of runs with a power-law frontier. Give `horizon` only when the runs kept
their learning rate and were trained longer than their horizons.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws.comparison.collapsing.design import check_alike, design_of
from scalinglaws.comparison.collapsing.exponent import horizon_exponents
from scalinglaws.comparison.collapsing.family import Family, Horizon, choose, place
from scalinglaws.comparison.collapsing.irreducible import FEWEST, fit_ends
from scalinglaws.comparison.collapsing.labelled import label
from scalinglaws.comparison.collapsing.measure import SECOND_HALF, Draws, measure, resampled, resampled_floor
from scalinglaws.comparison.collapsing.result import Collapse, Interval, Irreducible
from scalinglaws.comparison.collapsing.seeds import SeedBootstrap
from scalinglaws.comparison.collapsing.sizes import band_levels, drift_over_sizes, odd_sizes
from scalinglaws.comparison.collapsing.words import findings_of, verdict_of
from scalinglaws.curves import Run
from scalinglaws.errors import InputError, require

__all__ = ["collapse"]

Array = NDArray[np.float64]

_GAMMA_REPLICATES = 200  # for two percentiles of one number; each resample costs as much as forty of the curves
INTERPOLATIONS = ("linear", "log")


def collapse(
    runs: xr.Dataset | Iterable[Run],
    *,
    irreducible: float | None = None,
    horizon: tuple[float, float] | None = None,
    grid: int | ArrayLike = 201,
    interpolation: str = "linear",
    ddof: int = 0,
    params: str = "total",
    level: float = 0.9,
    replicates: int = 1000,
    rng: int = 0,
) -> Collapse:
    """Normalise the loss curves of a family and say whether they collapse, from when on, and what stands out.

    Parameters
    ----------
    runs
        A family of measured runs (`read_curves`), or the runs themselves. Runs that are not finished, or damaged
        beyond use, are left out by rule and named.
    irreducible
        Lhat in nats per token; None fits L0 + a C^-b to the ends (four sizes or more).
    horizon
        (scale, exponent) of t* = (N / scale)^exponent tokens, to cut longer runs; None takes each run's own end.
    grid
        How many points of x in [0, 1], or the points themselves, increasing and ending at 1.
    interpolation
        "linear" in t, or "log": linear in log t, closer where logging is sparse.
    ddof
        0 for population variances as published, 1 for unbiased ones; of Delta and sigma.
    params
        What counts as N; a key of `curves.schema.PARAMS_CONVENTIONS`.
    level, replicates, rng
        Nominal coverage, resamples and seed of the bootstrap over seeds.

    Raises
    ------
    InputError
        When no run can take part, sizes are unknown, runs of one size differ in more than their seed, the
        irreducible loss can be neither fitted nor used, or an option is wrong.

    References
    ----------
    Qiu et al. (2025), arXiv 2507.02119, Eqs. 1 to 4; Bergsma et al. (2025), arXiv 2509.25087, for Lhat = 0.

    Examples
    --------
    >>> t = np.arange(1, 101)
    >>> curves = [
    ...     Run(name=f"{k}", params={"unspecified": 1e6 * k}, step=t * k, tokens=1e4 * t * k,
    ...         loss=2.0 + 0.1 * (t / 100 * k) ** -0.5 + 0.1 * k**-0.5)
    ...     for k in (1, 2, 4, 8)
    ... ]
    >>> result = collapse(curves, irreducible=2.0)
    >>> float(result.dataset.delta.max()) < 1e-12, round(float(result.dataset["mean"].sel(x=0.25)), 6)
    (True, 1.5)
    >>> print(result.verdict)
    The curves of 4 sizes differ by ... % on average over the second half of training; with one seed per size ...
    """
    x = _grid(grid)
    _check(interpolation, irreducible, ddof, level, replicates)
    selection = choose(runs, params=params, horizon=None if horizon is None else _horizon(horizon))
    family = place(selection, x, log=interpolation == "log")
    check_alike(selection, family.group, family.labels)
    bootstrap = SeedBootstrap.of(family, replicates, rng)
    floor = _irreducible(family, bootstrap, irreducible, level, replicates, rng)
    found = measure(family, family.loss, floor.value, ddof)
    draws = _draws(family, bootstrap, floor, ddof, replicates)
    levels = band_levels(found.ell, x, family.group)
    frontier, best = horizon_exponents(
        selection, family, irreducible=irreducible, level=level, replicates=min(replicates, _GAMMA_REPLICATES), rng=rng
    )
    attrs = {
        "interpolation": f"linear in {'log t' if interpolation == 'log' else 't'}",
        "horizon": "own end" if horizon is None else f"(N / {horizon[0]:g})^{horizon[1]:g} tokens",
        "params": params if selection.counts_params else "unknown: sizes are widths",
    }
    result = Collapse(
        dataset=label(selection, family, found, floor, ddof=ddof, unit=_unit(runs), attrs=attrs),
        irreducible=floor,
        onset=found.onset,
        onset_interval=_percentiles(draws.onset, level),
        mean_deviation=Interval(found.mean_deviation, *_percentiles(draws.mean_deviation, level)),
        mean_noise=Interval(found.mean_noise, *_percentiles(draws.mean_noise, level)),
        frontier_gamma=frontier,
        collapse_gamma=best,
        odd=odd_sizes(levels, family),
        drift=drift_over_sizes(levels, family, draws.levels),
        design=design_of(selection, family.sizes, family.group),
        verdict="",
        findings=(),
        level=level,
        replicates=replicates,
    )
    return replace(result, verdict=verdict_of(result), findings=findings_of(result, selection))


def _unit(runs: xr.Dataset | Iterable[Run]) -> str:
    return str(runs["loss"].attrs.get("units", "nats/token")) if isinstance(runs, xr.Dataset) else "nats/token"


def _grid(grid: int | ArrayLike) -> Array:
    if isinstance(grid, int) and not isinstance(grid, bool):
        require(grid >= 3, "grid", grid, "must be 3 points or more")
        return np.linspace(0.0, 1.0, grid)
    try:
        x = np.asarray(grid, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"grid = {grid!r:.80}: must be a number of points, or the points") from None
    good = x.ndim == 1 and x.size >= 3 and bool(np.isfinite(x).all()) and bool((np.diff(x) > 0).all())
    inside = good and x[0] >= 0.0 and x[-1] == 1.0 and x[-2] >= SECOND_HALF
    require(
        bool(inside), "grid", grid, "must be 3 points of x or more, increasing from 0 or later to 1, one in [0.5, 1)"
    )
    return x


def _check(interpolation: str, irreducible: float | None, ddof: int, level: float, replicates: int) -> None:
    if interpolation not in INTERPOLATIONS:
        raise InputError(f"interpolation = {interpolation!r}: must be one of {', '.join(INTERPOLATIONS)}")
    if irreducible is not None:
        number = isinstance(irreducible, int | float) and bool(np.isfinite(irreducible)) and irreducible >= 0
        require(number, "irreducible", irreducible, "must be a finite number, not negative")
    require(ddof in (0, 1), "ddof", ddof, "must be 0 or 1")
    require(isinstance(level, float) and 0.0 < level < 1.0, "level", level, "must lie between 0 and 1")
    require(
        isinstance(replicates, int) and replicates >= 20, "replicates", replicates, "must be an integer, 20 or more"
    )


def _horizon(horizon: tuple[float, float]) -> Horizon:
    pair = isinstance(horizon, tuple | list) and len(horizon) == 2
    require(pair, "horizon", horizon, "must be (scale, exponent)")
    return Horizon(*horizon)


def _irreducible(
    family: Family, bootstrap: SeedBootstrap | None, given: float | None, level: float, replicates: int, rng: int
) -> Irreducible:
    """Lhat as given, or fitted; a given one keeps the fit beside it where sizes allow one."""
    nan = float("nan")
    if given is not None and family.sizes.size < FEWEST:
        return Irreducible(value=float(given), source="given", low=nan, high=nan, fit=None)
    fitted = fit_ends(family, bootstrap, level=level, replicates=replicates, rng=rng)
    value = fitted.L0 if given is None else float(given)
    source = "fitted" if given is None else "given"
    return Irreducible(value=value, source=source, low=fitted.low, high=fitted.high, fit=fitted)


def _draws(family: Family, bootstrap: SeedBootstrap | None, floor: Irreducible, ddof: int, replicates: int) -> Draws:
    """Resample seeds together with the irreducible loss; where a size has one seed, the irreducible loss alone."""
    refitted = floor.source == "fitted" and floor.fit is not None
    floors = floor.fit.draws if refitted and floor.fit is not None else np.full(replicates, floor.value)
    if bootstrap is not None:
        return resampled(family, bootstrap.around(family, floors, floor.value), floors, ddof)
    unknown = np.full(1, np.nan)
    levels = resampled_floor(family, floors, floor.value)
    return Draws(onset=unknown, mean_deviation=unknown, mean_noise=unknown, levels=levels)


def _percentiles(draws: Array, level: float) -> tuple[float, float]:
    low, high = np.quantile(draws, [0.5 - 0.5 * level, 0.5 + 0.5 * level])
    return float(low), float(high)
