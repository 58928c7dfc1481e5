"""Ways to leave runs of a family out: its largest sizes, its longest horizons, one of its schedules.

Each is a split of the runs, or a sentence that says why the family does not allow it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws.comparison.family_laws.curves import FamilyRecords
from scalinglaws.comparison.path import Path
from scalinglaws.errors import InputError

__all__ = ["KINDS", "Split", "schedule_labels", "splits_of"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_SHARE = 0.25
"""Sizes that are left out, the largest ones: this share, but one at least and never so many that one is left."""
_LONGER = 1.2
"""A horizon counts as longer from this ratio on."""
_SAME = 0.05
"""Schedules are the same whose rates over their peak differ by less than this at equal parts of the run."""
_LOOKS = 65


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """Runs to fit and runs to predict.

    Parameters
    ----------
    name
        Distinct within a contest: "size", "horizon" or "schedule: linear".
    said
        What is left out, in words.
    fitted, held
        Indices of the runs.
    """

    name: str
    said: str
    fitted: Index
    held: Index


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Family:
    """What a split depends on, one value for each run."""

    size: Array
    horizon: Array
    schedule: tuple[str, ...]
    clock: str


def splits_of(
    records: FamilyRecords, labels: Sequence[str], leave_out: Iterable[str]
) -> tuple[list[Split], dict[str, str]]:
    """Return the splits that a family allows, and for each other kind why not.

    Parameters
    ----------
    records
        The family.
    labels
        Schedule of each of its runs; see `schedule_labels`.
    leave_out
        Some of `KINDS`; "schedule" leaves out every schedule in turn, "schedule: linear" that one alone.

    Raises
    ------
    InputError
        For another kind.

    Examples
    --------
    >>> from scalinglaws.comparison.family_laws.curves import FamilyCurves
    >>> curves = FamilyCurves.of([Path(rate=np.ones(9))] * 3, [1e3, 1e4, 1e5], [[9]] * 3)
    >>> splits, refused = splits_of(FamilyRecords(curves=curves, loss=np.ones(3)), ["constant"] * 3, KINDS)
    >>> splits[0].said, splits[0].held.tolist(), list(refused)
    ('the largest of 3 sizes', [2], ['horizon', 'schedule'])
    """
    curves = records.curves
    family = _Family(
        size=curves.size,
        horizon=np.array([curves.tokens[part.stop - 1] for part in curves.slices]),
        schedule=tuple(labels),
        clock=curves.clock,
    )
    found: list[Split] = []
    refused: dict[str, str] = {}
    for wanted in leave_out:
        kind, _, which = (part.strip() for part in wanted.partition(":"))
        if kind not in KINDS or (which and kind != "schedule"):
            raise InputError(f"leave_out = {wanted!r}: must be one of {', '.join(KINDS)}, or 'schedule: NAME'")
        made = KINDS[kind](family, which)
        if isinstance(made, str):
            refused[wanted] = made
        else:
            found += made
    return found, refused


def _largest_sizes(family: _Family, which: str) -> list[Split] | str:
    del which
    sizes = np.unique(family.size)
    if sizes.size < 3:
        known = "all runs have one size" if sizes.size == 1 else "of two sizes one would be left"
        return f"{known}, and how the loss depends on size takes two at least"
    count = min(max(1, round(_SHARE * sizes.size)), sizes.size - 2)
    held = family.size >= sizes[-count]
    many = f"the {count} largest" if count > 1 else "the largest"
    return [_split("size", f"{many} of {sizes.size} sizes", held)]


def _longest_horizons(family: _Family, which: str) -> list[Split] | str:
    """Of each size that was trained for several horizons, the longest one."""
    del which
    held = np.zeros(family.size.size, dtype=bool)
    count = 0
    for size in np.unique(family.size):
        mine = family.size == size
        longest = family.horizon[mine].max()
        long = mine & (family.horizon > longest / _LONGER)
        if bool((mine & ~long).any()):
            held |= long
            count += 1
    if not count:
        return f"every size was trained for one horizon (ratios below {_LONGER:g} count as one)"
    of = "every size" if count == np.unique(family.size).size else f"{count} of {np.unique(family.size).size} sizes"
    return [_split("horizon", f"the runs of most {family.clock}, of {of}", held)]


def _each_schedule(family: _Family, which: str) -> list[Split] | str:
    names = np.array(family.schedule)
    known = list(dict.fromkeys(family.schedule))
    if which and which not in known:
        return f"no run follows the schedule {which}; known are {', '.join(known)}"
    if len(known) < 2:
        return f"all runs follow one schedule ({known[0]})"
    found = []
    for name in [which] if which else known:
        out = names == name
        held = out & np.isin(family.size, family.size[~out])
        if held.any():
            found.append(_split(f"schedule: {name}", f"the schedule {name}, of {len(known)}", held, ~out))
    return found or "every size was trained under one schedule only"


def _split(name: str, said: str, held: NDArray[np.bool_], fitted: NDArray[np.bool_] | None = None) -> Split:
    rest = ~held if fitted is None else fitted
    return Split(name=name, said=said, fitted=np.flatnonzero(rest), held=np.flatnonzero(held))


KINDS: dict[str, Callable[[_Family, str], list[Split] | str]] = {
    "size": _largest_sizes,
    "horizon": _longest_horizons,
    "schedule": _each_schedule,
}
"""What can be left out."""


def schedule_labels(records: FamilyRecords, runs: xr.Dataset) -> list[str]:
    """Name the schedule of each run: as its file says, else by the shape of its learning rates.

    Examples
    --------
    >>> from scalinglaws import model_family, schedules
    >>> runs = model_family(1.0, 0.7, sizes=[32], horizon=(500, 1.0), schedule=schedules.linear(0.3, 500), seeds=2)
    >>> schedule_labels(FamilyRecords.of(runs), runs)
    ['linear', 'linear']
    """
    stored = dict(zip(runs["run"].values.tolist(), runs["schedule"].values.tolist(), strict=True))
    shapes: list[tuple[str, Array]] = []
    labels = []
    for name, path in zip(records.curves.names, records.curves.paths, strict=True):
        text = stored[name]
        labels.append((json.loads(text)["shape"] if text.startswith("{") else text) or _by_shape(name, path, shapes))
    return labels


def _by_shape(name: str, path: Path, known: list[tuple[str, Array]]) -> str:
    """Return the label of the first run with this shape after its warm-up, which a new one joins to `known`."""
    at = np.linspace(min(path.warmup, path.steps - 1), path.steps - 1, _LOOKS).round().astype(np.int64)
    shape = path.rate[at] / path.peak
    for label, other in known:
        if np.abs(shape - other).max() < _SAME:
            return label
    label = "constant" if shape.min() > 1.0 - _SAME else f"that of run {name}"
    known.append((label, shape))
    return label
