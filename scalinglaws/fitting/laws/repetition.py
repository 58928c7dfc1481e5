"""The data-constrained law of Muennighoff et al. (2023), arXiv 2305.16264, eqs. 5-7: repeated tokens are worth less.

L = E + A/N'^alpha + B/D'^beta with effective amounts that saturate:
D' = U_D + U_D R_D (1 - exp(-(D/U_D - 1)/R_D)), U_D the unique tokens, and
N' = U_N + U_N R_N (1 - exp(-(N/U_N - 1)/R_N)), U_N = min(N, the compute-optimal size for U_D tokens under the law).
R_D and R_N lie on a ridge: on the published runs R_D from 8 to beyond 1000 fits within 1 % of the best objective.
The table needs `unique_tokens` or `epochs`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting.laws.chinchilla import CHINCHILLA
from scalinglaws.fitting.laws.formula import FormulaLaw
from scalinglaws.fitting.laws.jets import Number, exp, log, log1p, smaller
from scalinglaws.fitting.laws.law import Numbers, Optimum, Shape

__all__ = ["REPETITION", "saturating"]

Array = NDArray[np.float64]


def _logs(p: Numbers, x: Numbers) -> tuple[Number, Number, Number]:
    unique = smaller(x["unique_tokens"], x["tokens"])
    log_g = (log(p["alpha"]) + p["A"] - log(p["beta"]) - p["B"]) / (p["alpha"] + p["beta"])
    fitting = smaller(x["params"], log_g + (unique + log_g) * p["beta"] / p["alpha"])
    data = unique + saturating(x["tokens"] - unique, p["R_D"])
    size = fitting + saturating(x["params"] - fitting, p["R_N"])
    return np.zeros(()), -(p["alpha"] * size), -(p["beta"] * data)


def saturating(log_times: Number, log_scale: Number) -> Number:
    """Return log(1 + R (1 - exp(-m/R))), what m repetitions and their first pass are worth over the first pass.

    Parameters
    ----------
    log_times
        Logarithm of m + 1, how often everything was seen.
    log_scale
        Logarithm of R.

    Examples
    --------
    >>> float(np.exp(saturating(np.log(5.0), np.log(15.0)))).__round__(3)
    4.511
    """
    return log1p(exp(log_scale) * (1.0 - exp((1.0 - exp(log_times)) / exp(log_scale))))


def _optimum(values: Mapping[str, Array], flops: Array) -> Optimum:
    """As Chinchilla's: with tokens to spare nothing is repeated."""
    return CHINCHILLA.optimum(values, flops)


_EXPONENTS = tuple(np.geomspace(0.12, 0.8, 5).tolist())
_SCALES = tuple(np.log([3.0, 15.0, 75.0]).tolist())

REPETITION = FormulaLaw(
    name="repetition",
    formula="L = E + A/N'^alpha + B/D'^beta",
    covariates=("params", "tokens", "unique_tokens"),
    columns={"E": 1.0, "A": 1.0, "B": 1.0},
    constants=("E",),
    parts=_logs,
    uses_amplitudes=True,
    optimum_in_closed_form=_optimum,
    shape_parameters=(
        Shape(name="alpha", axis=_EXPONENTS),
        Shape(name="beta", axis=_EXPONENTS),
        Shape(name="R_D", axis=_SCALES, bounds=(-5.0, 14.0), log=True),
        Shape(name="R_N", axis=_SCALES, bounds=(-5.0, 14.0), log=True),
    ),
)
