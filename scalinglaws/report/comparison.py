"""Theory against measurement: where the runs lie on the phase diagram, and which law predicts the runs left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from scalinglaws.comparison.family_laws import FamilyContest, contest_families
from scalinglaws.prediction.placing import Placement, place

__all__ = ["LAWS", "Comparison", "compare", "where", "write_comparison"]

LAWS = ("chinchilla", "functional", "plrf")
"""Laws of the contest unless others are named: the empirical baseline, theory's law of any schedule, the model itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Measured runs held against the solvable model.

    Parameters
    ----------
    placement
        Where they lie on the phase diagram.
    contest
        What each law predicts of the runs left out.
    """

    placement: Placement
    contest: FamilyContest

    def sentence(self) -> str:
        """Say the answer in a few sentences."""
        return f"{self.placement.sentence} {self.contest.verdict}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {"placement": self.placement.to_dict(), "contest": self.contest.to_dict()}


def compare(
    runs: xr.Dataset,
    *,
    laws: Sequence[str] = LAWS,
    leave_out: Sequence[str] = ("size", "horizon", "schedule"),
    level: float = 0.9,
    params: str = "non_embedding",
) -> Comparison:
    """Place a family of runs on the phase diagram, and let laws predict the runs it can spare.

    Parameters
    ----------
    runs
        A family of runs with their learning rates.
    laws
        Names of `comparison.family_laws.FAMILY_LAWS`.
    leave_out
        What the contest leaves out, where the family allows it; see `contest_families`.
    level
        Level of the region and of all intervals.
    params
        What counts as N.

    Raises
    ------
    InputError
        For runs that no family law can be fitted to.
    """
    return Comparison(
        placement=place(runs, level=level, params=params),
        contest=contest_families(runs, laws, leave_out=leave_out, level=level, params=params),
    )
