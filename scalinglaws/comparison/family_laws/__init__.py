"""Laws of the loss curves of a family: several sizes, any schedule and batch, behind one interface.

`fit_family` fits one law jointly to all runs; the result predicts runs of any size and schedule, and says how sure it
is with runs, not records, as the independent units.
"""

from __future__ import annotations

from scalinglaws.comparison.family_laws.base import FamilyLaw
from scalinglaws.comparison.family_laws.contest import contest_families
from scalinglaws.comparison.family_laws.curves import Distinct, FamilyCurves, FamilyRecords
from scalinglaws.comparison.family_laws.fit import fit_family
from scalinglaws.comparison.family_laws.registry import FAMILY_LAWS, find_family_law
from scalinglaws.comparison.family_laws.resample import FamilyDraws
from scalinglaws.comparison.family_laws.result import FamilyFit
from scalinglaws.comparison.family_laws.standings import FamilyContest
from scalinglaws.comparison.separable.law import Shape, numeric

__all__ = [
    "FAMILY_LAWS",
    "Distinct",
    "FamilyContest",
    "FamilyCurves",
    "FamilyDraws",
    "FamilyFit",
    "FamilyLaw",
    "FamilyRecords",
    "Shape",
    "contest_families",
    "find_family_law",
    "fit_family",
    "numeric",
]
