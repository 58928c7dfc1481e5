"""Fit the solvable model to measured runs and read off where they lie on its phase diagram."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws.comparison.family_laws import FamilyFit, fit_family
from scalinglaws.comparison.separable.search import listed
from scalinglaws.errors import InputError, require
from scalinglaws.prediction.placing.measured import measured_exponents, no_exponents
from scalinglaws.prediction.placing.region import Plane, plane_of
from scalinglaws.prediction.placing.result import NAMED, Placement
from scalinglaws.symbolic import phase

__all__ = ["place"]

Array = NDArray[np.float64]

_POINTS = 81
"""Of the grid, on each side."""
_REACH = 5.0
"""Half the grid, in standard errors; more where few runs make the tails long, up to `_FURTHEST`."""
_FURTHEST = 15.0

_SCALES = ("alpha", "beta", "s", "n0")


def place(
    runs: xr.Dataset | None = None,
    fit: FamilyFit | None = None,
    *,
    level: float = 0.9,
    params: str = "non_embedding",
    rng: int = 0,
) -> Placement:
    """Place a family of measured runs on the phase diagram.

    Parameters
    ----------
    runs
        The family; without it the measured exponents are left out.
    fit
        A fit of "plrf" to it by `fit_family`; made here if not given, with `noise="levels"`.
    level
        Of the region and of all intervals.
    params
        What counts as N.
    rng
        Seed of the bootstrap behind the measured exponents.

    Returns
    -------
    The placement. All its probabilities take the solvable model as true, with units that are runs; the prior is flat
    in (alpha, beta) over the grid, which covers the region widely. They describe the lowest minimum that was found;
    where another one that a start led to is not excluded at `level` and lies in another phase, none is named.
    `warnings` say so, and where the model is not good enough.

    Raises
    ------
    InputError
        If neither runs nor a fit is given, for a fit of another law, and as `fit_family`.

    References
    ----------
    Paquette et al., arXiv 2405.15074: the model and its phases. Chandler and Bate, Biometrika 94 (2007) 167: the
    adjustment of the objective for dependent records.

    Examples
    --------
    >>> from scalinglaws import fit_family, model_family, schedules
    >>> shape = schedules.linear(0.2, 400)
    >>> runs = model_family(1.0, 0.7, sizes=[24, 48, 96], horizon=(400, 1.0), schedule=shape, seeds=2, points=30)
    >>> placed = place(fit=fit_family(runs, "plrf", starts=1, fixed={"s": 1.0, "n0": 1.0, "g": 1.0}))
    >>> placed.region["inside"].dims, abs(sum(placed.probabilities.values()) - 1.0) < 1e-9
    (('alpha', 'beta'), True)
    """
    require(0.0 < level < 1.0, "level", level, "must lie between 0 and 1")
    if fit is None:
        if runs is None:
            raise InputError("runs = None: runs or a fit must be given")
        fit = fit_family(runs, "plrf", noise="levels", params=params)
    _check_law(fit)
    plane = plane_of(fit)
    region = _region(fit, plane, level)
    probabilities = _probabilities(region)
    best = max(probabilities, key=lambda name: probabilities[name])
    measured, why = _measured(runs, params, level, rng)
    alpha, beta = fit.params["alpha"], fit.params["beta"]
    _, xi, eta = _facts(alpha, beta)
    rivals = _rivals(fit, plane, level)
    sure = not _held(fit) and all(name == best for *_, name in rivals)
    return Placement(
        fit=fit,
        alpha=alpha,
        beta=beta,
        region=region,
        level=level,
        probabilities=probabilities,
        phase=best if probabilities[best] >= NAMED and best != "none" and sure else "undecided",
        size_exponent=xi,
        loss_exponent=eta,
        measured=measured,
        why_not=why,
        warnings=(*_warnings(fit, region), *(_rival_words(*rival) for rival in rivals)),
    )


def _check_law(fit: FamilyFit) -> None:
    """Refuse a fit of anything but the solvable model with alpha and beta free."""
    free = fit.problem.free_shapes
    if fit.law.name != "plrf" or not {"alpha", "beta"} <= set(free):
        raise InputError(f"fit = {fit.law.name} with {', '.join(free)} free: must be of plrf, with alpha and beta free")


def _region(fit: FamilyFit, plane: Plane, level: float) -> xr.Dataset:
    """Evaluate distance, density and phases on a grid round the fit, inside the range of the law."""
    reach = min(max(_REACH, 1.5 * float(np.sqrt(plane.quantile(0.99)))), _FURTHEST)
    axes = []
    for i, name in enumerate(("alpha", "beta")):
        shape = next(s for s in fit.law.shapes if s.name == name)
        half = reach * float(np.sqrt((plane.root @ plane.root)[i, i]))
        low, high = plane.centre[i] * np.exp(-half), plane.centre[i] * np.exp(half)
        axes.append(np.linspace(max(low, shape.low), min(high, shape.high), _POINTS))
    alpha, beta = np.meshgrid(*axes, indexing="ij")
    distance = plane.distance(alpha, beta)
    density = plane.density(distance)
    facts = [[_facts(a, b) for b in axes[1].tolist()] for a in axes[0].tolist()]
    dims = ("alpha", "beta")
    return xr.Dataset(
        {
            "distance": (dims, distance, {"long_name": "Hotelling's T^2"}),
            "inside": (dims, distance <= plane.quantile(level), {"long_name": f"{100 * level:g} % region"}),
            "density": (dims, density / density.sum(), {"long_name": "posterior probability of the cell"}),
            "phase": (dims, np.array([[f[0] for f in row] for row in facts], dtype=object)),
            "size_exponent": (dims, np.array([[f[1] for f in row] for row in facts])),
            "loss_exponent": (dims, np.array([[f[2] for f in row] for row in facts])),
        },
        {"alpha": axes[0], "beta": axes[1]},
        {"dof": plane.dof, "quantile": plane.quantile(level)},
    )


def _facts(alpha: float, beta: float) -> tuple[str, float, float]:
    """Phase, size exponent and loss exponent; "" and NaN where none is known."""
    if 2.0 * (alpha + beta) <= 1.0:
        return "", float("nan"), float("nan")
    here = phase(alpha, beta)
    return here.name, here.size_exponent, here.loss_exponent


def _probabilities(region: xr.Dataset) -> dict[str, float]:
    names, density = region["phase"].values.ravel(), region["density"].values.ravel()
    found = {str(n) or "none": float(density[names == n].sum()) for n in sorted(set(names.tolist()))}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _measured(runs: xr.Dataset | None, params: str, level: float, rng: int) -> tuple[xr.Dataset, tuple[str, ...]]:
    if runs is None:
        return no_exponents(), ("a fit was given without its runs",)
    return measured_exponents(runs, params=params, level=level, rng=rng)


def _held(fit: FamilyFit) -> list[str]:
    """Parameters whose bound is the law's and not nature's: the data want what it cannot give.

    No floor (E), no noise (g) and no end to the number of features (n0, its lower end) are nature's.
    """
    return [name for name in _SCALES if name in fit.at_bounds and not (name == "n0" and _unlimited(fit))]


def _unlimited(fit: FamilyFit) -> bool:
    """Whether even the smallest size has more features than matter."""
    low = fit.law.ranges(fit.problem.look)[0][[shape.name for shape in fit.law.shapes].index("n0")]
    return "n0" in fit.at_bounds and fit.params["n0"] <= (1.0 + 1e-9) * low


def _rivals(fit: FamilyFit, plane: Plane, level: float) -> list[tuple[float, float, float, str]]:
    """Other minima of the objective that the runs do not exclude: alpha, beta, their statistic, their phase."""
    found: dict[tuple[float, float], tuple[float, float, float, str]] = {}
    for end in sorted(fit.ends, key=lambda end: end.objective):
        values = fit.problem.values(end.theta)
        alpha, beta = values["alpha"], values["beta"]
        away = (end.objective - fit.objective) / plane.rise
        elsewhere = plane.distance(np.array(alpha), np.array(beta)) > plane.quantile(level)
        if elsewhere and away <= plane.quantile(level):
            found.setdefault((round(alpha, 2), round(beta, 2)), (alpha, beta, away, _facts(alpha, beta)[0]))
    return list(found.values())


def _rival_words(alpha: float, beta: float, away: float, name: str) -> str:
    return (
        f"another minimum lies at alpha = {alpha:.2f}, beta = {beta:.2f} ({name or 'no known phase'}): the runs do not "
        f"exclude it (T^2 = {away:.2g}), and the region does not show it"
    )


def _warnings(fit: FamilyFit, region: xr.Dataset) -> tuple[str, ...]:
    said = list(fit.warnings)
    if _held(fit):
        said.append(
            f"{listed(_held(fit))} ended on a bound of the law's range, and the region takes that for known: it is too "
            "small, and no phase is named"
        )
    if _unlimited(fit):
        said.append(
            "n0 ended at its lower end: there are more features than matter, and size acts through the trace of the "
            "data covariance alone (if 2 alpha < 1, where that grows with size)"
        )
    missed, noise = _misfit(fit)
    if np.isfinite(noise) and missed > 2.0 * noise:
        said.append(
            f"the model misses the mean curves by {100 * missed:.2g} %, more than their seeds explain "
            f"({100 * noise:.2g} %): region and probabilities hold for the model's parameters, not for its truth"
        )
    inside = region["inside"].values
    edge = inside[[0, -1], :].any() or inside[:, [0, -1]].any()
    if edge:
        said.append("the region reaches the edge of the studied range of alpha and beta, so it is cut there")
    return tuple(said)


def _misfit(fit: FamilyFit) -> tuple[float, float]:
    """Root mean square of what the law misses in the mean of each group's runs, and of the noise of that mean."""
    curves, residuals = fit.records.curves, fit.residuals()
    count = np.bincount(curves.group)
    curve = np.bincount(curves.distinct.place, residuals) / np.bincount(curves.distinct.place)
    missed = float(np.sqrt(np.mean(curve**2)))
    if count.min() < 2:
        return missed, float("nan")
    levels = np.array([residuals[part].mean() for part in curves.slices])
    spread = [levels[curves.group == g].var(ddof=1) / n for g, n in enumerate(count)]
    return missed, float(np.sqrt(np.mean(spread)))
