r"""The functional scaling law as modes: power laws in intrinsic time as sums of exponentials.

In intrinsic time t, the sum of the rates, the law is (arXiv 2509.19189)

    loss(t) = floor + e(t) + int_0^t K(t - u) (e(u) + sigma^2) lr(u) / B du,
    e(t) = (1 + t)^-s,    K(t) = (1 + t)^-(2 - 1/beta).

Because (1 + t)^-a = 1/Gamma(a) int x^(a-1) e^-x e^(-x t) dx, the trapezoidal rule in log x writes both with the
same exponentials: the law is a flow of modes whose noise is driven by the forcing and by the label noise.
"""

from __future__ import annotations

import json
import math

import numpy as np
from numpy.typing import NDArray

from scalinglaws.errors import require
from scalinglaws.theory.dynamics.spectrum import Drive, NoiseModel

__all__ = ["functional", "power_law_sums"]

Float = NDArray[np.float64]


def power_law_sums(exponents: tuple[float, ...], horizon: float, rtol: float) -> tuple[Float, tuple[Float, ...]]:
    """Write (1 + t)^-a as a sum of exponentials, with the same decay rates for every exponent a.

    Parameters
    ----------
    exponents
        Exponents a > 0.
    horizon
        Largest t.
    rtol
        Largest relative error for 0 <= t <= horizon.

    Returns
    -------
    Decay rates x, the first of them 0, and for each exponent the weights w: (1 + t)^-a = sum w e^(-x t).

    Examples
    --------
    >>> x, (w,) = power_law_sums((0.5,), horizon=1e6, rtol=1e-10)
    >>> x.size, bool(abs(w @ np.exp(-x * 1e6) * (1 + 1e6) ** 0.5 - 1) < 1e-10)
    (91, True)
    """
    digits = -math.log(rtol)
    # The rule's error is exp(-pi^2 / h) times a power of 1/h; modes with x horizon < small stand still.
    h = math.pi**2 / (digits + 3.0 + 2.0 * max(exponents))
    small = math.exp(-digits / (1.0 + min(exponents))) / (1.0 + horizon)
    count = math.ceil((math.log(digits + 4.0 * max(exponents)) - math.log(small)) / h)
    x = small * np.exp(h * np.arange(count + 1))
    weights = []
    for a in exponents:
        still = h * small**a / math.expm1(a * h)  # the rule continued to x = 0
        weights.append(np.append(still, h * x**a * np.exp(-x)) / math.gamma(a))
    return np.append(0.0, x), tuple(weights)


def functional(
    s: float,
    beta: float,
    *,
    label_noise: float = 0.0,
    size: float = math.inf,
    horizon: float = 1e9,
    rtol: float = 1e-10,
) -> NoiseModel:
    """Describe the functional scaling law.

    Parameters
    ----------
    s
        Source exponent, > 0: how fast the noiseless loss falls.
    beta
        Capacity exponent, > 1: decay of the eigenvalues.
    label_noise
        Variance sigma^2 of the label noise.
    size
        Number of parameters M, which leaves the loss M^(-s beta).
    horizon
        Largest intrinsic time, the sum of the rates of a run.
    rtol
        Relative error of both power laws up to there.

    Raises
    ------
    InputError
        If a number is outside its range.

    References
    ----------
    Li, Chen, Huang, Wang, Wu, Functional Scaling Laws in Kernel Regression, arXiv 2509.19189.

    Examples
    --------
    >>> from scalinglaws.theory.dynamics import integrate
    >>> law = functional(s=0.5, beta=2.0)
    >>> loss = integrate(law, 1e-9, [10**11])["loss"].item()  # hardly any noise: (1 + 100)^-0.5
    >>> f"{loss * 101**0.5:.7f}"
    '1.0000000'
    """
    require(0 < s < math.inf, "s", s, "must be positive and finite")
    require(1 < beta < math.inf, "beta", beta, "must exceed 1")
    require(0 <= label_noise < math.inf, "label_noise", label_noise, "must be finite and >= 0")
    require(size >= 1, "size", size, "must be at least 1")
    require(0 < horizon < math.inf, "horizon", horizon, "must be positive and finite")
    require(1e-13 <= rtol <= 1e-2, "rtol", rtol, "must lie between 1e-13 and 0.01")
    x, (e, kernel) = power_law_sums((s, 2.0 - 1.0 / beta), horizon, rtol)
    return NoiseModel(
        rates=0.5 * x,  # energies decay at twice the rate of errors
        initial=e,
        source=kernel,
        floor=float(size) ** (-s * beta) + 0.5 * label_noise,
        drive=Drive(label_noise, on_forcing=1.0),
        quantity="loss",
        flow=True,
        spec=json.dumps({"model": "functional", "s": s, "beta": beta, "label_noise": label_noise, "size": str(size)}),
    )
