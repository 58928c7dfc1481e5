r"""The noisy quadratic system as a law of size, batch and steps (arXiv 2605.09154): the one law here with a batch size.

L = e_irr + P/2 (zeta(p, N + 1) + sum_n n^-p a_n^(2K)) + R/2 sum_n lambda_n n^-r (lr^2/B) (1 - a_n^(2K)) / (1 - a_n^2),
n = 1, ..., N, with lambda_n = Q n^-q, a_n = 1 - lr lambda_n, B sequences per step, K steps and the paper's lr = 1.999.
The parameters are those of `theory.dynamics.noisy_quadratic`, which follows whole curves and schedules instead.
The table needs `batch` and `steps`; `nqs_optimum` gives the best N, B and K of a budget.

Sums over directions take the nodes of `models.sums`, a few hundred at any N. The two sums and their derivatives by
(p, q, log Q, r) are closed forms in log lambda, evaluated for all rows and starts at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError
from scalinglaws.fitting.laws.formula import FormulaLaw
from scalinglaws.fitting.laws.jets import Jet, Number, exp, jet_of, log
from scalinglaws.fitting.laws.law import Numbers, Shape
from scalinglaws.models.sums import power_sum_nodes

__all__ = ["NQS"]

Array = NDArray[np.float64]

LR = 1.999
"""The paper's rate: just below 2, where a direction of eigenvalue 1 diverges."""

_Q_MAX = 2.0  # largest exponent of the eigenvalues a fit may return; sets the order of the panels
_CHUNK = 1 << 18  # numbers per array: they stay in the cache of one core
_SHIFT = 8  # terms of zeta summed before the Euler-Maclaurin formula


def _logs(p: Numbers, x: Numbers) -> tuple[Number, Number, Number]:
    inputs = (p["p"], p["q"], p["Q"], p["r"])
    bias, noise = _sums(inputs, x["params"], x["steps"])
    tail = _zeta(p["p"], np.exp(_plain(x["params"])) + 1.0)
    return np.zeros(()), log(0.5 * (bias + tail)), log(noise) - x["batch"]
