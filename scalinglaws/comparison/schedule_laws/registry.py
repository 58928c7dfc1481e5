"""The schedule laws by name: add a file, then one entry here."""

from __future__ import annotations

from scalinglaws.comparison.schedule_laws.base import ScheduleLaw
from scalinglaws.comparison.schedule_laws.convex import CONVEX
from scalinglaws.comparison.schedule_laws.functional import FUNCTIONAL
from scalinglaws.comparison.schedule_laws.momentum import MOMENTUM
from scalinglaws.comparison.schedule_laws.multi_power import MULTI_POWER
from scalinglaws.comparison.schedule_laws.noise import NOISE
from scalinglaws.comparison.schedule_laws.remembered import REMEMBERED
from scalinglaws.comparison.schedule_laws.tau_power import TAU_POWER
from scalinglaws.comparison.separable.law import find_law

__all__ = ["SCHEDULE_LAWS", "find_schedule_law"]

SCHEDULE_LAWS: dict[str, ScheduleLaw] = {
    law.name: law for law in (NOISE, MULTI_POWER, REMEMBERED, FUNCTIONAL, MOMENTUM, CONVEX, TAU_POWER)
}
"""The laws by name."""


def find_schedule_law(law: str | ScheduleLaw) -> ScheduleLaw:
    """Return the law of that name; a law given as such passes through.

    Raises
    ------
    InputError
        For an unknown name.

    Examples
    --------
    >>> find_schedule_law("tau-power").formula
    'L = L0 + A tau^-alpha'
    """
    return find_law(law, SCHEDULE_LAWS)
