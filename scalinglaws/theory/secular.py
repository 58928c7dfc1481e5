r"""Expected risk at a constant rate given the features: d exponentials, exact at every step.

With poles a_i = 2 lr B lambda_i - lr^2 B (B+1) lambda_i^2 and weights k_i = lr^2 B lambda_i^2 the second
moments follow a diagonal matrix plus rank one, whose eigenvalues 1 - y solve 1 = sum_i k_i / (a_i - y). Then

    P(t) = P(infinity) + sum_l R_l (1 - y_l)^t

with R_l from the residues: a step at t = 1e15 costs what one at t = 10 costs. y_l is kept as an offset from
the nearest a_i, so decay rates far below the rounding error of 1 - y keep their relative accuracy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalinglaws.kernels.secular import residues, secular_roots
from scalinglaws.models import Instance
from scalinglaws.theory.curves import ExponentialSum, RiskCurves

__all__ = ["instance_curves"]

Float = NDArray[np.float64]

STATIC = 1e-280
"""A mode with (lr lambda)^2 B below this does not move in any number of steps: its energy stays."""


def instance_curves(instance: Instance, lr: float, batch: int) -> RiskCurves:
    """Risk, forcing and noise of SGD with a constant rate on one instance.

    Parameters
    ----------
    lr, batch
        Rate of the summed gradient and batch size.

    Examples
    --------
    >>> one = Instance(eigenvalues=np.array([1.0]), rho=np.array([1.0]), irreducible=0.0)
    >>> instance_curves(one, lr=0.5, batch=1).risk(np.array([0, 1, 2]))  # factor 1 - 2/2 + 2/4 + 1/4
    array([1.    , 0.75  , 0.5625])
    """
    weights = lr**2 * batch * instance.eigenvalues**2
    moving = weights > STATIC
    floor = instance.irreducible + float(instance.rho[~moving] @ instance.rho[~moving])
    scaled = lr * instance.eigenvalues[moving]
    decay = batch * scaled * (2.0 - (batch + 1) * scaled)
    poles, place = np.unique(decay, return_inverse=True)
    weights = _collect(place, weights[moving])
    energy = _collect(place, instance.rho[moving] ** 2)
    if poles.size == 0:
        constant = ExponentialSum(q=np.zeros(1), weight=np.array([floor]))
        return RiskCurves(constant, constant, ExponentialSum(q=np.zeros(1), weight=np.zeros(1)))
    origins, offsets = np.empty(poles.size, dtype=np.int64), np.empty(poles.size)
    secular_roots(poles, weights, origins, offsets)
    residue = np.empty((2, poles.size))
    residues(poles, weights, energy, origins, offsets, residue)
    rates = poles[origins] + offsets
    norm = float((weights / poles).sum())
    settled = floor / (1.0 - norm) if floor else 0.0
    amplitude = residue[0] - floor * residue[1] / rates
    risk = ExponentialSum(q=np.append(-rates, 0.0), weight=np.append(amplitude, settled))
    forcing = ExponentialSum(q=np.append(-poles, 0.0), weight=np.append(energy, floor))
    noise = ExponentialSum(q=np.append(risk.q, forcing.q), weight=np.append(risk.weight, -forcing.weight))
    return RiskCurves(risk, forcing, noise)


def _collect(place: NDArray[np.int64], values: Float) -> Float:
    """Add up the values that belong to equal poles."""
    return np.asarray(np.bincount(place, values), dtype=np.float64)
