"""Numbers as people say them: counts, budgets, and quantities with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["has_optimum", "human", "in_unit", "plain", "said_unit", "scientific", "span"]

_SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def has_optimum(best: xr.Dataset) -> bool:
    """Whether one budget of `Fit.optimal` has a compute-optimal size: without, all compute should go to one side.

    Examples
    --------
    >>> [has_optimum(xr.Dataset({"params": n, "tokens": d})) for n, d in ((1e9, 2e10), (np.inf, 0.0))]
    [True, False]
    """
    return all(0.0 < float(best[name]) < np.inf for name in ("params", "tokens"))


def human(value: float) -> str:
    """Write a count as people say it.

    Examples
    --------
    >>> [human(v) for v in (950, 12_345, 999_936, 7.0e10, 1.5e12, 2.5e18)]
    ['950', '12.3k', '1.00M', '70.0B', '1.50T', '2.50e18']
    """
    value = float(f"{value:.3g}")
    if not np.isfinite(value) or abs(value) >= 1e15 or 0 < abs(value) < 1:
        mantissa, _, power = f"{value:.2e}".partition("e")
        return f"{mantissa}e{int(power)}" if power else mantissa
    for scale, suffix in _SUFFIXES:
        if abs(value) >= scale:
            return f"{value / scale:.{_decimals(value / scale)}f}{suffix}"
    return f"{value:.0f}"


def _decimals(mantissa: float) -> int:
    """Return the decimals that leave three significant digits."""
    return 2 - min(2, int(np.log10(abs(mantissa))))


def in_unit(what: str, unit: str) -> str:
    """Name a loss with its unit, as axes and tables do; the unit of a mean squared error is 1, which says too little.

    Examples
    --------
    >>> in_unit("final loss", "nats/token"), in_unit("final loss", "1")
    ('final loss (nats/token)', 'final loss (mean squared error)')
    """
    return f"{what} ({said_unit(unit)})"


def said_unit(unit: str) -> str:
    """Say the unit of a loss in words; that of a mean squared error is 1."""
    return "mean squared error" if unit == "1" else unit


def plain(values: Any) -> Any:
    """Return nested mappings, lists and numbers for JSON, with None for what is not finite.

    Parameters
    ----------
    values
        Numbers, text, arrays, labelled tables, and mappings and sequences of them.

    Examples
    --------
    >>> plain({"interval": np.array([1.0, np.inf]), "runs": ("a", "b"), "count": np.int64(3)})
    {'interval': [1.0, None], 'runs': ['a', 'b'], 'count': 3}
    >>> plain(xr.Dataset({"loss": ("step", [3.0, np.nan])}))
    {'loss': [3.0, None]}
    """
    if isinstance(values, xr.Dataset):
        return {str(name): plain(variable.values) for name, variable in values.variables.items()}
    if isinstance(values, Mapping):
        return {key: plain(value) for key, value in values.items()}
    if isinstance(values, list | tuple) or (isinstance(values, np.ndarray) and values.ndim):
        return [plain(part) for part in values]
    value = values.item() if isinstance(values, np.generic | np.ndarray) else values
    return None if isinstance(value, float) and not np.isfinite(value) else value


def scientific(value: float) -> str:
    """Write a number as mantissa and power, as budgets are quoted.

    Examples
    --------
    >>> scientific(5.88e23), scientific(1e21)
    ('5.88e23', '1e21')
    """
    mantissa, _, power = f"{value:.2e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(power)}"


def span(row: xr.Dataset, name: str, form: str = "") -> str:
    """Write a quantity with its interval: counts as people say them, or formatted by `form`.

    Parameters
    ----------
    row
        Holds the scalars `name`, `name`_low and `name`_high; an end that is not finite is called open.

    Examples
    --------
    >>> span(xr.Dataset({"loss": 2.0, "loss_low": 1.9, "loss_high": np.inf}), "loss", ".2f")
    '2.00 (1.90 to open)'
    """
    values = [float(row[name + end]) for end in ("", "_low", "_high")]
    shown = [format(v, form) if form else human(v) for v in values]
    low, high = (text if np.isfinite(v) else "open" for v, text in zip(values[1:], shown[1:], strict=True))
    return f"{shown[0]} ({low} to {high})"
