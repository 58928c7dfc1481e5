"""Chinchilla's law whose fall with D changes its exponent once: one smooth break (Caballero et al. 2023, eq. 1).

L = E + A/N^alpha + B D^-beta (1 + (D_b/D)^2)^(delta/2): D^-beta well above D_b, D^-(beta + delta) well below, over
about an e-folding. beta is the exponent to extrapolate with, and delta > 0 a fall that slows down. The break is in
D, so a compute-optimal size keeps its meaning; its width is given, for losses hardly tell it from delta and D_b.
"""

from __future__ import annotations

import numpy as np

from scalinglaws.fitting.laws.formula import FormulaLaw
from scalinglaws.fitting.laws.jets import Number, logaddexp
from scalinglaws.fitting.laws.law import Numbers, Shape

__all__ = ["BROKEN"]


def _logs(p: Numbers, x: Numbers) -> tuple[Number, Number, Number]:
    bend = logaddexp(0.0, (p["D_b"] - x["tokens"]) * 2.0) * 0.5
    return np.zeros(()), -(p["alpha"] * x["params"]), p["delta"] * bend - p["beta"] * x["tokens"]


_EXPONENTS = tuple(np.geomspace(0.1, 1.0, 5).tolist())

BROKEN = FormulaLaw(
    name="broken",
    formula="L = E + A/N^alpha + B D^-beta (1 + (D_b/D)^2)^(delta/2)",
    columns={"E": 1.0, "A": 1.0, "B": 1.0},
    constants=("E",),
    parts=_logs,
    shape_parameters=(
        Shape(name="alpha", axis=_EXPONENTS),
        Shape(name="beta", axis=_EXPONENTS),
        Shape(name="delta", axis=(-0.2, 0.2, 1.0), bounds=(-4.0, 10.0)),
        Shape(
            name="D_b", axis=(-2.0, -1.0, 0.0, 1.0, 2.0), bounds=(-9.0, 9.0), log=True, anchor=(("", "tokens", 1.0),)
        ),
    ),
)
