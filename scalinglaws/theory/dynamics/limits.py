r"""What is left of noise dynamics where the schedule varies slowly: Qiu et al., arXiv 2507.02119, section 3.

All are for a loss, half a squared error; a risk without the factor 1/2 has twice the excess. Sigma is the
covariance of the mini-batch gradient, lr the rate of that gradient, tau the sum of the rates.

- `slow_noise` (equation 13): the excess loss when lr and Sigma hardly change over the memory of each mode;
- `late_noise` (equation 14): the same after every mode has forgotten the start;
- `transfer` (equation 16): a run's loss from that of a reference at equal tau; alpha = 1/4 in the limit;
- `full_transfer` (equation 15): the same with the change of Sigma as well.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["full_transfer", "late_noise", "slow_noise", "transfer"]

Float = NDArray[np.float64]


def slow_noise(lr: ArrayLike, tau: ArrayLike, hessian: ArrayLike, covariance: ArrayLike) -> Float:
    r"""Give the excess loss lr/4 Tr[Sigma (1 - e^(-2 H tau))], equation (13).

    Parameters
    ----------
    lr, tau
        Rate and time of gradient flow, shape (...).
    hessian
        Eigenvalues, shape (modes,).
    covariance
        Diagonal of Sigma in their basis, shape (..., modes) or (modes,).

    Examples
    --------
    >>> float(slow_noise(0.1, np.inf, [0.5], [2.0]))
    0.05
    """
    time, h = np.asarray(tau, dtype=np.float64), np.asarray(hessian, dtype=np.float64)
    grown = -np.expm1(-2.0 * np.multiply.outer(time, h))
    return np.asarray(0.25 * np.asarray(lr) * (np.asarray(covariance) * grown).sum(axis=-1))


def late_noise(lr: ArrayLike, noise_trace: ArrayLike) -> Float:
    """Give the excess loss lr/4 Tr Sigma, equation (14).

    Examples
    --------
    >>> float(late_noise(0.1, 2.0))
    0.05
    """
    return np.asarray(0.25 * np.asarray(lr, dtype=np.float64) * np.asarray(noise_trace, dtype=np.float64))


def transfer(
    loss: ArrayLike, lr: ArrayLike, target_lr: ArrayLike, target_trace: ArrayLike, *, alpha: float = 0.25
) -> Float:
    """Give the target's loss L + alpha (lr' - lr) Tr Sigma' at equal tau, equation (16).

    Parameters
    ----------
    loss, lr
        Loss and rate of the reference run, at the tau of the target.
    target_lr, target_trace
        Rate and trace of the gradient's covariance of the target run.
    alpha
        1/4 in the limit of slow variation; 0.21 to 0.26 in measured runs.

    Examples
    --------
    >>> float(transfer(3.0, 0.1, 0.0, 2.0))
    2.95
    """
    change = np.asarray(target_lr, dtype=np.float64) - np.asarray(lr, dtype=np.float64)
    return np.asarray(np.asarray(loss, dtype=np.float64) + alpha * change * np.asarray(target_trace))


def full_transfer(
    loss: ArrayLike,
    lr: ArrayLike,
    trace: ArrayLike,
    target_lr: ArrayLike,
    target_trace: ArrayLike,
    *,
    alpha: float = 0.25,
) -> Float:
    """Give the target's loss L + alpha (lr' Tr Sigma' - lr Tr Sigma) at equal tau, equation (15).

    Parameters
    ----------
    loss, lr, trace
        Loss, rate and trace of the gradient's covariance of the reference run, at the tau of the target.
    target_lr, target_trace, alpha
        As in `transfer`.

    Examples
    --------
    >>> float(full_transfer(3.0, 0.1, 4.0, 0.0, 2.0))
    2.9
    """
    change = late_noise(target_lr, target_trace) - late_noise(lr, trace)
    return np.asarray(np.asarray(loss, dtype=np.float64) + 4.0 * alpha * change)
