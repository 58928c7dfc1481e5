"""The law of Hoffmann et al. (2022): L = E + A/N^alpha + B/D^beta."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting.laws.monomials import MonomialLaw, Optimum, Term

__all__ = ["CHINCHILLA"]


def _optimum(values: Mapping[str, NDArray[np.float64]], flops: NDArray[np.float64]) -> Optimum:
    """Minimise L at C = 6 N D in closed form (Hoffmann et al. 2022, eq. 4).

    N* = G (C/6)^a, D* = (C/6)^(1-a) / G with a = beta/(alpha + beta), G = (alpha A / (beta B))^(1/(alpha + beta)).
    An amplitude of zero leaves no interior optimum: N* is then 0 or infinite, or NaN if both are zero.
    """
    alpha, beta = values["alpha"], values["beta"]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        log_g = (np.log(alpha * values["A"]) - np.log(beta * values["B"])) / (alpha + beta)
        half = np.log(flops / 6.0)
        log_n = log_g + half * beta / (alpha + beta)
        log_d = half - log_n
        capacity = np.where(values["A"] > 0, values["A"] * np.exp(-alpha * log_n), 0.0)
        data = np.where(values["B"] > 0, values["B"] * np.exp(-beta * log_d), 0.0)
        return Optimum(params=np.exp(log_n), tokens=np.exp(log_d), loss=values["E"] + capacity + data)


CHINCHILLA = MonomialLaw(
    name="chinchilla",
    formula="L = E + A/N^alpha + B/D^beta",
    terms=(
        Term(amplitude="E"),
        Term(amplitude="A", n={"alpha": 1.0}),
        Term(amplitude="B", d={"beta": 1.0}),
    ),
    exponents=("alpha", "beta"),
    optimum=_optimum,
)
