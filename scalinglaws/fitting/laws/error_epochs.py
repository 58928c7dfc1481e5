r"""A bounded second metric straight from size, data and epochs, where the loss was not kept or does not matter.

err = eps / (1 + 1/O) with the odds O = A/N^alpha + B/D'^beta: the logit of err/eps is the logarithm of a sum of
powers, so err falls from eps, the chance level, where N or D is small, to 0 where both are large.
`error-nd` takes D' = D, all tokens distinct; `error-epochs` D' = U + U R_D (1 - exp(-(D/U - 1)/R_D)) for U distinct
tokens (Muennighoff et al. 2023, arXiv 2305.16264, eq. 5), from the columns `unique_tokens` or `epochs`.

On the three training sets of Gadre et al. (2024), arXiv 2403.08540, the six largest runs of each, up to 88 times
the compute of any other, are predicted to 1.6 to 4.9 % of their error; a floor below which err cannot fall, as in
`error-logit` of Chinchilla's loss, fits the smaller runs a little better and misses the large ones by up to 12 %.
"""

from __future__ import annotations

import numpy as np

from scalinglaws.fitting.laws.formula import FormulaLaw
from scalinglaws.fitting.laws.jets import Number, logaddexp, smaller
from scalinglaws.fitting.laws.law import Numbers, Shape
from scalinglaws.fitting.laws.repetition import saturating

__all__ = ["ERROR_EPOCHS", "ERROR_ND"]


def _bounded(p: Numbers, size: Number, data: Number) -> tuple[Number]:
    log_odds = logaddexp(p["A"] - p["alpha"] * size, p["B"] - p["beta"] * data)
    return (-logaddexp(0.0, -log_odds),)


def _fresh(p: Numbers, x: Numbers) -> tuple[Number]:
    return _bounded(p, x["params"], x["tokens"])


def _repeated(p: Numbers, x: Numbers) -> tuple[Number]:
    unique = smaller(x["unique_tokens"], x["tokens"])
    return _bounded(p, x["params"], unique + saturating(x["tokens"] - unique, p["R_D"]))


_ODDS = tuple(np.log([0.3, 1.0, 4.0]).tolist())  # of each term at the mean size and data
_EXPONENTS = (0.12, 0.25, 0.5)
_SHAPES = (
    Shape(name="A", axis=_ODDS, bounds=(-30.0, 30.0), log=True, anchor=(("alpha", "params", 1.0),)),
    Shape(name="B", axis=_ODDS, bounds=(-30.0, 30.0), log=True, anchor=(("beta", "tokens", 1.0),)),
    Shape(name="alpha", axis=_EXPONENTS),
    Shape(name="beta", axis=_EXPONENTS),
)

ERROR_ND = FormulaLaw(
    name="error-nd",
    formula="err = eps / (1 + 1/(A/N^alpha + B/D^beta))",
    covariates=("params", "tokens"),
    target="error",
    columns={"eps": 1.0},
    parts=_fresh,
    shape_parameters=_SHAPES,
)

ERROR_EPOCHS = FormulaLaw(
    name="error-epochs",
    formula="err = eps / (1 + 1/(A/N^alpha + B/D'^beta))",
    covariates=("params", "tokens", "unique_tokens"),
    target="error",
    columns={"eps": 1.0},
    parts=_repeated,
    shape_parameters=(*_SHAPES, Shape(name="R_D", axis=tuple(np.log([3.0, 20.0])), bounds=(-3.0, 10.0), log=True)),
)
