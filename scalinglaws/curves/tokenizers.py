"""Losses and amounts of data that do not depend on the tokenizer: bits per byte, and tokens counted in bytes.

A tokenizer with longer tokens has a larger loss per token and fewer tokens of the same text. Two recipes with
different tokenizers compare in bits per byte, at the same FLOPs; `units.to_nats` goes the other way.
"""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws.curves.units import UNITS
from scalinglaws.errors import InputError, require

__all__ = ["from_nats", "per_byte"]


def from_nats(loss: ArrayLike, unit: str, bytes_per_token: float | None = None) -> NDArray[np.float64]:
    """Convert a loss in nats per token to another unit; the inverse of `to_nats`.

    Parameters
    ----------
    loss
        Nats per token.
    unit
        One of `units.UNITS`.
    bytes_per_token
        Mean length of a token in the text that was scored, needed for bits/byte.

    Raises
    ------
    InputError
        For an unknown unit, or bits/byte without a positive `bytes_per_token`.

    Examples
    --------
    >>> from_nats([2.7726], "bits/byte", bytes_per_token=4.0).round(4)
    array([1.])
    """
    values = np.asarray(loss, dtype=np.float64)
    if unit not in UNITS:
        raise InputError(f"unit = {unit!r}: must be one of {', '.join(UNITS)}")
    if unit == "bits/byte":
        return np.asarray(values / (math.log(2.0) * _length(bytes_per_token)))
    with np.errstate(over="ignore"):
        return np.asarray({"nats/token": values, "bits/token": values / math.log(2.0)}.get(unit, np.exp(values)))


def per_byte(table: xr.Dataset, bytes_per_token: float) -> xr.Dataset:
    """Return a table of end points with its loss in bits per byte and its data also in bytes.

    Parameters
    ----------
    table
        As `end_points` returns, in nats per token.
    bytes_per_token
        Mean length of a token.

    Returns
    -------
        `loss` in bits/byte and a new variable `bytes`. Tokens and FLOPs stay: a fit to this table still has
        C = 6 N D, and its losses compare with those of another tokenizer.

    Raises
    ------
    InputError
        For a table that is not in nats per token, or a length that is not positive.

    Examples
    --------
    >>> from scalinglaws.curves import read_table
    >>> table = per_byte(read_table({"N": [1e6, 2e6], "D": [2e7, 4e7], "loss": [3.5, 3.1]}), 4.0)
    >>> table.loss.values.round(3), table.bytes.values, table.loss.attrs["units"]
    (array([1.262, 1.118]), array([8.0e+07, 1.6e+08]), 'bits/byte')
    """
    missing = [name for name in ("loss", "tokens") if name not in table]
    require(not missing, "table: missing variables", missing, "a table of end points has loss and tokens")
    units = table["loss"].attrs.get("units")
    require(units == "nats/token", "table: units of loss", units, "must be nats/token")
    length = _length(bytes_per_token)
    loss = from_nats(table["loss"].values, "bits/byte", length)
    return table.assign(
        loss=(table["loss"].dims, loss, {"units": "bits/byte"}),
        bytes=(table["tokens"].dims, table["tokens"].values * length, {"units": "bytes"}),
    ).assign_attrs(bytes_per_token=length)


def _length(bytes_per_token: float | None) -> float:
    if bytes_per_token is None:
        raise InputError("bits per byte need the mean length of a token; give bytes_per_token=")
    good = bool(np.isfinite(bytes_per_token)) and bytes_per_token > 0
    require(good, "bytes_per_token", bytes_per_token, "must be positive and finite")
    return float(bytes_per_token)
