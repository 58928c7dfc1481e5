"""The family laws by name: add a file, then one entry here."""

from __future__ import annotations

from scalinglaws.comparison.family_laws.base import FamilyLaw
from scalinglaws.comparison.family_laws.functional import FUNCTIONAL
from scalinglaws.comparison.family_laws.monomials import CHINCHILLA, MONOMIALS
from scalinglaws.comparison.family_laws.nqs import NQS
from scalinglaws.comparison.family_laws.plrf import PLRF
from scalinglaws.comparison.family_laws.plrf_terms import PLRF_TERMS
from scalinglaws.comparison.separable.law import find_law

__all__ = ["FAMILY_LAWS", "find_family_law"]

FAMILY_LAWS: dict[str, FamilyLaw] = {
    law.name: law for law in (CHINCHILLA, MONOMIALS, PLRF_TERMS, PLRF, FUNCTIONAL, NQS)
}
"""The laws by name."""


def find_family_law(law: str | FamilyLaw) -> FamilyLaw:
    """Return the law of that name; a law given as such passes through.

    Raises
    ------
    InputError
        For an unknown name.

    Examples
    --------
    >>> find_family_law("monomials").formula
    'L = E + A N^-a + B tau^-b'
    """
    return find_law(law, FAMILY_LAWS)
