"""Hold runs out, fit the rest, predict them: the one test of a fit that does not flatter it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.errors import InputError
from scalinglaws.fitting.estimate import fit
from scalinglaws.fitting.laws import Law
from scalinglaws.fitting.quantities import covariates_of
from scalinglaws.fitting.result import Fit
from scalinglaws.fitting.table import Table, as_table

__all__ = ["HeldOut", "predict_held_out"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeldOut:
    """What a fit that had not seen some runs said about them; arrays have shape (held-out runs,).

    Parameters
    ----------
    fit
        The fit of the other runs, its bootstrap attached.
    names, params, tokens, flops
        The held-out runs.
    measured, predicted
        Their losses.
    low, high
        The prediction interval of the measured loss.
    level
        Its nominal coverage.
    """

    fit: Fit
    names: tuple[str, ...]
    params: Array
    tokens: Array
    flops: Array
    measured: Array
    predicted: Array
    low: Array
    high: Array
    level: float

    @property
    def relative_error(self) -> Array:
        """Measured over predicted, minus one: positive where the run was worse than predicted."""
        return self.measured / self.predicted - 1.0

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Whether each interval holds the measured loss."""
        return np.logical_and(self.low <= self.measured, self.measured <= self.high)

    @property
    def extrapolation(self) -> float:
        """Largest compute held out over the largest fitted."""
        return float(self.flops.max() / self.fit.table.flops.max())

    def summary(self) -> str:
        """Return one sentence for each held-out run."""
        return "\n".join(self._sentence(i) for i in range(len(self.names)))

    def _sentence(self, i: int) -> str:
        verdict = "covers" if self.covered[i] else "does not cover"
        return (
            f"{self.names[i]}: predicted {self.predicted[i]:.4f}, measured {self.measured[i]:.4f} "
            f"({100 * self.relative_error[i]:+.2f} %); the {100 * self.level:g} % interval {self.low[i]:.4f} to "
            f"{self.high[i]:.4f} {verdict} it, "
            f"at {self.flops[i] / self.fit.table.flops.max():.3g} times the largest compute fitted"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        columns = ("params", "tokens", "flops", "measured", "predicted", "low", "high", "relative_error", "covered")
        return {
            "level": self.level,
            "extrapolation": self.extrapolation,
            "names": list(self.names),
            **{name: getattr(self, name).tolist() for name in columns},
            "fit": self.fit.to_dict(),
        }


def predict_held_out(
    data: Any,
    *,
    hold_out: str | Iterable[str] = "largest",
    law: str | Law = "chinchilla",
    estimator: str = "huber",
    delta: float = 1e-3,
    level: float = 0.9,
    replicates: int = 2000,
    kind: str | None = None,
    fixed: Mapping[str, float] | None = None,
    rng: np.random.Generator | np.random.SeedSequence | int | None = 0,
) -> HeldOut:
    """Fit all runs but some, and predict those with an interval for the loss that was measured.

    Parameters
    ----------
    data
        Whatever `fitting.as_table` accepts.
    hold_out
        Names of runs; "largest" for the run of most compute and the seeds of the same N and D, for a prediction is not
        blind that has seen a twin; "largest-size" for all runs of the largest N.
    law, estimator, delta, fixed
        As `fitting.fit`.
    level
        Nominal coverage; see `Fit.interval` for what simulation found.
    replicates, kind, rng
        As `Fit.bootstrap`.

    Raises
    ------
    InputError
        When a name is unknown, or too few runs are left to fit.

    Examples
    --------
    >>> n = np.repeat(np.geomspace(1e7, 1e9, 4), 3)
    >>> d = n * np.tile([5.0, 20.0, 80.0], 4)
    >>> noise = np.exp(0.002 * np.random.default_rng(0).standard_normal(12))
    >>> table = {"params": n, "tokens": d, "loss": (1.8 + 480 / n**0.35 + 2100 / d**0.37) * noise}
    >>> held = predict_held_out(table, replicates=200)
    >>> held.names, bool(abs(held.relative_error[0]) < 0.01)
    (('11',), True)
    """
    table = as_table(data)
    out = _held(table, hold_out)
    if out.all():
        raise InputError(f"hold_out = {hold_out!r}: holds out every run, so none is left to fit")
    fitted = fit(table.take(~out), law=law, estimator=estimator, delta=delta, fixed=fixed)
    fitted = fitted.bootstrap(replicates, kind=kind, rng=rng)
    held = table.take(out)
    place = covariates_of(fitted.law, held)
    low, high = fitted.interval("loss", level, **place)
    return HeldOut(
        fit=fitted,
        names=tuple(held.run.tolist()),
        params=held.params,
        tokens=held.tokens,
        flops=held.flops,
        measured=held.column(fitted.law.target),
        predicted=fitted.predict(**place),
        low=low,
        high=high,
        level=level,
    )


def _held(table: Table, hold_out: str | Iterable[str]) -> NDArray[np.bool_]:
    """Which rows are held out."""
    if isinstance(hold_out, str) and hold_out == "largest":
        top = int(np.argmax(table.flops))
        twins: NDArray[np.bool_] = (table.params == table.params[top]) & (table.tokens == table.tokens[top])
        return twins
    if isinstance(hold_out, str) and hold_out == "largest-size":
        largest: NDArray[np.bool_] = np.equal(table.params, table.params.max())
        return largest
    names = {hold_out} if isinstance(hold_out, str) else {str(name) for name in hold_out}
    unknown = sorted(names - set(table.run.tolist()))
    if unknown or not names:
        raise InputError(
            f"hold_out = {unknown or []!r}: must name runs of the table, or be largest or largest-size; "
            f"it holds {', '.join(table.run[:20])}"
        )
    return np.isin(table.run, sorted(names))
