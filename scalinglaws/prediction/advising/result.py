"""An answer with its evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr

from scalinglaws._numbers import plain
from scalinglaws.fitting.identifiability import Design
from scalinglaws.fitting.outliers import Outliers
from scalinglaws.fitting.result import Fit
from scalinglaws.prediction.advising.candidates import Candidate
from scalinglaws.prediction.advising.words import answers
from scalinglaws.prediction.measured import Approaches
from scalinglaws.prediction.rolling import Rolling

__all__ = ["Advice"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Advice:
    """What a compute budget should buy, by which law, and how far to trust it.

    Parameters
    ----------
    chosen
        The law of the answer, with its fit and its optimum over the budgets.
    why
        Why this law, in a sentence.
    trust
        How far the largest budget extrapolates and what speaks against the interval, in a sentence.
    sound
        Whether nothing does.
    cautions
        Sentences: warnings of the fit and of the design, and flagged rows.
    candidates
        All laws, the best AICc first.
    contenders
        Names of the laws that stand up about as well as the chosen one, itself included.
    left_out
        A sentence for each law that could not be fitted.
    rolling
        How the chosen law predicts larger runs, with intervals; None where that cannot be tried.
    approaches
        Approaches 1, 2 and 3 side by side; None where only approach 3 is possible.
    about_approaches
        Whether they agree, then what the input does not allow and what is wrong with budgets.
    published
        What published laws say of the budgets; see `laws.published`.
    counting
        What other ways to count N and C would change; None unless the input is a family that records several.
    design
        What the table can determine of the chosen law.
    outliers
        Rows too far from it; none was left out.
    level, replicates
        Of the intervals: the second by "answer" (the chosen law), "laws" (the others), "approaches" and "rolling".
    """

    chosen: Candidate
    why: str
    trust: str
    sound: bool
    cautions: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    contenders: tuple[str, ...]
    left_out: tuple[str, ...]
    rolling: Rolling | None
    approaches: Approaches | None
    about_approaches: tuple[str, ...]
    published: xr.Dataset
    counting: xr.Dataset | None
    design: Design
    outliers: Outliers
    level: float
    replicates: Mapping[str, int]

    @property
    def fit(self) -> Fit:
        """The fit of the chosen law, with its bootstrap."""
        return self.chosen.fit

    @property
    def optimum(self) -> xr.Dataset:
        """Compute-optimal N, D, D/N and loss with intervals over the budgets, by the chosen law."""
        return self.chosen.optimum

    @property
    def sentences(self) -> tuple[str, ...]:
        """What to train, one sentence for each budget."""
        return answers(self.optimum)

    @property
    def sentence(self) -> str:
        """What to train at every budget."""
        return " ".join(self.sentences)

    def summary(self) -> str:
        """Return the answer, the law, how far to trust it and the cautions."""
        lines = [*self.sentences, self.why, self.trust, *(f"caution: {each}" for each in self.cautions)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Advice {self.sentence}>"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; None for what is not a number."""
        fitted = self.fit
        return {
            "answer": self.sentence,
            "why": self.why,
            "trust": self.trust,
            "sound": self.sound,
            "cautions": list(self.cautions),
            "law": self.chosen.name,
            "optimum": plain(self.optimum),
            "fit": plain(fitted.to_dict()),
            "intervals": {name: plain(fitted.interval(name, self.level)) for name in fitted.params},
            "level": self.level,
            "replicates": dict(self.replicates),
            "laws": [one.to_dict() for one in self.candidates],
            "contenders": list(self.contenders),
            "left_out": list(self.left_out),
            "rolling": None if self.rolling is None else self.rolling.to_dict(),
            "approaches": None if self.approaches is None else self.approaches.to_dict(),
            "about_approaches": list(self.about_approaches),
            "published": plain(self.published),
            "counting": None if self.counting is None else _counted(self.counting),
            "design": self.design.to_dict(),
            "outliers": self.outliers.to_dict(),
        }


def _counted(ds: xr.Dataset) -> dict[str, Any]:
    return dict(plain(ds)) | {"notes": json.loads(ds.attrs["notes"])}
