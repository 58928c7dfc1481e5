"""The coupled law L = E + A (N^-alpha + R D^-beta)^k: with k = 1 Chinchilla's, with k < 1 N and D trade off less.

On the 240 points of Besiroglu et al. (2024) its one further parameter earns 44 units of AICc.
"""

from __future__ import annotations

import numpy as np

from scalinglaws.fitting.laws.formula import FormulaLaw
from scalinglaws.fitting.laws.jets import Number, logaddexp
from scalinglaws.fitting.laws.law import Numbers, Shape

__all__ = ["SKALING"]


def _logs(p: Numbers, x: Numbers) -> tuple[Number, Number]:
    return np.zeros(()), p["k"] * logaddexp(-(p["alpha"] * x["params"]), p["R"] - p["beta"] * x["tokens"])


_EXPONENTS = tuple(np.geomspace(0.05, 1.5, 8).tolist())

SKALING = FormulaLaw(
    name="skaling",
    formula="L = E + A (N^-alpha + R D^-beta)^k",
    columns={"E": 1.0, "A": 1.0},
    constants=("E",),
    parts=_logs,
    shape_parameters=(
        Shape(name="alpha", axis=_EXPONENTS),
        Shape(name="beta", axis=_EXPONENTS),
        Shape(
            name="R",
            axis=(-2.0, 0.0, 2.0),
            bounds=(-30.0, 30.0),
            log=True,
            anchor=(("alpha", "params", -1.0), ("beta", "tokens", 1.0)),
        ),
        Shape(name="k", axis=(0.5, 1.0, 2.0), bounds=(0.05, 20.0)),
    ),
)
