"""The laws a table can be fitted with, by name: add a file, then one line here.

`chinchilla` for N and D; `tied` for few runs; `kaplan` and `chinchilla-no-e` only where nothing levels off;
`skaling` when its extra freedom is earned (compare with `compare_laws`); `broken` when the fall with D changes its
slope; `repetition` when tokens are seen several times; `nqs` when batch and steps are chosen too; `error` and
`error-logit` for a bounded second metric against the loss, `error-nd` and `error-epochs` for one straight from N, D
and epochs; `plrf` for measurements on the solvable model. `published` holds the fits of the literature at full
precision.
"""

from __future__ import annotations

from scalinglaws.errors import InputError
from scalinglaws.fitting.laws.broken import BROKEN
from scalinglaws.fitting.laws.chinchilla import CHINCHILLA, NO_FLOOR, TIED
from scalinglaws.fitting.laws.downstream import ERROR, ERROR_LOGIT
from scalinglaws.fitting.laws.error_epochs import ERROR_EPOCHS, ERROR_ND
from scalinglaws.fitting.laws.formula import FormulaLaw
from scalinglaws.fitting.laws.kaplan import KAPLAN, KAPLAN_FLOOR
from scalinglaws.fitting.laws.law import Law, Optimum, Shape
from scalinglaws.fitting.laws.library import published
from scalinglaws.fitting.laws.monomials import MonomialLaw, Term
from scalinglaws.fitting.laws.nqs import NQS
from scalinglaws.fitting.laws.plrf import PLRF_LAW, plrf_law
from scalinglaws.fitting.laws.repetition import REPETITION
from scalinglaws.fitting.laws.skaling import SKALING

__all__ = [
    "CHINCHILLA",
    "LAWS",
    "FormulaLaw",
    "Law",
    "MonomialLaw",
    "Optimum",
    "Shape",
    "Term",
    "find_law",
    "plrf_law",
    "published",
]

LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        CHINCHILLA,
        TIED,
        NO_FLOOR,
        KAPLAN,
        KAPLAN_FLOOR,
        SKALING,
        BROKEN,
        REPETITION,
        ERROR,
        ERROR_LOGIT,
        ERROR_ND,
        ERROR_EPOCHS,
        PLRF_LAW,
        NQS,
    )
}


def find_law(law: str | Law) -> Law:
    """Return the law of that name; a law given as such passes through.

    Raises
    ------
    InputError
        For an unknown name.

    Examples
    --------
    >>> find_law("chinchilla").parameters
    ('E', 'A', 'B', 'alpha', 'beta')
    """
    if isinstance(law, Law):
        return law
    if not isinstance(law, str) or law not in LAWS:
        raise InputError(f"law = {law!r}: must be one of {', '.join(LAWS)}")
    return LAWS[law]
