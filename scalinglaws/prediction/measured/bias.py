"""How far approach 2 is off without any noise, on the very grid that was measured, and the fit without that bias.

The loss of one budget is not a parabola of log N: its two sides rise with different exponents. The vertex of a
parabola through a wide or off-centre sweep therefore misses the minimum by percents, in the same direction for every
budget (Czech et al. 2026). Given a law of the surface, both the vertex and the true minimum on the grid are known, so
their difference can be taken off; errors of that law enter only through the difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import require
from scalinglaws.fitting.laws import Law
from scalinglaws.fitting.quantities import covariates_of, positive
from scalinglaws.fitting.result import Fit
from scalinglaws.prediction.measured.isoflop import IsoFlop, with_lines
from scalinglaws.prediction.measured.slices import Slice

__all__ = ["bias_of_minima", "corrected", "isoflop_bias", "least_along"]

Array = NDArray[np.float64]

_REACH = 12.0  # log sizes beyond the sweep in which the true minimum is looked for
_STEP = 1e-4  # of log N, for the derivative of the loss
_HALVINGS = 48


def isoflop_bias(
    fitted: IsoFlop,
    law: Fit | tuple[Law, Mapping[str, float]],
    flops: ArrayLike | None = None,
) -> xr.Dataset:
    """Say by how much approach 2 would be off on this grid if the losses followed a law exactly.

    Parameters
    ----------
    fitted
        What gives the grid: sizes, tokens and budgets.
    law
        The surface: a fit, or a law with its parameters.
    flops
        Budgets to extrapolate the line to, shape (k,); by default those of the grid.

    Returns
    -------
        Over `flops`: `params_bias` and `tokens_bias`, the line's value over the true optimum, minus one. Without
        `flops` the bias of each single minimum. `attrs` hold `size_exponent_bias` and `tokens_exponent_bias`.

    References
    ----------
    Czech et al. (2026), on the bias of approach 2.

    Examples
    --------
    >>> from scalinglaws.fitting.laws import CHINCHILLA
    >>> from scalinglaws.prediction.measured import isoflop
    >>> values = dict(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
    >>> c = np.repeat(np.geomspace(1e17, 1e21, 5), 15)
    >>> d = CHINCHILLA.optimum(values, c).tokens * np.tile(np.geomspace(1 / 4, 4, 15), 5)
    >>> n = c / (6 * d)
    >>> fitted = isoflop({"params": n, "tokens": d, "loss": CHINCHILLA.predict(values, n, d)})
    >>> round(100 * isoflop_bias(fitted, (CHINCHILLA, values), 1e24).tokens_bias.item(), 4)
    -1.3011
    """
    form, values = (law.law, law.params) if isinstance(law, Fit) else law
    arrays = {name: np.asarray(value, np.float64)[None] for name, value in values.items()}
    off_n, off_d, true_n, true_d = bias_of_minima(fitted, form, arrays)
    true = fitted.lines(true_n[0], true_d[0])
    found = fitted.lines((true_n + off_n)[0], (true_d + off_d)[0])
    budgets = fitted.flops if flops is None else np.atleast_1d(positive("flops", flops))
    bias_n, bias_d = np.expm1(off_n[0]), np.expm1(off_d[0])
    if flops is not None:
        bias_n, bias_d = (a.at(budgets) / b.at(budgets) - 1.0 for a, b in zip(found, true, strict=True))
    return xr.Dataset(
        {"params_bias": ("flops", bias_n), "tokens_bias": ("flops", bias_d)},
        coords={"flops": ("flops", budgets, {"units": "FLOP"})},
        attrs={
            "size_exponent_bias": found[0].exponent - true[0].exponent,
            "tokens_exponent_bias": found[1].exponent - true[1].exponent,
        },
    )


def corrected(fitted: IsoFlop, fit: Fit) -> IsoFlop:
    """Return approach 2 without the bias that a fitted surface predicts for its grid.

    Parameters
    ----------
    fitted
        Approach 2 on a table.
    fit
        Approach 3 on the same table.

    Raises
    ------
    InputError
        When the fitted surface has no minimum inside a slice that is used: there is nothing to compare with.

    Examples
    --------
    >>> from scalinglaws.fitting import fit
    >>> from scalinglaws.prediction.measured import isoflop
    >>> c, n = np.repeat([1e18, 1e19, 1e20], 9), np.tile(np.geomspace(0.1, 8, 9), 3)
    >>> n = n * 0.1 * c**0.5
    >>> table = {"params": n, "tokens": c / (6 * n), "loss": 1.8 + 480 / n**0.35 + 2100 * (6 * n / c) ** 0.37}
    >>> plain = isoflop(table)
    >>> truth = fit(table).optimal(1e22).params.item()
    >>> [f"{100 * float(f.params.at(1e22) / truth - 1):.2f} %" for f in (plain, corrected(plain, fit(table)))]
    ['-1.02 %', '-0.00 %']
    """
    arrays = {name: np.asarray([value]) for name, value in fit.params.items()}
    off_n, off_d, _, _ = bias_of_minima(fitted, fit.law, arrays)
    lost = [f"{c:.3g}" for c in fitted.flops[fitted.used & ~np.isfinite(off_n[0])]]
    require(not lost, "fit: budgets without a minimum", lost, "the fitted surface must have one inside the sizes")
    moved = tuple(
        replace(budget, params=budget.params * float(np.exp(-n)), tokens=budget.tokens * float(np.exp(-d)))
        for budget, n, d in zip(fitted.budgets, off_n[0], off_d[0], strict=True)
    )
    return with_lines(fitted, moved)


def bias_of_minima(fitted: IsoFlop, law: Law, values: Mapping[str, Array]) -> tuple[Array, Array, Array, Array]:
    """Return the error of log N* and log D* on the grid, and their true values, each of shape (draws, budgets).

    Parameters
    ----------
    values
        Parameters of the law, each of shape (draws,).
    """
    wide = {name: array[:, None] for name, array in values.items()}
    loss = law.predict(wide, **covariates_of(law, fitted.table))
    log_n, log_d, _ = fitted.locate(loss, np.broadcast_to(fitted.table.weight, loss.shape))
    true_n = np.stack([least_along(law, values, each) for each in fitted.slices], axis=1)
    true_d = np.stack([each.log_d(true_n[:, k]) for k, each in enumerate(fitted.slices)], axis=1)
    return log_n - true_n, log_d - true_d, true_n, true_d


def least_along(law: Law, values: Mapping[str, Array], each: Slice) -> Array:
    """Return the log N of least loss along a slice, by bisection of the derivative, shape (draws,).

    NaN where the loss has no minimum within a factor of e^12 of the sweep.
    """
    draws = len(next(iter(values.values())))
    low, high = np.full(draws, each.log_n[0] - _REACH), np.full(draws, each.log_n[-1] + _REACH)

    def slope(log_n: Array) -> Array:
        ends = (law.predict(values, np.exp(x), np.exp(each.log_d(x))) for x in (log_n + _STEP, log_n - _STEP))
        above, below = ends
        return above - below

    bracketed = (slope(low) < 0) & (slope(high) > 0)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        falling = slope(middle) < 0
        low, high = np.where(falling, middle, low), np.where(falling, high, middle)
    return np.where(bracketed, 0.5 * (low + high), np.nan)
