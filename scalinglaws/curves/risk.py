"""The labelled result of a solvable model: one risk curve, or one for each replicate.

Simulation and theory both end here, so that their results differ in the numbers and in nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws._random import describe
from scalinglaws.curves.schema import SCHEMA

__all__ = ["RISK_VARIABLES", "risk_curves"]

RISK_VARIABLES = {
    "risk": ("1", "E(prediction - target)^2, no factor 1/2, after `step` updates"),
    "lr": ("1", "learning rate of the next update, for the gradient summed over the batch"),
    "samples": ("1", "samples used so far"),
    "flops": ("1", "compute spent so far, parameters times samples"),
    "status": ("", "finished or diverged"),
    "irreducible": ("1", "risk that no parameters remove"),
    "pure_point": ("1", "risk of the target directions not learned yet, F_pp"),
    "absolutely_continuous": ("1", "risk from the distortion of the features, F_ac"),
    "noise": ("1", "risk from the gradient noise, K_pp"),
}
"""Name -> (unit, meaning) of what a risk curve may hold."""


class Spec(Protocol):
    """A frozen description that can be written down."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        ...


class Model(Spec, Protocol):
    """A model with a number of parameters."""

    @property
    def d(self) -> int:
        """Number of parameters."""
        ...


class Optimizer(Spec, Protocol):
    """An optimizer that a model resolves to rates and batches."""

    def resolve(self, model: Any) -> Any:
        """Rates and batches as functions of the step."""
        ...


def risk_curves(
    model: Model,
    opt: Optimizer,
    steps: NDArray[np.int64],
    variables: Mapping[str, tuple[str | tuple[str, ...], ArrayLike]],
    *,
    method: str,
    seed: np.random.SeedSequence | None = None,
) -> xr.Dataset:
    """Label the curves of one model and one optimizer.

    Parameters
    ----------
    steps
        Numbers of updates after which the risk is given.
    variables
        Name -> (dimensions, values), names from `RISK_VARIABLES`; `risk` must be among them. The learning
        rate, samples and compute are added.
    method
        How the numbers were obtained.
    seed
        What every random number came from; None when nothing was random.

    Examples
    --------
    >>> from scalinglaws.models import PLRF
    >>> from scalinglaws.optimizers import SGD
    >>> model = PLRF(alpha=1.0, beta=0.7, d=10)
    >>> curve = {"risk": ("step", [1.0, 0.5])}
    >>> ds = risk_curves(model, SGD(lr=0.1, batch=4), np.array([0, 5]), curve, method="by hand")
    >>> ds["flops"].values
    array([  0., 200.])
    """
    resolved = opt.resolve(model)
    samples = resolved.batch.samples(steps)
    filled = {
        **variables,
        "lr": ("step", resolved.rate(steps)),
        "samples": ("step", samples),
        "flops": ("step", model.d * samples),
    }
    coords: dict[str, Any] = {"step": ("step", steps, {"units": "updates", "long_name": "updates done"})}
    ds = xr.Dataset({name: _labelled(name, *value) for name, value in filled.items()}, coords)
    ds.attrs = {
        "schema": SCHEMA,
        "version": version("scalinglaws"),
        "method": method,
        "model": json.dumps(model.to_dict()),
        "optimizer": json.dumps(opt.to_dict()),
    }
    if seed is not None:
        ds.attrs["rng"] = describe(seed)
    return ds


def _labelled(name: str, dims: str | tuple[str, ...], values: ArrayLike) -> xr.Variable:
    units, meaning = RISK_VARIABLES[name]
    return xr.Variable(dims, np.asarray(values), {"long_name": meaning} | ({"units": units} if units else {}))
