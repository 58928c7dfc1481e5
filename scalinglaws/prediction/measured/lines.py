"""Power laws of compute as straight lines through logarithms, for one set of optima or for many draws at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import require
from scalinglaws.fitting.quantities import positive

__all__ = ["PowerLine", "power_line"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PowerLine:
    """`coefficient * C^exponent`; numbers for one line, arrays of shape (draws,) for many.

    Parameters
    ----------
    exponent
        Slope of log value by log C.
    log_coefficient
        Natural logarithm of the value at C = 1.
    r2
        Share of the variance of the log values that the line explains, every point counted alike.
    """

    exponent: Any
    log_coefficient: Any
    r2: Any

    @property
    def coefficient(self) -> Any:
        """The value at C = 1."""
        return np.exp(self.log_coefficient)

    def at(self, flops: ArrayLike) -> Array:
        """Return the value at budgets of shape (...), with the draws, if any, as first dimension.

        Examples
        --------
        >>> round(float(power_line([1e18, 1e20], [1e8, 1e9]).at(1e22)))
        10000000000
        """
        log_c = np.log(positive("flops", flops))
        slope, height = np.asarray(self.exponent), np.asarray(self.log_coefficient)
        wide = (..., *[None] * log_c.ndim) if slope.ndim else ...
        return np.asarray(np.exp(height[wide] + slope[wide] * log_c))


def power_line(flops: ArrayLike, values: ArrayLike, error: ArrayLike | None = None) -> PowerLine:
    """Fit `values = coefficient * flops^exponent` by least squares of the logarithms.

    Parameters
    ----------
    flops
        Budgets, shape (k,).
    values
        Positive, shape (k,) or (draws, k); NaN where a budget has none.
    error
        Standard errors of log `values`, shape (k,): points are weighted by 1/error^2. All alike if not given.

    Returns
    -------
        NaN in the lines of draws with fewer than two different budgets.

    Raises
    ------
    InputError
        For shapes that do not fit, budgets or errors that are not positive, or fewer than two usable points.

    References
    ----------
    Porian et al. (2024), arXiv 2406.19146, weight the optima of budgets like this.

    Examples
    --------
    >>> line = power_line([1e18, 1e19, 1e20], [1e8, 3e8, 1e9])
    >>> round(line.exponent, 6), round(line.r2, 3)
    (0.5, 0.999)
    """
    log_c = np.log(np.atleast_1d(positive("flops", flops)))
    y = np.asarray(values, dtype=np.float64)
    require(y.ndim in (1, 2) and y.shape[-1:] == log_c.shape, "values: shape", y.shape, f"must end in {log_c.shape}")
    weight = np.ones(log_c.size) if error is None else 1.0 / positive("error", error) ** 2
    require(weight.shape == log_c.shape, "error: shape", weight.shape, f"must be {log_c.shape}")
    good = np.isfinite(y) & (y > 0)
    exponent, height, r2 = _line(log_c, np.log(np.where(good, y, 1.0)), np.where(good, weight, 0.0))
    if y.ndim == 1:
        require(bool(np.isfinite(exponent)), "values", y.tolist(), "needs two positive values at different budgets")
        return PowerLine(exponent=float(exponent), log_coefficient=float(height), r2=float(r2))
    return PowerLine(exponent=exponent, log_coefficient=height, r2=r2)


def _line(x: Array, y: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Weighted lines over the last axis; NaN where the points do not determine one."""
    used = weight > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        total = weight.sum(axis=-1)
        mean_x, mean_y = (weight * x).sum(axis=-1) / total, (weight * y).sum(axis=-1) / total
        off = x - mean_x[..., None]
        spread = (weight * off**2).sum(axis=-1)
        slope = (weight * off * y).sum(axis=-1) / np.where(spread > 1e-12 * total, spread, np.nan)
        height = mean_y - slope * mean_x
        left = np.where(used, y - height[..., None] - slope[..., None] * x, 0.0)
        plain = np.where(used, y - (np.where(used, y, 0.0).sum(axis=-1) / used.sum(axis=-1))[..., None], 0.0)
        return slope, height, 1.0 - (left**2).sum(axis=-1) / (plain**2).sum(axis=-1)
