"""Numbers with their intervals as the page and the terminal both write them."""

from __future__ import annotations

from scalinglaws._numbers import span
from scalinglaws.fitting import Fit

__all__ = ["parameter_table", "span"]


def parameter_table(fit: Fit, level: float) -> tuple[list[str], list[list[str]]]:
    """List each parameter of a fit with its value and its interval at `level`, under a header.

    No standard errors: a coefficient that the runs hardly determine has tails so long that they say nothing.
    """
    rows = []
    for name, value in fit.params.items():
        low, high = fit.interval(name, level=level)
        rows.append([name, f"{value:.6g}", f"{low:.5g} to {high:.5g}"])
    return ["parameter", "value", f"{100 * level:g} % interval"], rows
