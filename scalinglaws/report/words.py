"""Numbers with their intervals as the page and the terminal both write them."""

from __future__ import annotations

from scalinglaws._numbers import span
from scalinglaws.fitting import Fit

__all__ = ["PARAMETER_HEADER", "parameter_rows", "span"]

PARAMETER_HEADER = ("parameter", "value", "standard error")
"""What `parameter_rows` lists before the interval."""


def parameter_rows(fit: Fit, level: float) -> list[list[str]]:
    """List each parameter of a fit with its value, standard error and interval at `level`."""
    errors = fit.standard_errors()
    rows = []
    for name, value in fit.params.items():
        low, high = fit.interval(name, level=level)
        rows.append([name, f"{value:.6g}", f"{errors[name]:.3g}", f"{low:.5g} to {high:.5g}"])
    return rows
