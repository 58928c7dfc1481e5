"""The laws a table can be fitted with, by name: add a file, then one line here."""

from __future__ import annotations

from scalinglaws.errors import InputError
from scalinglaws.fitting.laws.chinchilla import CHINCHILLA
from scalinglaws.fitting.laws.monomials import MonomialLaw, Optimum, Term

__all__ = ["CHINCHILLA", "LAWS", "MonomialLaw", "Optimum", "Term", "find_law"]

LAWS: dict[str, MonomialLaw] = {law.name: law for law in (CHINCHILLA,)}


def find_law(law: str | MonomialLaw) -> MonomialLaw:
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
    if isinstance(law, MonomialLaw):
        return law
    if not isinstance(law, str) or law not in LAWS:
        raise InputError(f"law = {law!r}: must be one of {', '.join(LAWS)}")
    return LAWS[law]
