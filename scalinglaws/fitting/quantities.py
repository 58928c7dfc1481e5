"""What is asked of a fitted law besides its parameters: the compute-optimal size, tokens, ratio and loss."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError, require, shown
from scalinglaws.fitting.laws import Law
from scalinglaws.fitting.table import Table

__all__ = ["OPTIMA", "covariates_of", "evaluate", "optimal_dataset", "optimal_values", "places", "positive"]

Array = NDArray[np.float64]

OPTIMA = {"n_opt": "params", "d_opt": "tokens", "tokens_per_param": "tokens_per_param", "loss_opt": "loss"}
"""Quantities of a budget, and the variable of `Fit.optimal` that holds each."""

_SHORT = {"params": "n", "tokens": "d"}

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
        raise InputError(f"{name} = {shown(values)}: must be a number or an array of numbers") from None
    good = array.size > 0 and bool(np.all((np.isfinite(array) | limit) & (array > 0)))
    require(good, name, values, "must be positive" if limit else "must be positive and finite")
    return array


def optimal_values(law: Law, values: Mapping[str, Array], flops: Array) -> dict[str, Array]:
    """Return N*, D*, D*/N* and the loss there at C = 6 N D, by the names of `OPTIMA`'s variables."""
    optimum = law.optimum(values, flops)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = optimum.tokens / optimum.params
    return {"params": optimum.params, "tokens": optimum.tokens, "tokens_per_param": ratio, "loss": optimum.loss}


def places(what: str, name: str, law: Law, at: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """Check where a quantity is asked for: `flops` for an optimum, `n`, `d` for a loss, nothing for a parameter.

    A law that reads other columns needs those for its loss, by name; `unique_tokens` are all tokens if not given.

    Parameters
    ----------
    what
        Who asks, for the sentence.
    name
        A parameter of the law, a key of `OPTIMA`, "surface" or "loss".
    law, at
        The law, and what was given.

    Raises
    ------
    InputError
        For an unknown name, or a place that is missing, superfluous or not positive.
    """
    known = [*law.parameters, *OPTIMA, "surface", "loss"]
    if name not in known:
        raise InputError(f"{what}: name = {name!r}: must be one of {', '.join(known)}")
    needs: list[str] = ["flops"] if name in OPTIMA else []
    if name in ("loss", "surface"):
        needs = [_SHORT.get(column, column) for column in law.covariates]
    if set(at) | {"unique_tokens"} & set(needs) != set(needs):
        raise InputError(f"{what} of {name}: given {sorted(at)}: needs {needs or 'no further argument'}")
    return {key: positive(key, value) for key, value in at.items()}


def evaluate(law: Law, values: Mapping[str, Array], name: str, at: Mapping[str, Array]) -> Array:
    """Return a parameter, an optimum or the law's loss at checked `places`; draws of parameters are broadcast.

    Examples
    --------
    >>> from scalinglaws.fitting.laws import find_law
    >>> draws = {"E": np.array([1.6, 1.7]), "A": np.full(2, 400.0), "B": np.full(2, 410.0)}
    >>> draws |= {"alpha": np.full(2, 0.34), "beta": np.full(2, 0.28)}
    >>> evaluate(find_law("chinchilla"), draws, "surface", {"n": np.array(1e9), "d": np.array(2e10)}).round(3)
    array([2.484, 2.584])
    """
    if not at:
        return np.asarray(values[name])
    wide = (slice(None), *[None] * np.broadcast(*at.values()).ndim)
    draws = {key: np.asarray(array)[wide] for key, array in values.items()}
    if name in OPTIMA:
        return optimal_values(law, draws, at["flops"])[OPTIMA[name]]
    return np.asarray(law.predict(draws, **at))


def covariates_of(law: Law, table: Table) -> dict[str, Array]:
    """Return the columns of a table that a law reads, by the names under which `Fit.predict` takes them."""
    return {_SHORT.get(name, name): table.column(name) for name in law.covariates}


def optimal_dataset(law: Law, values: Mapping[str, float], flops: ArrayLike) -> xr.Dataset:
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
