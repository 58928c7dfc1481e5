"""The measured side of a fit: which records of which runs, and the learning rates that led to each of them.

Runs of one size only (a law has no size in it): `by_size` takes a family apart. Records of the warm-up are left out,
no law describes them; so are runs that diverged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws.comparison.path import Path
from scalinglaws.comparison.schedule_laws.history import History, ramp_end
from scalinglaws.curves import Run, from_runs, iter_runs
from scalinglaws.errors import InputError, require

__all__ = ["Records", "by_size", "evenly", "usable"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Records:
    """Records of one or several runs, end to end.

    Parameters
    ----------
    names
        The runs.
    look
        Their history.
    loss
        Measured, nats per token, shape (n,).
    left_out
        Runs that diverged.
    """

    names: tuple[str, ...]
    look: History
    loss: Array
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        runs: xr.Dataset,
        *,
        skip: float = 0.0,
        warmup: int | None = None,
        paths: Mapping[str, Path] | None = None,
        most: int | None = None,
    ) -> Records:
        """Take the records after warm-up.

        Parameters
        ----------
        runs
            A family of runs.
        skip
            Fraction of each run's updates whose records are left out at its start.
        warmup
            Updates of warm-up, where the files do not hold them and the rule of `Path.of_run` is not wanted.
        paths
            Learning rates by run name, in place of those stored with the run.
        most
            Records to keep of each run, taken evenly; all by default.

        Raises
        ------
        InputError
            For a run without learning rates or records after warm-up, and if all runs diverged.
        """
        require(0.0 <= skip < 1.0, "skip", skip, "must lie in [0, 1)")
        known = paths or {}
        parts, losses, names, left_out = [], [], [], []
        for run in iter_runs(runs):
            if run.status == "diverged":
                left_out.append(run.name)
                continue
            path = known[run.name] if run.name in known else Path.of_run(run, warmup=warmup)
            keep = evenly(usable(run, path, skip), most)
            parts.append(History.of(path, run.step[keep]))
            losses.append(run.loss[keep])
            names.append(run.name)
        if not parts:
            raise InputError(f"runs = {left_out}: all of them diverged, none is left to fit")
        return cls(names=tuple(names), look=History.join(parts), loss=np.concatenate(losses), left_out=tuple(left_out))

    @property
    def slices(self) -> tuple[slice, ...]:
        """Where the records of each run are."""
        return tuple(part for _, part in self.look.curves)


def evenly(keep: Index, most: int | None) -> Index:
    """Thin places to `most`, the last of them always kept.

    Examples
    --------
    >>> evenly(np.arange(9), 3).tolist()
    [0, 4, 8]
    """
    if most is None or keep.size <= most:
        return keep
    return keep[np.round(np.linspace(0, keep.size - 1, most)).astype(np.int64)]


def usable(run: Run, path: Path, skip: float) -> Index:
    """Return the places of the records that a law can describe: after warm-up and `skip`, with a positive loss.

    Raises
    ------
    InputError
        If there are none.
    """
    first = max(ramp_end(path), int(np.ceil(skip * path.steps)), 1)
    inside = (run.step >= first) & (run.step <= path.steps) & np.isfinite(run.loss) & (run.loss > 0)
    inside &= path.tau[np.minimum(run.step, path.steps)] > 0
    if not inside.any():
        raise InputError(f"run {run.name}: holds no record between step {first} and {path.steps}, after its warm-up")
    return np.flatnonzero(inside)


def by_size(runs: xr.Dataset) -> dict[str, xr.Dataset]:
    """Split a family into runs of one model, batch and sequence length, in the order they occur.

    Examples
    --------
    >>> made = [Run(name=n, step=np.array([1]), loss=np.array([3.0]), params={"mlp": p}) for n, p in
    ...         (("a", 1e6), ("b", 2e6), ("c", 1e6))]
    >>> {label: group.run.values.tolist() for label, group in by_size(from_runs(made)).items()}
    {'1000000 parameters': ['a', 'c'], '2000000 parameters': ['b']}
    """
    groups: dict[tuple[float, ...], list[Run]] = {}
    for run in iter_runs(runs):
        total = sum(run.params.values()) if run.params else -1.0
        facts = (total, run.width, run.depth, run.batch, run.seq_len)
        groups.setdefault(tuple(-1.0 if np.isnan(f) else float(f) for f in facts), []).append(run)
    varies = [len({key[i] for key in groups}) > 1 for i in range(5)]
    varies[0] = varies[0] or not any(varies)
    return {_label(key, varies): from_runs(members, runs.attrs) for key, members in groups.items()}


def _label(key: tuple[float, ...], varies: list[bool]) -> str:
    words = ("{:.0f} parameters", "width {:g}", "{:g} blocks", "batch {:g}", "{:g} tokens a sequence")
    said = [word.format(v) for word, v, tell in zip(words, key, varies, strict=True) if tell and v >= 0]
    return ", ".join(said[:1] if varies[0] and key[0] >= 0 and not any(varies[3:]) else said) or "all runs"
