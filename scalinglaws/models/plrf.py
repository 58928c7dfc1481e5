r"""The power-law random-feature model: data and target of power-law strength seen through random features."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack, svd
from scipy.special import zeta

from scalinglaws._random import RNGLike, instance_rng, seed_sequence
from scalinglaws.errors import InputError, require
from scalinglaws.models.instance import Instance, frozen_array
from scalinglaws.models.sums import power_sum_nodes

__all__ = ["PLRF", "Population"]

MAX_ENTRIES = 2**28
"""Largest v * d for which the random features are drawn: 2 GiB in float64."""
BLOCK = 64
"""Columns that the QR factorisation reduces together."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Population:
    r"""The data spectrum and the target of a model before random features, compressed into few nodes.

    sum_j F(j^(-2 alpha)) = sum_k count_k F(s_k) for F vanishing linearly at 0, and
    sum_j j^(-2 alpha - 2 beta) F(j^(-2 alpha)) = sum_k energy_k F(s_k).

    Parameters
    ----------
    s
        Data eigenvalues at the nodes, descending from 1; at v = infinity the last one stands for the tail.
    count
        How many eigenvalues each node stands for.
    energy
        Target energy each node stands for.
    """

    s: NDArray[np.float64]
    count: NDArray[np.float64]
    energy: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PLRF:
    r"""Power-law random features: x_j = j^(-alpha) z_j, y = sum_j j^(-beta) x_j, model <W^T x, theta>.

    z_j are independent standard normals, j = 1, ..., v, and W is v x d with independent N(0, 1/d) entries,
    drawn once and frozen. The risk is E(prediction - y)^2, noisy target included and without a factor 1/2,
    so with theta_0 = 0 it starts at sum_j j^(-2 alpha - 2 beta) + label_noise.

    Parameters
    ----------
    alpha
        Data complexity: decay of the data's standard deviations, > 0.
    beta
        Target complexity: decay of the target's coefficients.
    d
        Number of parameters.
    v
        Number of data dimensions, at least d; None for 4 d; `math.inf` where the sums converge, that is for
        2 alpha > 1 and 2 (alpha + beta) > 1 (large-d theory only).
    label_noise
        Variance of the label noise, added to the irreducible risk.

    Raises
    ------
    InputError
        If one of these rules is broken.

    References
    ----------
    Paquette, Paquette, Xiao, Pennington, 4+3 Phases of Compute-Optimal Neural Scaling Laws, arXiv 2405.15074,
    section 1; the model without beta is due to Maloney, Roberts, Sully, arXiv 2210.16859.

    Examples
    --------
    >>> model = PLRF(alpha=1.0, beta=0.7, d=100)
    >>> model.v, round(model.initial_risk, 9)
    (400, 1.138663539)
    >>> PLRF.from_dict(model.to_dict()) == model
    True
    """

    alpha: float
    beta: float
    d: int
    v: float | None = None
    label_noise: float = 0.0

    def __post_init__(self) -> None:
        for name in ("alpha", "beta", "label_noise"):
            object.__setattr__(self, name, _number(name, getattr(self, name)))
        require(self.alpha > 0, "alpha", self.alpha, "must be > 0")
        require(self.label_noise >= 0, "label_noise", self.label_noise, "must be >= 0")
        object.__setattr__(self, "d", _size("d", self.d))
        infinite = isinstance(self.v, float) and math.isinf(self.v) and self.v > 0
        if infinite:
            summable = 2 * (self.alpha + self.beta) > 1
            require(summable, "2 (alpha + beta)", 2 * (self.alpha + self.beta), "must exceed 1 for v = infinity")
            require(2 * self.alpha > 1, "2 alpha", 2 * self.alpha, "must exceed 1 for v = infinity")
        else:
            object.__setattr__(self, "v", 4 * self.d if self.v is None else _size("v", self.v))
        require(self.d <= self.data_dimension, "d", self.d, f"must not exceed v = {self.v}")

    @property
    def data_dimension(self) -> float:
        """`v` as a float, possibly infinite."""
        assert self.v is not None  # set in __post_init__
        return float(self.v)

    @property
    def population(self) -> Population:
        """Data spectrum and target in compressed form."""
        return _population(self.alpha, self.beta, self.d, self.data_dimension)

    @property
    def trace(self) -> float:
        """Expected trace of the feature covariance, sum_j j^(-2 alpha)."""
        population = self.population
        return float(population.count @ population.s)

    @property
    def initial_risk(self) -> float:
        """Risk at theta = 0, sum_j j^(-2 alpha - 2 beta) + label noise."""
        return float(self.population.energy.sum()) + self.label_noise

    def features(self, rng: RNGLike) -> NDArray[np.float64]:
        """Draw the random features W, shape (v, d), Fortran order, entries N(0, 1/d).

        Parameters
        ----------
        rng
            A Generator is used as it is; anything else through `scalinglaws` 's own rule for `rng=`.

        Raises
        ------
        InputError
            If v * d exceeds `MAX_ENTRIES`.
        """
        self._check_drawable()
        return self._draw(np.empty((self.d, int(self.data_dimension))), rng).T

    def instance(self, rng: RNGLike = None) -> Instance:
        r"""Draw W and rotate the problem into the eigenbasis of its features.

        With the thin SVD D^(1/2) W = U S V^T: eigenvalues S^2, rho = -U^T D^(1/2) b, and the irreducible risk
        is the squared distance of D^(1/2) b from the range of U. Householder reflections of
        [D^(1/2) W, D^(1/2) b] give that distance itself, so its relative error is about
        1e-16 * sqrt(initial_risk / irreducible), not the square of that.

        Parameters
        ----------
        rng
            As in `features`; the same `rng` gives the same W.

        Raises
        ------
        InputError
            If v * d exceeds `MAX_ENTRIES`. Peak memory is about 8 (v d + 4 d^2) bytes.
        """
        self._check_drawable()
        d, v = self.d, int(self.data_dimension)
        j = np.arange(1.0, v + 1.0)
        rows = np.empty((d + 1, v))
        self._draw(rows[:d], rng)
        rows[:d] *= j**-self.alpha
        rows[d] = j ** -(self.alpha + self.beta)
        reduced, _, info = lapack.dgeqrt(min(BLOCK, d + 1, v), rows.T, overwrite_a=True)
        assert info == 0, info
        triangle = np.triu(reduced[: min(v, d + 1)])
        u, singular, _ = svd(triangle[:d, :d], overwrite_a=True, check_finite=False)
        distance = float(triangle[d, d]) if v > d else 0.0
        return Instance(
            eigenvalues=frozen_array(singular**2),
            rho=frozen_array(-(triangle[:d, d] @ u)),
            irreducible=distance**2 + self.label_noise,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; an infinite v is the text "inf"."""
        return {"model": "PLRF", **asdict(self), "v": "inf" if math.isinf(self.data_dimension) else self.v}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild a model from `to_dict`."""
        given = {k: v for k, v in values.items() if k != "model"}
        if given.get("v") == "inf":
            given["v"] = math.inf
        try:
            return cls(**given)
        except TypeError:
            raise InputError(f"model = {values!r}: needs alpha, beta, d and may have v, label_noise") from None

    def _draw(self, rows: NDArray[np.float64], rng: RNGLike) -> NDArray[np.float64]:
        generator = rng if isinstance(rng, np.random.Generator) else instance_rng(seed_sequence(rng))
        generator.standard_normal(out=rows)
        rows /= math.sqrt(self.d)
        return rows

    def _check_drawable(self) -> None:
        rule = f"has more than {MAX_ENTRIES} entries; use the deterministic limit, which draws no features"
        require(self.data_dimension * self.d <= MAX_ENTRIES, "v * d", self.data_dimension * self.d, rule)


def _number(name: str, value: Any) -> float:
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    require(real and math.isfinite(value), name, value, "must be a finite number")
    return float(value)


def _size(name: str, value: Any) -> int:
    size = _number(name, value)
    require(size >= 1 and size == math.floor(size), name, value, "must be an integer >= 1")
    return int(value)


@lru_cache(maxsize=64)
def _population(alpha: float, beta: float, d: int, v: float) -> Population:
    tail = math.isinf(v)
    # At v = infinity the terms beyond `last` have s < 1e-18 * d^(-2 alpha), where 1/(s + kappa) is 1/kappa.
    last = math.ceil(d * 10.0 ** (9.0 / alpha)) if tail else v
    j, count = power_sum_nodes(float(last), alpha)
    s, energy = j ** (-2.0 * alpha), count * j ** (-2.0 * (alpha + beta))
    if tail:
        count = np.append(count, zeta(2.0 * alpha, last + 1.0) / s[-1])
        energy = np.append(energy, zeta(2.0 * (alpha + beta), last + 1.0))
        s = np.append(s, s[-1])
    return Population(s=frozen_array(s), count=frozen_array(count), energy=frozen_array(energy))
