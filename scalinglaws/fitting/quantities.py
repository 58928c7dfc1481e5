"""What is asked of a fitted law besides its parameters: the compute-optimal size, tokens, ratio and loss."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError, require
from scalinglaws.fitting.laws import MonomialLaw

__all__ = ["OPTIMA", "optimal_dataset", "optimal_values", "positive"]

Array = NDArray[np.float64]

OPTIMA = {"n_opt": "params", "d_opt": "tokens", "tokens_per_param": "tokens_per_param", "loss_opt": "loss"}
"""Quantities of a budget, and the variable of `Fit.optimal` that holds each."""

_UNITS = {
    "params": ("parameters", "compute-optimal parameters N*"),
    "tokens": ("tokens", "compute-optimal training tokens D*"),
    "tokens_per_param": ("tokens/parameter", "D*/N*"),
    "loss": ("nats/token", "loss at the optimum"),
}


def positive(name: str, values: ArrayLike, *, limit: bool = False) -> Array:
    """Return positive finite numbers (or, with `limit`, infinite ones) as an array, or raise an `InputError`.

    Examples
    --------
    >>> positive("flops", 1e21)
    array(1.e+21)
    """
    try:
        raw = np.asarray(values)
        if raw.dtype.kind not in "iuf":
            raise TypeError
        array = raw.astype(np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} = {values!r:.80}: must be a number or an array of numbers") from None
    good = array.size > 0 and bool(np.all((np.isfinite(array) | limit) & (array > 0)))
    require(good, name, values, "must be positive" if limit else "must be positive and finite")
    return array


def optimal_values(law: MonomialLaw, values: Mapping[str, Array], flops: Array) -> dict[str, Array]:
    """Return N*, D*, D*/N* and the loss there at C = 6 N D, by the names of `OPTIMA`'s variables."""
    optimum = law.optimum(values, flops)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = optimum.tokens / optimum.params
    return {"params": optimum.params, "tokens": optimum.tokens, "tokens_per_param": ratio, "loss": optimum.loss}


def optimal_dataset(law: MonomialLaw, values: Mapping[str, float], flops: ArrayLike) -> xr.Dataset:
    """Return the optimum of a law over the dimension `flops`, with units.

    Examples
    --------
    >>> from scalinglaws.fitting.laws import find_law
    >>> hoffmann = dict(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
    >>> ds = optimal_dataset(find_law("chinchilla"), hoffmann, 5.88e23)
    >>> round(ds.tokens_per_param.item(), 1), ds.params.attrs["units"]
    (92.8, 'parameters')
    """
    budgets = np.atleast_1d(positive("flops", flops))
    require(budgets.ndim == 1, "flops", flops, "must be a number or one row of numbers")
    arrays = {name: np.asarray(value, np.float64) for name, value in values.items()}
    found = optimal_values(law, arrays, budgets)
    return xr.Dataset(
        {
            name: ("flops", array, {"units": _UNITS[name][0], "long_name": _UNITS[name][1]})
            for name, array in found.items()
        },
        coords={"flops": ("flops", budgets, {"units": "FLOP", "long_name": "training compute, C = 6 N D"})},
        attrs={"law": law.name},
    )
