"""Fit the solvable model to measured runs and read off where they lie on its phase diagram."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws.comparison.family_laws import FamilyFit, fit_family
from scalinglaws.errors import InputError
from scalinglaws.prediction.placing.doubts import doubts_about
from scalinglaws.prediction.placing.facts import facts
from scalinglaws.prediction.placing.measured import measured_exponents, no_exponents
from scalinglaws.prediction.placing.metric import check_level
from scalinglaws.prediction.placing.region import Plane, plane_of
from scalinglaws.prediction.placing.result import NAMED, Placement

__all__ = ["place"]

Array = NDArray[np.float64]

_POINTS = 81
"""Of the grid, on each side."""


def place(
    runs: xr.Dataset | None = None,
    fit: FamilyFit | None = None,
    *,
    level: float = 0.9,
    params: str = "non_embedding",
    starts: int | None = 3,
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
        Of the region and of all intervals, at most 0.99.
    params
        What counts as N.
    starts
        Descents of the fit that is made here, as for `fit_family`.
    rng
        Seed of the bootstrap behind the measured exponents.

    Returns
    -------
    The placement. Its intervals are those of the profile; its probabilities are posterior, for a prior flat in
    (alpha, beta) over the grid, which covers what was explored: the region round the fit, and those parts of it round
    other minima that a start led to. Both take the solvable model as true, with units that are runs. `warnings` say
    where it may lack points, and where the model is not good enough.

    Raises
    ------
    InputError
        If neither runs nor a fit is given, for a fit of another law or another level, and as `fit_family`.

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
    check_level(level)
    if fit is None:
        if runs is None:
            raise InputError("runs = None: runs or a fit must be given")
        fit = fit_family(runs, "plrf", noise="levels", params=params, starts=starts)
    _check_law(fit)
    plane = plane_of(fit)
    region = _region(plane, level)
    probabilities = _probabilities(region)
    best = max(probabilities, key=lambda name: probabilities[name])
    measured, why = _measured(runs, params, level, rng)
    alpha, beta = fit.params["alpha"], fit.params["beta"]
    _, xi, eta = facts(alpha, beta)
    doubts = doubts_about(fit, plane, region)
    named = probabilities[best] >= NAMED and best != "none" and doubts.allow(best)
    return Placement(
        fit=fit,
        alpha=alpha,
        beta=beta,
        region=region,
        level=level,
        probabilities=probabilities,
        phase=best if named else "undecided",
        size_exponent=xi,
        loss_exponent=eta,
        measured=measured,
        why_not=why,
        warnings=(*fit.warnings, *doubts.sentences),
    )


def _check_law(fit: FamilyFit) -> None:
    """Refuse a fit of anything but the solvable model with alpha and beta free."""
    free = fit.problem.free_shapes
    if fit.law.name != "plrf" or not {"alpha", "beta"} <= set(free):
        raise InputError(f"fit = {fit.law.name} with {', '.join(free)} free: must be of plrf, with alpha and beta free")


def _region(plane: Plane, level: float) -> xr.Dataset:
    """Evaluate distance, density and phases on a grid over what was explored, inside the range of the law."""
    axes = [np.linspace(low, high, _POINTS) for low, high in plane.span.T]
    alpha, beta = np.meshgrid(*axes, indexing="ij")
    distance, edge = plane.distance(alpha, beta), plane.metric.quantile(level)
    density = plane.metric.density(distance)
    told = [[facts(a, b) for b in axes[1].tolist()] for a in axes[0].tolist()]
    dims = ("alpha", "beta")
    return xr.Dataset(
        {
            "distance": (dims, distance, {"long_name": "Hotelling's T^2"}),
            "inside": (dims, distance <= edge, {"long_name": f"{100 * level:g} % region"}),
            "density": (dims, density / density.sum(), {"long_name": "posterior probability of the cell"}),
            "phase": (dims, np.array([[f[0] for f in row] for row in told], dtype=object)),
            "size_exponent": (dims, np.array([[f[1] for f in row] for row in told])),
            "loss_exponent": (dims, np.array([[f[2] for f in row] for row in told])),
        },
        {"alpha": axes[0], "beta": axes[1]},
        {"dof": plane.metric.dof, "quantile": edge},
    )


def _probabilities(region: xr.Dataset) -> dict[str, float]:
    names, density = region["phase"].values.ravel(), region["density"].values.ravel()
    found = {str(n) or "none": float(density[names == n].sum()) for n in sorted(set(names.tolist()))}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _measured(runs: xr.Dataset | None, params: str, level: float, rng: int) -> tuple[xr.Dataset, tuple[str, ...]]:
    if runs is None:
        return no_exponents(), ("a fit was given without its runs",)
    return measured_exponents(runs, params=params, level=level, rng=rng)
