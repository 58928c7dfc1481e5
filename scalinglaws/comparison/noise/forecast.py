"""A learned noise model: parameters with intervals, curves under new schedules, errors on runs never fitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws.comparison.noise.band import Band
from scalinglaws.comparison.noise.curve import Curve
from scalinglaws.comparison.noise.model import NoiseModel
from scalinglaws.comparison.noise.pairs import Contrast, Pair, Pairing, contrast, label
from scalinglaws.comparison.path import Path
from scalinglaws.errors import InputError, require
from scalinglaws.fitting import Starts
from scalinglaws.schedules import Schedule

__all__ = ["NoiseForecast"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NoiseForecast:
    """How much loss a lower rate removes in a family of runs.

    Parameters
    ----------
    model
        What was fitted.
    params
        alpha (or B, in nats at `model.tau0`, and q where the noise was not measured), p and c; see `noise.model`.
    intervals
        Percentile intervals when the fitted targets are resampled; NaN for one target.
    level
        Of the intervals.
    objective
        Mean over targets of the mean squared relative error of the loss.
    gradient
        Largest derivative of the objective by a shape, over the objective.
    converged, starts
        Of the search; agreement of the starts to 1e-6 of the best objective.
    points, fitted
        Records, and the targets they are of.
    band
        Width of the forecast's interval.
    coordinates
        The shapes as the model takes them.
    references
        Constant runs by name.
    fall
        Fraction of the peak from which on records are compared.
    warnings
        Sentences; none for a healthy fit.
    excluded, notes
        Runs that take no part and why; what was left out of runs that do.
    """

    model: NoiseModel
    params: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    level: float
    objective: float
    gradient: float
    converged: bool
    starts: Starts
    points: int
    fitted: tuple[str, ...]
    band: Band
    coordinates: Array
    references: Mapping[str, Curve]
    fall: float
    warnings: tuple[str, ...]
    excluded: Mapping[str, str]
    notes: tuple[str, ...]

    def predict(
        self, path: Path | Schedule, steps: ArrayLike | None = None, *, reference: str | None = None
    ) -> xr.Dataset:
        """Predict the loss under a schedule that was never run.

        Parameters
        ----------
        path
            Learning rates: a `Path`, or a schedule that knows its length. Its peak is that of the reference.
        steps
            Updates done, from 1 to the length of the path; by default about 200, from the reference's first record on.
        reference
            Name of the constant run of the size wanted; may be left out if there is one only.

        Returns
        -------
            Over `step`: loss, low, high (nats per token), removed (reference less predicted), rate (over the peak)
            and tau. Losses are without the scatter of single records; the interval is for measured ones.

        Raises
        ------
        InputError
            For an unknown reference, another peak, steps outside the path, and schedules that reach further in tau
            than the reference: what lies beyond was not measured.
        """
        path = path if isinstance(path, Path) else Path.of_schedule(path)
        base = self._reference(reference)
        require(base.is_like(path), "peak", path.peak, f"must be that of {base.name}, {base.peak:g}")
        at = _whole_steps(path, steps, base)
        for end in (at.min(), at.max()):
            if not base.tau[0] <= path.tau[end] <= base.tau[-1] * (1.0 + 1e-9):
                raise InputError(
                    f"steps = {end}: gradient-flow time {path.tau[end]:g} lies outside what the constant run "
                    f"{base.name} was measured over, {base.tau[0]:g} to {base.tau[-1]:g}"
                )
        found = contrast(path, at, base, fall=self.fall)
        loss, half = self._curve(found)
        columns = {
            "loss": loss,
            "low": loss - half,
            "high": loss + half,
            "removed": found.loss - loss,
            "rate": found.rate,
            "tau": found.tau,
        }
        attrs = {"reference": base.name, "level": self.level}
        return xr.Dataset({k: ("step", v) for k, v in columns.items()}, coords={"step": at}, attrs=attrs)

    def test(self, runs: xr.Dataset | Pairing, names: Iterable[str] | None = None) -> xr.Dataset:
        """Return the errors on annealed runs, by default on all that were not fitted, over `run`.

        Parameters
        ----------
        runs
            A family with the constant runs of the targets' kinds, or its pairing.
        names
            Targets.

        Returns
        -------
            points, mae (nats), relative (mean relative error), bias (mean of measured less predicted), end (that of
            the last record) and covered (fraction of records within the interval), with schedule and params.
        """
        pairs = self._pairs(runs, names)
        rows = []
        for pair in pairs:
            loss, half = self._curve(pair.contrast)
            error = pair.loss - loss
            rows.append(
                {
                    "points": error.size,
                    "mae": np.abs(error).mean(),
                    "relative": (np.abs(error) / pair.loss).mean(),
                    "bias": error.mean(),
                    "end": error[-1],
                    "covered": (np.abs(error) <= half).mean(),
                    "schedule": pair.target.schedule,
                    "params": pair.target.kin[0],
                }
            )
        columns = {k: ("run", np.array([row[k] for row in rows])) for k in rows[0]}
        coords = {"run": np.array([pair.target.name for pair in pairs], dtype=object)}
        return xr.Dataset(columns, coords=coords, attrs={"level": self.level, "fitted": ", ".join(self.fitted)})

    def curves(self, runs: xr.Dataset | Pairing, names: Iterable[str] | None = None) -> xr.Dataset:
        """Return measured and predicted curves of the same runs as `test`, ragged over `run` and `obs`.

        Returns
        -------
            step, tau, rate, loss (measured), reference, predicted, low and high.
        """
        pairs = self._pairs(runs, names)
        found = [self._curve(pair.contrast) for pair in pairs]
        columns = {
            "reference": [pair.contrast.loss for pair in pairs],
            "predicted": [loss for loss, _ in found],
            "low": [loss - half for loss, half in found],
            "high": [loss + half for loss, half in found],
        }
        return label(pairs, columns, {"model": self.model.answer, "level": self.level})

    def summary(self) -> str:
        """Return the result in a few lines for people."""
        values = ", ".join(
            f"{n} {v:.4g} [{self.intervals[n][0]:.4g}, {self.intervals[n][1]:.4g}]" for n, v in self.params.items()
        )
        state = "converged" if self.converged else "not converged"
        lines = [
            f"{self.model.answer} noise, trace {self.model.trace}: {values} ({100 * self.level:.0f} %)",
            f"objective {self.objective:.4g} ({state}; {self.starts.agreeing} of {self.starts.tried} starts agree), "
            f"{self.points} records of {len(self.fitted)} targets, {self.band.schedules} schedules",
            *(f"warning: {sentence}" for sentence in self.warnings),
        ]
        return "\n".join(lines)

    def _curve(self, at: Contrast) -> tuple[Array, Array]:
        """Return the predicted loss and the half width of its interval."""
        if self.model.trace == "measured" and not np.isfinite(at.trace).all():
            raise InputError("trace = 'measured': the noise of the constant run to forecast from was not measured")
        amplitude = self.params[self.model.amplitude]
        loss = at.loss + amplitude * self.model.gain(at, self.coordinates)
        return loss, self.band.half(self.model, at, self.coordinates)

    def _pairs(self, runs: xr.Dataset | Pairing, names: Iterable[str] | None) -> tuple[Pair, ...]:
        pairing = Pairing.of(runs)
        fitted = set(self.fitted)
        rest = [pair.target.name for pair in pairing.pairs if pair.target.name not in fitted]
        pairs = pairing.only(rest if names is None else names)
        if not pairs:
            raise InputError("runs: no annealed run is left that was not fitted")
        return pairs

    def _reference(self, name: str | None) -> Curve:
        if name is None and len(self.references) == 1:
            return next(iter(self.references.values()))
        if name is None or name not in self.references:
            raise InputError(f"reference = {name!r}: must be one of {', '.join(self.references)}")
        return self.references[name]


def _whole_steps(path: Path, steps: ArrayLike | None, base: Curve) -> NDArray[np.int64]:
    if steps is None:
        first = int(np.searchsorted(path.tau, base.tau[0], side="left"))
        return np.unique(np.linspace(min(max(first, 1), path.steps), path.steps, 200).astype(np.int64))
    at = np.atleast_1d(np.asarray(steps))
    whole = at.ndim == 1 and at.size > 0 and bool(np.all((at == np.floor(at)) & (at >= 1) & (at <= path.steps)))
    require(whole, "steps", steps, f"must be whole numbers from 1 to {path.steps}, the length of the schedule")
    return at.astype(np.int64)
