"""The outcome of a contest of family laws: a table by split and law, every end point, and what they say in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from scalinglaws._numbers import plain
from scalinglaws.comparison.family_laws.base import FamilyLaw
from scalinglaws.comparison.family_laws.curves import FamilyRecords
from scalinglaws.comparison.family_laws.judge import Verdict, last_records, pooled_seed_spread
from scalinglaws.comparison.family_laws.splits import Split
from scalinglaws.comparison.separable.search import listed

__all__ = ["BASELINE", "INTERVALS", "FamilyContest", "standings"]

BASELINE = "chinchilla"
"""What theory's laws are compared with."""
INTERVALS = (
    "intervals of end points hold the parameters' uncertainty, clustered by run, and the scatter of single runs "
    "(between seeds; without replicates the residuals of the fitted end points, misfit included); not what a law "
    "misses beyond the fitted runs"
)
_MEAN_OF_NORMAL = float(np.sqrt(2.0 / np.pi))
_MEANING = {
    "end_error": "mean absolute log error of the held-out end points",
    "end_bias": "mean log of predicted over measured end point",
    "end_worst": "largest absolute log error of an end point",
    "curve_error": "mean absolute log error along the held-out curves, each run counting the same",
    "coverage": "share of held-out end points inside their prediction interval",
    "half_width": "mean half width of those intervals, of the logarithm",
    "seed_noise": "mean absolute log error of a perfect law: sqrt(2/pi) times the spread of end points between seeds",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class FamilyContest:
    """Laws against each other on runs they were not fitted to.

    Parameters
    ----------
    errors
        Over `split` and `law`: end_error, end_bias, end_worst, curve_error, coverage, half_width, all of logarithms
        and NaN where a law failed; parameters, converged, at_bounds and failure of the fit; over `split` also
        said (what is left out), fitted and held (runs), seed_noise (NaN where no held-out run has a second seed);
        over `law` theory. Meanings are in the attribute `long_name`.
    ends
        Over `row`, one for each split, law and held-out run: measured, predicted, low, high, curve_error, N, tokens.
    values
        Fitted parameters by (split, law).
    refused
        Why the family does not allow a kind of split, by kind.
    notes
        Sentences on the family: runs that diverged.
    level
        Nominal coverage of the intervals.
    """

    errors: xr.Dataset
    ends: xr.Dataset
    values: Mapping[tuple[str, str], Mapping[str, float]]
    refused: Mapping[str, str]
    notes: tuple[str, ...]
    level: float

    def table(self) -> str:
        """Return the errors for people, in percent, the best law at the end points first in each split."""
        lines = [
            f"{'law':<12} {'ends':>7} {'signed':>7} {'worst':>7} {'curves':>7} {'inside':>7} {'+-':>6}   the fit",
        ]
        for name in self.errors["split"].values:
            row = self.errors.sel(split=name)
            noise = float(row["seed_noise"])
            seeds = "" if np.isnan(noise) else f"; a perfect law would miss by {100 * noise:.2f} %, seeds scatter so"
            lines.append(f"{name}: {row['said'].item()} ({int(row['held'])} of {self._runs(row)} runs){seeds}")
            lines += [self._line(row.sel(law=law)) for law in self._ranked(row)]
        return "\n".join([*lines, *self._refusals(), *self.notes])

    def summary(self) -> str:
        """Return in words who predicts best, and where theory's laws lose to the empirical baseline, by how much."""
        lines = [line for name in self.errors["split"].values for line in self.remarks(str(name))]
        return "\n".join([*(lines or ["no split of this family could be tried"]), *self.conditions])

    @property
    def conditions(self) -> list[str]:
        """What the intervals hold, which splits were not tried and why, and what else was noticed, in sentences."""
        intervals = f"{INTERVALS} (nominal {100 * self.level:g} %)"
        return [*([intervals] if self.errors.sizes["split"] else []), *self._refusals(), *self.notes]

    @property
    def verdict(self) -> str:
        """Say in a sentence on how many splits theory's best law does no worse than the empirical baseline."""
        splits = [str(name) for name in self.errors["split"].values]
        if not splits:
            return "This family allows no run to be left out, so no law could be tested."
        if BASELINE not in self.errors["law"].values:
            return f"The contest of {len(splits)} splits took place without {BASELINE}."
        held, told = 0, []
        for name in splits:
            base = float(self.errors["end_error"].sel(split=name, law=BASELINE))
            best = self.best(name, theory=True)
            error = float("nan") if best is None else float(self.errors["end_error"].sel(split=name, law=best))
            held += bool(error <= base)
            told.append(f"{name}, {'no law' if best is None else f'{best} {_percent(error)}'} against {_percent(base)}")
        return (
            f"Theory's best law predicts the end points no worse than {BASELINE} on {held} of {len(splits)} splits "
            f"(mean errors: {'; '.join(told)})."
        )

    def best(self, split: str, *, theory: bool | None = None, by: str = "end_error") -> str | None:
        """Return the law of smallest error on a split; None where all failed.

        Parameters
        ----------
        split
            Its name.
        theory
            Only theory-shaped laws, only empirical ones, or all.
        by
            "end_error" or "curve_error".
        """
        row = self.errors.sel(split=split)
        named = [law for law in self._ranked(row, by) if np.isfinite(float(row[by].sel(law=law)))]
        chosen = [law for law in named if theory is None or bool(row["theory"].sel(law=law)) == theory]
        return chosen[0] if chosen else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return dict(
            plain(
                {
                    "level": self.level,
                    "intervals": INTERVALS,
                    "errors": self.errors,
                    "ends": self.ends,
                    "values": {f"{split} / {law}": each for (split, law), each in self.values.items()},
                    "refused": self.refused,
                    "notes": self.notes,
                }
            )
        )

    def __repr__(self) -> str:
        return f"<FamilyContest {self.summary()}>"

    def _ranked(self, row: xr.Dataset, by: str = "end_error") -> list[str]:
        order = np.argsort(row[by].values, kind="stable")  # NaN last
        return [str(row["law"].values[i]) for i in order]

    def _runs(self, row: xr.Dataset) -> int:
        return int(row["held"]) + int(row["fitted"])

    def _line(self, cell: xr.Dataset) -> str:
        if cell["failure"].item():
            return f"{cell['law'].item():<12} no prediction: {cell['failure'].item()}"
        numbers = [100.0 * float(cell[name]) for name in ("end_error", "end_bias", "end_worst", "curve_error")]
        shown = " ".join(f"{number:{sign}7.2f}" for number, sign in zip(numbers, ("", "+", "", ""), strict=True))
        state = "converged" if bool(cell["converged"]) else "not converged"
        bounds = f", {cell['at_bounds'].item()} at bounds" if cell["at_bounds"].item() else ""
        inside, wide = 100.0 * float(cell["coverage"]), 100.0 * float(cell["half_width"])
        return f"{cell['law'].item():<12} {shown} {inside:6.0f}% {wide:6.2f}   {state}{bounds}"

    def remarks(self, split: str) -> list[str]:
        """Say who wins a split, then how theory's laws compare with the baseline."""
        row, best = self.errors.sel(split=split), self.best(split)
        if best is None:
            return [f"{split} ({row['said'].item()}): no law gives a prediction"]
        noise = float(row["seed_noise"])
        against = "" if np.isnan(noise) else f", where a perfect law would miss by {_percent(noise)} on average"
        curves = self.best(split, by="curve_error")
        also = "and along the curves" if curves == best else f"while {curves} is along the curves"
        error = float(row["end_error"].sel(law=best))
        first = (
            f"{split} ({row['said'].item()}): {best} is closest at the end points, off by {_percent(error)}{against}"
        )
        return [f"{first}, {also}", *self._theory_against_baseline(row), *self._silent(row)]

    def _theory_against_baseline(self, row: xr.Dataset) -> list[str]:
        laws = [str(law) for law in row["law"].values]
        base = float(row["end_error"].sel(law=BASELINE)) if BASELINE in laws else np.nan
        if np.isnan(base):
            return []
        winners: list[str] = []
        losers: list[str] = []
        for law in self._ranked(row.isel(law=np.flatnonzero(row["theory"].values))):
            error = float(row["end_error"].sel(law=law))
            if np.isfinite(error):
                (losers if error > base else winners).append(f"{law} ({_percent(error)})")
        return [
            f"  {words} {BASELINE} ({_percent(base)}): {listed(named)}"
            for words, named in (("no worse than", winners), ("theory loses to", losers))
            if named
        ]

    def _silent(self, row: xr.Dataset) -> list[str]:
        """Name the laws without a prediction."""
        names = [str(law) for law in row["law"].values[row["failure"].values != ""]]
        return [f"  no prediction from {listed(names)}"] if names else []

    def _refusals(self) -> list[str]:
        return [f"{kind}: not tried, {why}" for kind, why in self.refused.items()]


def _percent(log_error: float) -> str:
    return f"{100 * log_error:.2f} %"


def standings(
    records: FamilyRecords,
    splits: Sequence[Split],
    laws: Sequence[FamilyLaw],
    verdicts: Sequence[Verdict],
    refused: Mapping[str, str],
    level: float,
) -> FamilyContest:
    """Put the verdicts of all splits and laws, in that order, into one result."""
    ends = [records.loss[last_records(records.curves)][split.held] for split in splits for _ in laws]
    cells = [_cell(verdict, measured) for verdict, measured in zip(verdicts, ends, strict=True)]
    shape = (len(splits), len(laws))
    columns: dict[str, Any] = {
        name: (("split", "law"), np.array([cell[name] for cell in cells], dtype=kind).reshape(shape))
        for name, kind in _CELL.items()
    }
    columns |= {
        "said": ("split", np.array([split.said for split in splits], dtype=object)),
        "fitted": ("split", np.array([split.fitted.size for split in splits], dtype=np.int64)),
        "held": ("split", np.array([split.held.size for split in splits], dtype=np.int64)),
        "seed_noise": ("split", np.array([_seed_noise(records, split) for split in splits], dtype=np.float64)),
        "theory": ("law", np.array([law.theory for law in laws], dtype=bool)),
    }
    names = {
        "split": np.array([split.name for split in splits], dtype=object),
        "law": np.array([law.name for law in laws], dtype=object),
    }
    errors = xr.Dataset(columns, names, {"baseline": BASELINE, "level": level})
    for name, meaning in _MEANING.items():
        errors[name].attrs["long_name"] = meaning
    return FamilyContest(
        errors=errors,
        ends=_ends(records, splits, verdicts, len(laws)),
        values={(verdict.split, verdict.law): verdict.values for verdict in verdicts},
        refused=dict(refused),
        notes=(f"{listed(records.left_out)} diverged and took no part",) if records.left_out else (),
        level=level,
    )


_CELL: dict[str, type] = {
    **dict.fromkeys(("end_error", "end_bias", "end_worst", "curve_error", "coverage", "half_width"), float),
    "parameters": int,
    "converged": bool,
    "at_bounds": object,
    "failure": object,
}


def _cell(verdict: Verdict, measured: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    failed = bool(verdict.failure)
    error = np.log(verdict.predicted / measured)
    inside = (verdict.low <= measured) & (measured <= verdict.high)
    return {
        "end_error": np.mean(np.abs(error)),
        "end_bias": np.mean(error),
        "end_worst": np.max(np.abs(error)),
        "curve_error": np.mean(verdict.curve_error),
        "coverage": np.nan if failed else np.mean(inside),
        "half_width": 0.5 * np.mean(np.log(verdict.high / verdict.low)),
        "parameters": verdict.parameters,
        "converged": verdict.converged,
        "at_bounds": ", ".join(verdict.at_bounds),
        "failure": verdict.failure,
    }


def _seed_noise(records: FamilyRecords, split: Split) -> float:
    held = records.take(split.held)
    return _MEAN_OF_NORMAL * pooled_seed_spread(np.log(held.loss[last_records(held.curves)]), held.curves.group)


def _ends(records: FamilyRecords, splits: Sequence[Split], verdicts: Sequence[Verdict], laws: int) -> xr.Dataset:
    curves, last = records.curves, last_records(records.curves)
    held = np.concatenate([split.held for split in splits for _ in range(laws)] or [np.array([], dtype=np.int64)])
    sizes = [verdict.predicted.size for verdict in verdicts]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(verdict, name) for verdict in verdicts] or [np.array([])])
        for name in ("predicted", "low", "high", "curve_error")
    }
    columns |= {"measured": records.loss[last][held], "N": curves.size[held], "tokens": curves.tokens[last][held]}
    for name in ("split", "law"):
        columns[name] = np.repeat(np.array([getattr(verdict, name) for verdict in verdicts], dtype=object), sizes)
    columns["run"] = np.array(curves.names, dtype=object)[held]
    return xr.Dataset({name: ("row", values) for name, values in columns.items()})
