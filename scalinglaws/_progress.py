"""Progress as a callback: the library reports, the caller decides whether and how to show it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Progress", "Report", "silent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a piece of long work is.

    Attributes
    ----------
    label
        What is being worked on now, for example the name of a run.
    item, items
        The item in hand (from 1) and how many there are.
    done, total
        Work done and planned over all items, in one unit (for training: floating-point operations).
    tokens_per_second, utilization
        Of training, over what is being worked on now: tokens per second, and FLOPs over those of the peak; NaN while
        they are not known.
    """

    label: str
    item: int
    items: int
    done: float
    total: float
    tokens_per_second: float = math.nan
    utilization: float = math.nan


class Report(Protocol):
    """Anything that can be told how far the work is."""

    def __call__(self, progress: Progress, /) -> None: ...


def silent(progress: Progress, /) -> None:
    """Tell nobody: the default in the library."""
