"""Numbers with their intervals as the page and the terminal both write them."""

from __future__ import annotations

import xarray as xr

from scalinglaws.fitting import Fit
from scalinglaws.plotting.style import human

__all__ = ["PARAMETER_HEADER", "parameter_rows", "span"]

PARAMETER_HEADER = ("parameter", "value", "standard error")
"""What `parameter_rows` lists before the interval."""


def span(row: xr.Dataset, name: str, form: str = "") -> str:
    """Write a quantity with its interval: counts as people say them, or formatted by `form`.

    Parameters
    ----------
    row
        Holds the scalars `name`, `name`_low and `name`_high.

    Examples
    --------
    >>> span(xr.Dataset({"loss": 2.0, "loss_low": 1.9, "loss_high": 2.2}), "loss", ".2f")
    '2.00 (1.90 to 2.20)'
    """
    values = [float(row[name + end]) for end in ("", "_low", "_high")]
    shown = [format(v, form) if form else human(v) for v in values]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def parameter_rows(fit: Fit, level: float) -> list[list[str]]:
    """List each parameter of a fit with its value, standard error and interval at `level`."""
    errors = fit.standard_errors()
    rows = []
    for name, value in fit.params.items():
        low, high = fit.interval(name, level=level)
        rows.append([name, f"{value:.6g}", f"{errors[name]:.3g}", f"{low:.5g} to {high:.5g}"])
    return rows
