"""The law of Hoffmann et al. (2022), L = E + A/N^alpha + B/D^beta, without E, and with one exponent for both.

`chinchilla` is the default. `chinchilla-no-e` suits losses known to have no floor; where there is one it reads the
levelling off as smaller exponents. `tied` has one parameter less, and with alpha = beta it is the over-training law
of Gadre et al. (2024), L = E + (a M^eta + b M^-eta) C^-eta with M = D/N, C = 6ND, eta = alpha/2, A = a 6^-eta and
B = b 6^-eta.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting.laws.law import Optimum
from scalinglaws.fitting.laws.monomials import MonomialLaw, Term

__all__ = ["CHINCHILLA", "NO_FLOOR", "TIED"]


def _optimum(values: Mapping[str, NDArray[np.float64]], flops: NDArray[np.float64]) -> Optimum:
    """Minimise L at C = 6 N D in closed form (Hoffmann et al. 2022, eq. 4).

    N* = G (C/6)^a, D* = (C/6)^(1-a) / G with a = beta/(alpha + beta), G = (alpha A / (beta B))^(1/(alpha + beta)).
    An amplitude of zero leaves no interior optimum: N* is then 0 or infinite, or NaN if both are zero.
    """
    alpha, beta = values["alpha"], values.get("beta", values["alpha"])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        log_g = (np.log(alpha * values["A"]) - np.log(beta * values["B"])) / (alpha + beta)
        half = np.log(flops / 6.0)
        log_n = log_g + half * beta / (alpha + beta)
        log_d = half - log_n
        capacity = np.where(values["A"] > 0, values["A"] * np.exp(-alpha * log_n), 0.0)
        data = np.where(values["B"] > 0, values["B"] * np.exp(-beta * log_d), 0.0)
        return Optimum(params=np.exp(log_n), tokens=np.exp(log_d), loss=values.get("E", 0.0) + capacity + data)


_CAPACITY, _DATA = Term(amplitude="A", n={"alpha": 1.0}), Term(amplitude="B", d={"beta": 1.0})

CHINCHILLA = MonomialLaw(
    name="chinchilla",
    formula="L = E + A/N^alpha + B/D^beta",
    terms=(Term(amplitude="E"), _CAPACITY, _DATA),
    exponent_names=("alpha", "beta"),
    optimum_in_closed_form=_optimum,
)

NO_FLOOR = MonomialLaw(
    name="chinchilla-no-e",
    formula="L = A/N^alpha + B/D^beta",
    terms=(_CAPACITY, _DATA),
    exponent_names=("alpha", "beta"),
    optimum_in_closed_form=_optimum,
)

TIED = MonomialLaw(
    name="tied",
    formula="L = E + A/N^alpha + B/D^alpha",
    terms=(Term(amplitude="E"), _CAPACITY, Term(amplitude="B", d={"alpha": 1.0})),
    exponent_names=("alpha",),
    optimum_in_closed_form=_optimum,
)
