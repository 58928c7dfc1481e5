r"""The solvable model's asymptotic terms on whole curves, their exponents tied to (alpha, beta) by the derivation.

    L = E + sum over terms of c_k N^-p_k(alpha, beta) tau^-q_k(alpha, beta)

with the rational exponents of `symbolic.terms` (arXiv 2405.15074), cross terms included, in gradient-flow time tau, in
which they hold on both sides of 2 alpha = 1: there the stable rate has no part in them. All phases are covered: F_0
changes its exponent at 2 beta = 1, continuously; F_ac, which leads only where 2 alpha > 1 and 2 beta > 1, falls with N
alone where 2 alpha < 1, and is hidden behind F_0. The term of gradient noise, K_pp, carries the rate of the last
update over the batch, to which the noise that a small rate leaves is proportional. Where alpha + beta <= 1/2 nothing
is learned and the law has no value.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.family_laws.base import FamilyLaw
from scalinglaws.comparison.family_laws.curves import FamilyCurves
from scalinglaws.comparison.separable.law import Shape
from scalinglaws.fitting.laws.plrf import Exponent, term_exponents

__all__ = ["PLRF_TERMS"]

Array = NDArray[np.float64]

_NAMES = ("F_0", "F_pp", "F_ac", "K_pp")
_COMPLEX_STEP = 1e-30


def _features(shapes: Array, curves: FamilyCurves) -> tuple[Array, Array]:
    values = _terms(shapes.astype(np.complex128), curves).real
    steps = 1j * _COMPLEX_STEP * np.eye(2)
    slopes = [_terms(shapes + step, curves).imag / _COMPLEX_STEP for step in steps]
    return values, np.stack(slopes, axis=-1)


def _terms(shapes: NDArray[np.complex128], curves: FamilyCurves) -> NDArray[np.complex128]:
    """Features at complex shapes, shape (n, 1 + terms)."""
    alpha, beta = shapes
    if (alpha + beta).real <= 0.5:
        return np.full((curves.step.size, 1 + len(_NAMES)), np.nan + 0j)
    log_size, log_time = np.log(curves.N), np.log(curves.tau)
    noise = curves.rate / curves.batch[curves.run]
    columns: list[NDArray[Any]] = [np.ones(log_size.size, dtype=np.complex128)]
    for name in _NAMES:
        p, q = (complex(power(alpha, beta)) for power in _exponents(bool(beta.real > 0.5))[name])  # type: ignore[arg-type]
        q = q if q.real > 0.0 else 0j  # of F_ac where 2 alpha < 1
        term = np.exp(-p * log_size - q * log_time)
        columns.append(term * noise if name == "K_pp" else term)
    return np.stack(columns, axis=1)


@cache
def _exponents(beta_above: bool) -> dict[str, tuple[Exponent, Exponent]]:
    """Exponents of size and of time on one side of 2 beta = 1; terms that do not lead keep those of the other side."""
    return term_exponents(alpha_above=True, beta_above=True) | term_exponents(alpha_above=True, beta_above=beta_above)


def _starts(curves: FamilyCurves) -> Array:
    del curves
    return np.array([[a, b] for a in (0.4, 1.0, 0.7, 1.5) for b in (0.25, 0.8, 1.5)])


PLRF_TERMS = FamilyLaw(
    name="plrf-terms",
    formula="L = E + sum of c_k N^-p_k tau^-q_k, k in F_0, F_pp, F_ac, K_pp",
    source="Paquette et al., arXiv 2405.15074",
    amplitudes=("E", *_NAMES),
    shapes=(Shape(name="alpha", low=0.255, high=3.0), Shape(name="beta", low=0.01, high=3.0)),
    features=_features,
    starts=_starts,
)
