r"""Models with a spectrum: random features, any quadratic loss, and the noisy quadratic system.

- `plrf`: Gaussian least squares; noise is proportional to the current risk and so feeds back;
- `quadratic`: any Hessian and any constant covariance of the gradients;
- `noisy_quadratic`: the case of power laws that predicts losses of language models.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import zeta

from scalinglaws._random import RNGLike, seed_sequence
from scalinglaws.errors import require
from scalinglaws.models import PLRF, GaussianLeastSquares, Instance, Model
from scalinglaws.models.sums import power_sum_nodes
from scalinglaws.theory.dynamics.spectrum import Drive, NoiseModel
from scalinglaws.theory.modes import instance_modes

__all__ = ["noisy_quadratic", "plrf", "quadratic"]


def plrf(model: Model | Instance, rng: RNGLike = None) -> NoiseModel:
    """Take the modes of Gaussian least squares, whose noise is proportional to the current risk.

    Integrated, they give the mean over samples of what `simulate` does with the same `rng`, and what
    `solve(..., method="instance")` does step by step.

    Parameters
    ----------
    model
        `PLRF`, `GaussianLeastSquares`, or an `Instance` of either.
    rng
        Draws the features of a `PLRF`: integer, SeedSequence, Generator or None (SPEC 7).

    Raises
    ------
    InputError
        For another model, or one whose features cannot be drawn.

    Examples
    --------
    >>> modes = plrf(PLRF(alpha=1.0, beta=0.7, d=50), rng=0)
    >>> modes.rates.size, modes.drive.on_noise, modes.own
    (50, 1.0, 1.0)
    """
    known = isinstance(model, PLRF | GaussianLeastSquares | Instance)
    require(known, "model", model, "must be a PLRF, a GaussianLeastSquares or an Instance")
    drawn = model if isinstance(model, Instance) else model.instance(seed_sequence(rng))
    modes, trace = instance_modes(drawn), float(drawn.eigenvalues.sum())
    return NoiseModel(
        rates=modes.z,
        initial=modes.initial,
        source=modes.source,
        floor=modes.floor,
        drive=Drive(modes.floor, 1.0, 1.0),
        own=1.0,
        quantity="risk",
        source_trace=trace,
        trace=trace if isinstance(model, Instance) else model.trace,
        spec="{}" if isinstance(model, Instance) else json.dumps(model.to_dict()),
    )


def quadratic(hessian: ArrayLike, error: ArrayLike, covariance: ArrayLike, floor: float = 0.0) -> NoiseModel:
    """Describe a quadratic loss with gradient noise that does not depend on the parameters.

    The loss is floor + 1/2 sum_k hessian_k error_k^2.

    Parameters
    ----------
    hessian
        Eigenvalues, shape (modes,), >= 0.
    error
        Initial distance from the optimum in the eigenbasis, shape (modes,).
    covariance
        Variance of one sample's gradient along each eigenvector, shape (modes,), >= 0.
    floor
        Loss at the optimum.

    Raises
    ------
    InputError
        If shapes differ or something is negative or not finite.

    Examples
    --------
    >>> from scalinglaws.theory.dynamics import integrate
    >>> modes = quadratic([0.5], [0.0], [2.0])
    >>> loss, flow = (integrate(m, 0.1, [1000])["loss"].item() for m in (modes, modes.as_flow()))
    >>> f"{loss:.7f} of SGD, {flow:.7f} of its limit"  # lr Sigma / (4 - 2 lr h), lr Sigma / 4
    '0.0512821 of SGD, 0.0500000 of its limit'
    """
    h, w, noise = (np.asarray(x, dtype=np.float64) for x in (hessian, error, covariance))
    for name, value in (("error", w), ("covariance", noise)):
        require(value.shape == h.shape, name, value.shape, f"must have the shape of hessian, {h.shape}")
    require(bool(np.all(np.isfinite(w))), "error", w.tolist(), "must be finite")
    return NoiseModel(
        rates=h,
        initial=0.5 * h * w**2,
        source=0.5 * h * noise,
        floor=floor,
        drive=Drive(1.0),
        quantity="loss",
        source_trace=float(noise.sum()),
        trace=float(h.sum()),
        spec=json.dumps({"model": "quadratic"}),
    )


def noisy_quadratic(
    size: int, *, p: float, q: float, P: float, Q: float, e_irr: float, R: float, r: float
) -> NoiseModel:
    r"""Describe a model of `size` parameters as a noisy quadratic system.

    Direction n has the eigenvalue Q n^-q, adds (P/2) n^-p to the initial loss, and one sample's gradient has
    the variance R n^-r along it; directions beyond `size` are never learned. Sums over directions are
    compressed (`models.sums`), so that any size takes a few hundred modes.

    Parameters
    ----------
    size
        Number of parameters N.
    p, P
        Exponent (> 1) and strength of the initial loss.
    q, Q
        Exponent and strength of the eigenvalues.
    e_irr
        Irreducible loss.
    r, R
        Exponent and strength of the noise.

    Raises
    ------
    InputError
        If a size is not a positive integer, p <= 1, or something is negative or not finite.

    References
    ----------
    Predicting Large Model Test Losses with a Noisy Quadratic System, arXiv 2605.09154. Its rate is 1.999.

    Examples
    --------
    >>> from scalinglaws.theory.dynamics import integrate
    >>> modes = noisy_quadratic(64_000_000, p=1.117, q=0.588, P=3.581, Q=0.936, e_irr=0.449, R=4.283, r=1.485)
    >>> f"{integrate(modes, 1.999, [10_000], batch=2048)['loss'].item():.7f}"
    '2.4319861'
    """
    whole = isinstance(size, int | np.integer) and not isinstance(size, bool) and size >= 1
    require(whole, "size", size, "must be an integer >= 1")
    numbers: dict[str, Any] = {"p": p, "q": q, "P": P, "Q": Q, "e_irr": e_irr, "R": R, "r": r}
    for name, value in numbers.items():
        number = isinstance(value, int | float | np.floating | np.integer) and bool(np.isfinite(value) and value >= 0)
        require(number, name, value, "must be a finite number >= 0")
    require(p > 1, "p", p, "must exceed 1, or the initial loss is infinite")
    n, count = power_sum_nodes(float(size), 0.5 * q)
    eigenvalue, noise = Q * n**-q, R * n**-r
    return NoiseModel(
        rates=eigenvalue,
        initial=count * 0.5 * P * n**-p,
        source=count * 0.5 * eigenvalue * noise,
        floor=e_irr + 0.5 * P * float(zeta(p, size + 1.0)),
        drive=Drive(1.0),
        quantity="loss",
        source_trace=float(count @ noise),
        trace=float(count @ eigenvalue),
        spec=json.dumps({"model": "noisy_quadratic", "size": int(size), **numbers}),
    )
