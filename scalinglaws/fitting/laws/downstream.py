"""A bounded second metric against the loss: the column `error` of the table, between 0 and 1.

`error` is err = eps - k exp(-gamma L) (Gadre et al. 2024, arXiv 2403.08540, eq. 5), which Gadre et al. fit with the
estimator "l2". `error-logit` is err = top / (1 + exp(-s (L - mid))), which stays within 0 and `top` at any loss.
"""

from __future__ import annotations

import numpy as np

from scalinglaws.fitting.laws.formula import FormulaLaw
from scalinglaws.fitting.laws.jets import Number, exp, logaddexp
from scalinglaws.fitting.laws.law import Numbers, Shape

__all__ = ["ERROR", "ERROR_LOGIT"]


def _exponential(p: Numbers, x: Numbers) -> tuple[Number, Number]:
    return np.zeros(()), -(p["gamma"] * exp(x["loss"]))


def _logistic(p: Numbers, x: Numbers) -> tuple[Number]:
    return (-logaddexp(0.0, -(p["s"] * (exp(x["loss"]) - exp(p["mid"])))),)


ERROR = FormulaLaw(
    name="error",
    formula="err = eps - k exp(-gamma L)",
    covariates=("loss",),
    target="error",
    columns={"eps": 1.0, "k": -1.0},
    constants=("eps",),
    parts=_exponential,
    shape_parameters=(Shape(name="gamma", axis=tuple(np.geomspace(0.02, 10.0, 200).tolist()), bounds=(1e-3, 30.0)),),
)

ERROR_LOGIT = FormulaLaw(
    name="error-logit",
    formula="err = top / (1 + exp(-s (L - mid)))",
    covariates=("loss",),
    target="error",
    columns={"top": 1.0},
    parts=_logistic,
    shape_parameters=(
        Shape(name="s", axis=tuple(np.geomspace(0.1, 10.0, 20).tolist()), bounds=(1e-3, 100.0)),
        Shape(
            name="mid",
            axis=tuple(np.linspace(-1.0, 1.0, 20).tolist()),
            bounds=(-6.0, 6.0),
            log=True,
            anchor=(("", "loss", 1.0),),
        ),
    ),
)
