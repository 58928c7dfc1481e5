r"""The largest stable learning rate, exactly.

With constant summed-gradient rate lr and batch B the expected risk stays bounded if and only if

    sum_i lr lambda_i / (2 - lr (B+1) lambda_i) < 1   and   lr (B+1) lambda_max < 2

(the noise kernel sums to less than one, Paquette et al., arXiv 2405.15074, proposition 2.1). Put x = 2 / (lr
(B+1)): the first says sum_i lambda_i / (x - lambda_i) < B + 1, and the threshold is one root of an
increasing function. In the large-d limit the same root is taken over the data spectrum, followed by the map
kappa -> z.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalinglaws._random import RNGLike, seed_sequence
from scalinglaws.errors import require
from scalinglaws.models import PLRF, Model
from scalinglaws.theory.limit import FeatureLimit, feature_limit, root

__all__ = ["METHODS", "critical_lr", "critical_rate", "limit_critical_rate"]

METHODS = ("deterministic", "instance")


def critical_lr(model: Model, batch: int = 1, *, method: str = "deterministic", rng: RNGLike = None) -> float:
    """Find the constant rate of the summed gradient at which SGD stops being stable.

    Multiply by `batch` for an optimizer with reduction="mean". Divided by the relative rate
    1 / (batch * model.trace) it is the largest stable argument of `relative_lr`.

    Parameters
    ----------
    model
        `PLRF` or `GaussianLeastSquares`.
    batch
        Samples per update.
    method
        "deterministic" for the limit of many features, "instance" for one draw of them. The same for
        `GaussianLeastSquares`, which draws nothing. The limit spreads the top eigenvalue over a band of
        relative half-width 2 / sqrt(d), which matters where that mode alone sets the edge: large batches.
    rng
        Draws the features of an instance, as in `solve`.

    Raises
    ------
    InputError
        For a batch that is not a positive integer or an unknown method.

    Examples
    --------
    >>> j = np.arange(1.0, 101.0)
    >>> from scalinglaws.models import GaussianLeastSquares
    >>> f"{critical_lr(GaussianLeastSquares(j**-2, j**-1.7)):.12f}"
    '0.611809260349'
    >>> limit = critical_lr(PLRF(alpha=1.0, beta=0.7, d=400), batch=4)
    >>> drawn = critical_lr(PLRF(alpha=1.0, beta=0.7, d=400), batch=4, method="instance", rng=0)
    >>> bool(abs(limit / drawn - 1) < 0.1)
    True
    """
    require(method in METHODS, "method", method, f"must be one of {', '.join(METHODS)}")
    whole = isinstance(batch, int | np.integer) and not isinstance(batch, bool) and batch >= 1
    require(whole, "batch", batch, "must be an integer >= 1")
    if method == "instance" or not isinstance(model, PLRF):
        return critical_rate(model.instance(seed_sequence(rng)).eigenvalues, int(batch))
    return limit_critical_rate(feature_limit(model), int(batch))


def limit_critical_rate(limit: FeatureLimit, batch: int) -> float:
    """Find the critical rate in the limit of many features.

    Examples
    --------
    >>> f"{limit_critical_rate(feature_limit(PLRF(alpha=1.0, beta=0.7, d=10**9)), batch=1):.9f}"
    '0.610985661'
    """
    of = limit.resolvent
    x = _balance(of.s, of.trace, batch)
    edge = limit.top if x <= -limit.top_kappa else x * (1.0 + (batch + 1) / of.d)
    return 2.0 / ((batch + 1) * edge)


def critical_rate(eigenvalues: NDArray[np.float64], batch: int) -> float:
    """Find the critical rate for given eigenvalues (descending, the first positive).

    Examples
    --------
    >>> critical_rate(np.array([1.0]), batch=1)  # one mode: lr / (2 - 2 lr) = 1
    0.6666666666666666
    """
    return 2.0 / ((batch + 1) * _balance(eigenvalues, eigenvalues, batch))


def _balance(values: NDArray[np.float64], sums: NDArray[np.float64], batch: int) -> float:
    """Root x > values[0] of sum_i sums_i / (x - values_i) = batch + 1."""
    below = values[0] - values
    target = batch + 1.0
    # Every term is at most sums_i / (x - values_0), and the first one equals that.
    distance = root(lambda gap: target - float(sums @ (1.0 / (below + gap))), sums[0] / target, sums.sum() / target)
    return float(values[0] + distance)
