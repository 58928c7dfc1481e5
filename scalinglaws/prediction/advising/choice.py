"""Which law gives the answer: the usual one, unless another is better on the table and beyond it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scalinglaws.prediction.advising.candidates import Candidate

__all__ = ["DECISIVE", "choose", "contenders"]

DECISIVE = 10.0
"""Difference of AICc from which a law counts as better on the table (Burnham & Anderson 2002)."""

_USUAL = "chinchilla"
_ABOUT_AS_WELL = 1.5  # times the least error on larger runs


def choose(found: Sequence[Candidate]) -> tuple[Candidate, str]:
    """Pick the law of the answer, and say why.

    The usual law is "chinchilla", or if that is not there the one of the least AICc. It stands unless others have an
    AICc lower by more than `DECISIVE` and a smaller error when they predict larger runs from smaller ones; of
    those the one of the least error is taken. In-sample fit alone never decides: a freer law always has more of it.
    """
    if len(found) == 1:
        return found[0], f"The {found[0].name} law is the only one that was asked for and can be fitted."
    able = [one for one in found if one.usable] or list(found)
    ranked = sorted(able, key=_aicc)
    usual = next((one for one in able if one.name == _USUAL), ranked[0])
    better = [one for one in able if _aicc(one) < _aicc(usual) - DECISIVE and one.error < usual.error]
    if better:
        best = min(better, key=lambda one: one.error)
        return best, (
            f"The {best.name} law gives the answer, for its AICc is {_aicc(usual) - _aicc(best):.3g} lower than that "
            f"of the {usual.name} law and it predicts larger runs from smaller ones with a mean error of "
            f"{best.error:.2g} % instead of {usual.error:.2g} %."
        )
    return usual, f"The {usual.name} law gives the answer: {_why_not(usual, able)}."


def contenders(found: Sequence[Candidate], chosen: Candidate) -> tuple[Candidate, ...]:
    """Return the laws that speak about as well for themselves as the chosen one, itself included.

    Those whose error on larger runs is within half of the least; where that could not be tried, those whose AICc is
    within `DECISIVE` of the best.
    """
    able = [one for one in found if one.usable]
    errors = [one.error for one in able if np.isfinite(one.error)]
    if errors:
        close = [one for one in able if one.error <= _ABOUT_AS_WELL * min(errors)]
    else:
        close = [one for one in able if one.difference <= DECISIVE]
    return tuple(close) if any(one is chosen for one in close) else (chosen, *close)


def _why_not(usual: Candidate, able: Sequence[Candidate]) -> str:
    """Say what keeps the other laws from replacing the usual one."""
    least, closest = min(able, key=_aicc), min(able, key=lambda one: (np.isnan(one.error), one.error))
    if np.isnan(usual.error):
        return "there are too few runs to try how the laws predict larger ones, and AICc alone does not replace it"
    if least is usual and closest is usual:
        return f"its AICc is the lowest, and so is its mean error on larger runs, {usual.error:.2g} %"
    ahead = _aicc(usual) - _aicc(least)
    first = "its AICc is the lowest" if least is usual else f"AICc prefers the {least.name} law by {ahead:.3g}"
    second = f"its mean error on larger runs, {usual.error:.2g} %, is the smallest"
    if closest is not usual:
        second = f"the {closest.name} law predicts larger runs best ({closest.error:.2g} % against {usual.error:.2g} %)"
    return f"{first} and {second}, but no law is better by more than {DECISIVE:g} in AICc and on larger runs as well"


def _aicc(one: Candidate) -> float:
    return one.fit.aicc
