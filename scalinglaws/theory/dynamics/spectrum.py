r"""What noise dynamics is about: mode energies, how they decay, and what drives their noise.

A `NoiseModel` is plain numbers, so that one integrator serves every model; `named` and `functional` build them.
With lr the rate of the gradient averaged over a batch of B, mode k has the energy y_k and one update is

    y_k <- (1 - lr z_k)^2 y_k + lr^2 / B (own z_k^2 y_k + source_k drive),

the exact second moments of SGD on a quadratic loss whose gradients have the covariance of that last bracket,
divided by z_k. The limit of small rates at equal tau = sum lr drops the square of lr z_k: the stochastic
differential equation of Qiu et al., arXiv 2507.02119, equations (9) and (11). `NoiseModel.as_flow` asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError, require

__all__ = ["Drive", "NoiseModel"]

Float = NDArray[np.float64]


class Drive(NamedTuple):
    """What the noise is proportional to: constant + on_forcing * forcing + on_noise * noise.

    Forcing is what is left of the initial energy and noise what has been added, both summed over modes.
    """

    constant: float
    on_forcing: float = 0.0
    on_noise: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NoiseModel:
    """Mode energies driven by gradient noise.

    Parameters
    ----------
    rates
        Decay rate z of each mode's error, an eigenvalue of the Hessian (shape (modes,), >= 0).
    initial
        Energy of each mode at step 0: what it adds to the risk or the loss.
    source
        How strongly noise drives each mode.
    floor
        What no parameters remove.
    drive
        What the noise is proportional to.
    own
        Share of a mode's own energy in its noise: 1 for Gaussian features, 0 for noise that does not depend
        on the parameters.
    quantity
        "risk" for E(prediction - target)^2, "loss" for a loss; the name of the resulting curve.
    source_trace
        Trace of the covariance of one sample's gradient per unit of drive, less the modes' own share; None
        where the model does not define it.
    trace
        What `relative_lr` divides by; None if it has no meaning.
    flow
        Infinitesimal steps: the stochastic differential equation in place of SGD's steps.
    spec
        The model in words, for the labels of a result: a JSON object in text form.

    Raises
    ------
    InputError
        If shapes differ or something is negative or not finite.

    Examples
    --------
    >>> one = NoiseModel(rates=[0.5], initial=[0.0], source=[0.5], floor=0.0, drive=Drive(1.0), quantity="loss")
    >>> one.rates.size, one.as_flow().flow
    (1, True)
    """

    rates: Float
    initial: Float
    source: Float
    floor: float
    drive: Drive
    quantity: Literal["risk", "loss"]
    own: float = 0.0
    source_trace: float | None = None
    trace: float | None = None
    flow: bool = False
    spec: str = "{}"

    def __post_init__(self) -> None:
        for name in ("rates", "initial", "source"):
            object.__setattr__(self, name, _vector(name, getattr(self, name)))
        for name in ("initial", "source"):
            shape = getattr(self, name).shape
            require(shape == self.rates.shape, name, shape, f"must have the shape of rates, {self.rates.shape}")
        require(isinstance(self.drive, Drive), "drive", self.drive, "must be a Drive")
        for name, value in (("floor", self.floor), ("own", self.own), *self.drive._asdict().items()):
            number = isinstance(value, int | float | np.floating | np.integer)
            require(number and bool(np.isfinite(value) and value >= 0), name, value, "must be a finite number >= 0")
        object.__setattr__(self, "own", float(self.own))
        object.__setattr__(self, "drive", Drive(*map(float, self.drive)))
        require(self.quantity in ("risk", "loss"), "quantity", self.quantity, "must be risk or loss")

    def as_flow(self) -> NoiseModel:
        """Return the limit of small rates: a stochastic differential equation in tau.

        It is what the theory of schedules is written in, and differs from SGD in the order of lr * rate.
        """
        return replace(self, flow=True)

    def gradient_noise_trace(self, energies: ArrayLike, batch: float = 1.0) -> NDArray[np.float64]:
        r"""Trace of the covariance of the mini-batch gradient, where the modes have these energies.

        For Gaussian features with covariance K and error w this is
        Tr Sigma = (P Tr K + |K w|^2) / B with the risk P, twice the loss (arXiv 2507.02119, section 3).

        Parameters
        ----------
        energies
            Energy of each mode, shape (..., modes): what it adds to the risk or the loss.
        batch
            Samples of the mini-batch.

        Returns
        -------
        Shape (...).

        Raises
        ------
        InputError
            If the model does not define its gradients.

        Examples
        --------
        >>> from scalinglaws.models import GaussianLeastSquares
        >>> from scalinglaws.theory import dynamics
        >>> modes = dynamics.plrf(GaussianLeastSquares([1.0, 0.25], [1.0, 0.5], label_noise=0.1))
        >>> float(modes.gradient_noise_trace(modes.initial, batch=10))  # (1.35 * 1.25 + 1 + 0.0625) / 10
        0.275
        """
        energy = np.asarray(energies, dtype=np.float64)
        require(energy.shape[-1:] == self.rates.shape, "energies", energy.shape, f"must end in {self.rates.shape}")
        total = energy.sum(axis=-1)
        weighted = energy @ self.rates
        if self.drive.on_forcing != self.drive.on_noise:
            raise InputError("energies: their noise depends on how they arose; read noise_trace from `integrate`")
        return self.trace_along(total, np.zeros_like(total), weighted, np.asarray(batch, dtype=np.float64))

    def trace_along(self, forcing: Float, noise: Float, weighted: Float, batch: Float) -> Float:
        """Give the same from sums over modes: of forcing, of noise, and of z times the energy.

        Raises
        ------
        InputError
            If the model does not define its gradients.
        """
        if self.source_trace is None:
            raise InputError("noise_trace: this model does not define the covariance of its gradients")
        drive = self.drive.constant + self.drive.on_forcing * forcing + self.drive.on_noise * noise
        return np.asarray((self.own * weighted + self.source_trace * drive) / batch)


def _vector(name: str, values: ArrayLike) -> Float:
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} = {values!r}: must be an array of numbers") from None
    require(array.ndim == 1 and array.size > 0, name, array.shape, "must be one-dimensional and not empty")
    require(bool(np.all(np.isfinite(array) & (array >= 0))), name, array.tolist(), "must be finite and >= 0")
    array.setflags(write=False)
    return array
