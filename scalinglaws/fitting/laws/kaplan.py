"""The law of Kaplan et al. (2020), eq. 1.5: L = ((N_c/N)^(alpha_N/alpha_D) + D_c/D)^alpha_D, also with a floor E.

Without E every loss falls for ever; compare with `kaplan-e` before extrapolating.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting.laws.formula import FormulaLaw
from scalinglaws.fitting.laws.jets import Number, logaddexp
from scalinglaws.fitting.laws.law import Numbers, Shape

__all__ = ["KAPLAN", "KAPLAN_FLOOR"]

Array = NDArray[np.float64]


def _logs(p: Numbers, x: Numbers) -> tuple[Number]:
    ratio = p["alpha_N"] / p["alpha_D"]
    return (p["alpha_D"] * logaddexp(ratio * (p["N_c"] - x["params"]), p["D_c"] - x["tokens"]),)


def _logs_above_floor(p: Numbers, x: Numbers) -> tuple[Number, Number]:
    return np.zeros(()), *_logs(p, x)


def _place(point: dict[str, Array], level: float) -> dict[str, Array]:
    """Read the axis of N_c as the balance of the two terms, that of D_c as the share of the loss they make."""
    total = (np.log(level) + point["D_c"]) / point["alpha_D"]
    data = total - np.logaddexp(0.0, point["N_c"])
    size = (data + point["N_c"]) * point["alpha_D"] / point["alpha_N"]
    return point | {"N_c": size, "D_c": data}


_EXPONENTS = tuple(np.geomspace(0.05, 1.0, 6).tolist())


def _shapes(shares: tuple[float, ...]) -> tuple[Shape, ...]:
    return (
        Shape(name="alpha_N", axis=_EXPONENTS, bounds=(0.001, 4.0)),
        Shape(name="alpha_D", axis=_EXPONENTS, bounds=(0.001, 4.0)),
        Shape(name="N_c", axis=(-2.0, 0.0, 2.0), bounds=(-300.0, 300.0), log=True, anchor=(("", "params", 1.0),)),
        Shape(name="D_c", axis=shares, bounds=(-300.0, 300.0), log=True, anchor=(("", "tokens", 1.0),)),
    )


KAPLAN = FormulaLaw(
    name="kaplan",
    formula="L = ((N_c/N)^(alpha_N/alpha_D) + D_c/D)^alpha_D",
    columns={"one": 1.0},
    given=("one",),
    parts=_logs,
    shape_parameters=_shapes((0.0,)),
    place=_place,
)

KAPLAN_FLOOR = FormulaLaw(
    name="kaplan-e",
    formula="L = E + ((N_c/N)^(alpha_N/alpha_D) + D_c/D)^alpha_D",
    columns={"E": 1.0, "one": 1.0},
    given=("one",),
    constants=("E",),
    parts=_logs_above_floor,
    shape_parameters=_shapes((-3.0, -1.5, -0.7, -0.2)),
    place=_place,
)
