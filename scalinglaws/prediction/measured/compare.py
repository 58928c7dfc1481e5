"""Approaches 1, 2 and 3 from the same runs in one call, with intervals and a test of whether they disagree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws._numbers import plain
from scalinglaws.errors import InputError, require_share
from scalinglaws.fitting.estimate import fit as fit_law
from scalinglaws.fitting.laws import Law
from scalinglaws.fitting.quantities import positive
from scalinglaws.fitting.result import Fit
from scalinglaws.fitting.table import as_table
from scalinglaws.prediction.measured.bias import corrected
from scalinglaws.prediction.measured.differences import WORDS, Difference, differences_of, interval, verdict
from scalinglaws.prediction.measured.envelope import Envelope, envelope
from scalinglaws.prediction.measured.isoflop import IsoFlop, isoflop
from scalinglaws.prediction.measured.joint import (
    Draws,
    Optima,
    of_envelope,
    of_envelope_of_surface,
    of_isoflop,
    of_lines,
    of_surface,
    resampled,
)

__all__ = ["Approaches", "compare_approaches"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Approaches:
    """Chinchilla's approaches side by side.

    Parameters
    ----------
    table
        Over `approach` and `flops` (the targets): `params` and `tokens` with `*_low` and `*_high`, and over
        `approach` the exponents `size_exponent` and `tokens_exponent` likewise.
    differences
        Of every pair of approaches: the exponent of N*, N* in the middle of the measured compute and at the largest
        target.
    sentence
        Whether they agree.
    notes
        What else to know: approaches that the input does not allow, codes of budgets, warnings of the fit.
    envelope, isoflop, corrected, fit
        The approaches themselves (`corrected` is `isoflop` without its bias); None where the input does not allow one.
    draws
        Of each approach, joint: draw i of all of them is the same resampled table. Their targets are the middle of
        the measured compute, then those of `table`.
    level
        Of the intervals.
    """

    table: xr.Dataset
    differences: tuple[Difference, ...]
    sentence: str
    notes: tuple[str, ...]
    envelope: Envelope | None
    isoflop: IsoFlop | None
    corrected: IsoFlop | None
    fit: Fit
    draws: Mapping[str, Optima]
    level: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "sentence": self.sentence,
            "notes": list(self.notes),
            "level": self.level,
            "approaches": self.table["approach"].values.tolist(),
            "flops": self.table["flops"].values.tolist(),
            **{str(name): plain(variable.values) for name, variable in self.table.data_vars.items()},
            "differences": [each.to_dict() for each in self.differences],
        }


def compare_approaches(
    data: Any,
    flops: ArrayLike | None = None,
    *,
    budgets: ArrayLike | None = None,
    tolerance: float = 0.1,
    method: str = "parabola",
    line: str = "plain",
    within: float | None = None,
    law: str | Law = "chinchilla",
    estimator: str = "huber",
    delta: float = 1e-3,
    params: str = "total",
    count: str = "6ND",
    level: float = 0.9,
    replicates: int = 400,
    kind: str | None = None,
    by: str | ArrayLike = "run",
    rng: np.random.Generator | np.random.SeedSequence | int | None = 0,
) -> Approaches:
    """Estimate compute-optimal sizes by every approach that the input allows, and test whether they disagree.

    Parameters
    ----------
    data
        A family of measured runs, or whatever else `fitting.as_table` accepts.
    flops
        Budgets to predict, in FLOP; by default ten times the largest of the input.
    budgets, tolerance, method, line, within
        Of approach 2; see `isoflop`.
    law, estimator, delta
        Of approach 3; see `fitting.fit`.
    params, count
        How a family's N and C are counted; see `curves.counting`.
    level
        Of the intervals.
    replicates, kind, by, rng
        Of the bootstrap; see `Fit.bootstrap`. "residual" and "wild" put noise around the fitted surface, and move
        the draws of approaches 1 and 2 so that they are centred on what these say of the measured losses.

    Returns
    -------
        `sentence` is the verdict. The "corrected" approaches are without what approaches 1 and 2 would be off on this
        grid if the losses followed the fitted surface exactly. Pairs disagree if the p-value of a difference is
        below (1 - level) over twice the number of pairs.

    Raises
    ------
    InputError
        When approach 3 cannot be fitted, when no other approach is possible, or as `fitting.fit`.

    Notes
    -----
    "residual" and "wild" take what the surface misses for noise, which widens all intervals and can hide that the law
    is wrong; "pairs" does not, and asks for many runs.

    References
    ----------
    Hoffmann et al. (2022), arXiv 2203.15556, section 3.

    Examples
    --------
    >>> c, n = np.repeat([1e18, 1e19, 1e20], 9), np.tile(np.geomspace(0.1, 8, 9), 3)
    >>> n = n * 0.1 * c**0.5
    >>> noise = np.exp(0.002 * np.random.default_rng(0).standard_normal(27))
    >>> loss = (1.8 + 480 / n**0.35 + 2100 * (6 * n / c) ** 0.37) * noise
    >>> both = compare_approaches({"params": n, "tokens": c / (6 * n), "loss": loss}, 1e21, replicates=50)
    >>> both.table["approach"].values.tolist()
    ['isoflop', 'isoflop-corrected', 'parametric']
    >>> both.sentence
    'Approach 2 (isoFLOP) and approach 3 (parametric) disagree on N* at 1e+19 FLOP by a factor of 0.98... they agree.'
    """
    require_share("level", level)
    table = as_table(data, params=params, flops=count)
    targets = (
        np.array([10.0 * table.flops.max()]) if flops is None else np.sort(np.atleast_1d(positive("flops", flops)))
    )
    fitted = fit_law(table, law=law, estimator=estimator, delta=delta)
    notes = [*fitted.warnings]
    options: dict[str, Any] = {"budgets": budgets, "tolerance": tolerance, "method": method, "line": line}
    second = _attempt(lambda: isoflop(table, within=within, **options), "isoflop", notes)
    third = None if second is None else _attempt(lambda: corrected(second, fitted), "isoflop-corrected", notes)
    source = data if isinstance(data, xr.Dataset) and "obs" in data.dims else table
    first = _attempt(lambda: envelope(source, params=params, flops=count), "envelope", notes)
    if second is None and first is None:
        raise InputError(f"data: only approach 3 is possible. {' '.join(notes)}")
    notes += [] if second is None else second.sentences()
    notes += [] if first is None else first.warnings
    middle = _middle(second.flops[second.used] if second is not None else first.flops)
    given = _Given(first, second, third, fitted, np.append(middle, targets))
    found = given.points()
    draws = given.draws(resampled(fitted, replicates, kind, by, rng))
    differences = differences_of(found, draws, (middle, float(targets[-1])), level)
    return Approaches(
        table=_dataset(found, draws, targets, level),
        differences=differences,
        sentence=verdict(found, differences, float(targets[-1]), level),
        notes=tuple(notes),
        envelope=first,
        isoflop=second,
        corrected=third,
        fit=fitted,
        draws=draws,
        level=level,
    )


def _middle(flops: Array) -> float:
    return float(np.exp(np.log(flops).mean()))


def _attempt(make: Any, name: str, notes: list[str]) -> Any:
    """Return what an approach makes of the input, or None with the reason in the notes."""
    try:
        return make()
    except InputError as error:
        notes.append(f"{WORDS[name]} is not possible: {error}.")
        return None


class _Given(NamedTuple):
    """The approaches that the input allows, and the budgets to predict."""

    first: Envelope | None
    second: IsoFlop | None
    third: IsoFlop | None
    fitted: Fit
    targets: Array

    def points(self) -> dict[str, Optima]:
        """Return what each says of the measured table."""
        found = {}
        surface = of_surface(self.fitted, {k: np.array([v]) for k, v in self.fitted.params.items()}, self.targets)
        if self.first is not None:
            found["envelope"] = of_lines(self.first.params_line, self.first.tokens_line, self.targets)
            coarse = of_envelope_of_surface(self.first, self.fitted, self.targets)
            found["envelope-corrected"] = found["envelope"].shifted(surface, coarse)
        for name, fit in (("isoflop", self.second), ("isoflop-corrected", self.third)):
            if fit is not None:
                found[name] = of_lines(fit.params, fit.tokens, self.targets)
        return found | {"parametric": surface}

    def draws(self, draws: Draws) -> dict[str, Optima]:
        """Return what each says of every resampled table."""
        found, made = self.points(), {}
        if self.first is not None:
            made["envelope"] = of_envelope(self.first, draws, self.targets)
            made["envelope-corrected"] = made["envelope"].shifted(found["envelope-corrected"], found["envelope"])
        for name in ("isoflop", "isoflop-corrected"):
            if self.second is not None and name in found:
                correct = name != "isoflop"
                made[name] = of_isoflop(self.second, self.fitted, draws, self.targets, correct=correct)
        return made | {"parametric": of_surface(self.fitted, draws.values, self.targets)}


def _dataset(found: Mapping[str, Optima], draws: Mapping[str, Optima], targets: Array, level: float) -> xr.Dataset:
    units = {"params": "parameters", "tokens": "tokens", "size_exponent": "1", "tokens_exponent": "1"}
    columns: dict[str, Any] = {}
    for name, key in (
        ("params", "log_n"),
        ("tokens", "log_d"),
        ("size_exponent", "size_exponent"),
        ("tokens_exponent", "tokens_exponent"),
    ):
        dims = ("approach", "flops") if key.startswith("log") else ("approach",)
        scale = np.exp if key.startswith("log") else np.asarray
        skip = slice(1, None) if key.startswith("log") else slice(None)  # the middle of the measured compute
        ends = [interval(getattr(draws[a], key), level) for a in found]
        for suffix, values in (
            ("", [getattr(o, key)[0] for o in found.values()]),
            ("_low", [low for low, _ in ends]),
            ("_high", [high for _, high in ends]),
        ):
            values = [np.asarray(v)[skip] if np.ndim(v) else v for v in values]
            columns[name + suffix] = (dims, scale(np.array(values, dtype=np.float64)), {"units": units[name]})
    coords = {"approach": list(found), "flops": ("flops", targets, {"units": "FLOP"})}
    return xr.Dataset(columns, coords=coords, attrs={"level": level})
