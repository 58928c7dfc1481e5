"""Numbers as people say them: counts, budgets, and quantities with their intervals."""

from __future__ import annotations

import numpy as np
import xarray as xr

__all__ = ["human", "scientific", "span"]

_SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


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
