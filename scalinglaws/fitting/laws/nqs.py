r"""The noisy quadratic system (arXiv 2605.09154), a law of size, batch and steps: the one here with a batch size.

L = e_irr + P/2 (zeta(p, N + 1) + sum_n n^-p a_n^(2K)) + R/2 sum_n lambda_n n^-r (lr^2/B) (1 - a_n^(2K)) / (1 - a_n^2),
n = 1, ..., N, with lambda_n = Q n^-q, a_n = 1 - lr lambda_n, B sequences per step, K steps and the paper's lr = 1.999.
Its parameters are those of `theory.dynamics.noisy_quadratic`, which follows whole curves and schedules instead.
The table needs `batch` and `steps`. It has no optimum at C = 6 N D, for tokens say nothing of how they are spent;
`nqs_optimum` gives the best N, B and K of a budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError, require
from scalinglaws.fitting.laws.directions import LARGEST, risk_sums, unlearned
from scalinglaws.fitting.laws.formula import FormulaLaw
from scalinglaws.fitting.laws.jets import Number, log
from scalinglaws.fitting.laws.law import Numbers, Shape

__all__ = ["NQS", "NoisyOptimum", "nqs_optimum"]

Array = NDArray[np.float64]

_POINTS = 25  # per axis of the search for the optimum
_ZOOMS = 9  # each keeps a sixth of the range: 80 e-folds end below 1e-5


def _logs(p: Numbers, x: Numbers) -> tuple[Number, Number, Number]:
    bias, noise = risk_sums(p["p"], p["r"], p["q"], p["Q"], x["params"], x["steps"])
    return np.zeros(()), log((bias + unlearned(p["p"], x["params"])) * 0.5), log(noise * 0.5) - x["batch"]


NQS = FormulaLaw(
    name="nqs",
    formula="L = e_irr + P/2 bias(N, K; p, q, Q) + R/2 noise(N, B, K; q, Q, r)",
    covariates=("params", "batch", "steps"),
    columns={"e_irr": 1.0, "P": 1.0, "R": 1.0},
    constants=("e_irr",),
    parts=_logs,
    shape_parameters=(
        Shape(name="p", axis=(1.04, 1.08, 1.15, 1.3), bounds=(1.001, 4.0)),
        Shape(name="q", axis=(0.35, 0.5, 0.7, 1.0, 1.4), bounds=(0.02, 3.0)),
        Shape(name="Q", axis=tuple(np.log([0.1, 0.3, 0.6, 0.9]).tolist()), bounds=(-12.0, 0.0), log=True),
        Shape(name="r", axis=(1.0,), bounds=(0.0, 4.0)),  # hardly matters beyond: all noise is in the first direction
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoisyOptimum:
    """Where the noisy quadratic system is least at C = 6 N B K seq_len: arrays over the budgets."""

    params: Array
    batch: Array
    steps: Array
    tokens: Array
    loss: Array


def nqs_optimum(values: Mapping[str, float], flops: ArrayLike, *, seq_len: float) -> NoisyOptimum:
    """Return the size, batch and steps of least loss at each budget C = 6 N B K seq_len; 1 <= N <= 1e18, B, K >= 1.

    A grid over log N and log B that closes in on its best point; N, B and K are real numbers, good to 1e-4.

    Parameters
    ----------
    values
        Parameters of the law, as a fit returns them.
    flops
        Budgets, a number or one row of them.
    seq_len
        Tokens per sequence; batches are counted in sequences.

    Raises
    ------
    InputError
        For a missing parameter, or a budget that does not pay for one step of one parameter.

    References
    ----------
    Predicting Large Model Test Losses with a Noisy Quadratic System, arXiv 2605.09154.

    Examples
    --------
    >>> published = dict(p=1.117, q=0.588, P=3.581, Q=0.936, e_irr=0.449, R=4.283, r=1.485)
    >>> best = nqs_optimum(published, 1e18, seq_len=128)
    >>> product = 6 * best.params * best.batch * best.steps * 128
    >>> f"{product.item():.4g} FLOP, loss {best.loss.item():.3f}"
    '1e+18 FLOP, loss 2.284'
    """
    missing = [name for name in NQS.parameters if name not in values]
    if missing:
        raise InputError(f"{NQS.name} law: values: needs {', '.join(missing)} too")
    require(bool(np.isfinite(seq_len) and seq_len > 0), "seq_len", seq_len, "must be a positive finite number")
    budgets = np.atleast_1d(np.asarray(flops, np.float64))
    affordable = bool(np.all(np.isfinite(budgets) & (budgets > 6.0 * seq_len)))
    require(affordable and budgets.ndim == 1, "flops", flops, f"must be finite and above 6 seq_len = {6 * seq_len:g}")
    rows = [_least(values, float(np.log(budget / (6.0 * seq_len)))) for budget in budgets]
    log_n, log_b, log_k, loss = np.array(rows).T
    return NoisyOptimum(
        params=np.exp(log_n),
        batch=np.exp(log_b),
        steps=np.exp(log_k),
        tokens=np.exp(log_b + log_k) * seq_len,
        loss=loss,
    )


def _least(values: Mapping[str, float], total: float) -> tuple[float, float, float, float]:
    """Return log N, log B, log K and the loss of the best split of `total`, the logarithm of N B K."""
    middle, half = np.array([0.5 * total, 0.25 * total]), 0.5 * total
    for _ in range(_ZOOMS):
        sizes, batches = (np.clip(m + half * np.linspace(-1.0, 1.0, _POINTS), 0.0, total) for m in middle)
        sizes = np.minimum(sizes, np.log(LARGEST))
        steps = total - sizes[:, None] - batches
        inside = np.maximum(steps, 0.0)
        loss = NQS.predict(values, n=np.exp(sizes)[:, None], batch=np.exp(batches), steps=np.exp(inside))
        i, j = np.unravel_index(np.argmin(np.where(steps >= 0.0, loss, np.inf)), loss.shape)
        middle, half = np.array([sizes[i], batches[j]]), half / 6.0
    return float(middle[0]), float(middle[1]), float(steps[i, j]), float(loss[i, j])
