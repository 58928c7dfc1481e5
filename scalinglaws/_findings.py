"""One check of a family of runs, with its verdict in words: what health, collapse and reports have in common."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Finding"]


class Finding(NamedTuple):
    """One check: whether it passed, and the sentence that says so."""

    check: str
    ok: bool
    sentence: str
