"""A family of runs placed on the phase diagram: the region, the phases and their probabilities, the exponents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws._numbers import plain
from scalinglaws.comparison.family_laws import FamilyFit
from scalinglaws.errors import require
from scalinglaws.prediction.placing.metric import check_level, hotelling

__all__ = ["NAMED", "Placement"]

Array = NDArray[np.float64]

NAMED = 0.9
"""A phase is named if it is at least this probable."""

_QUANTITIES = ("alpha", "beta", "size_exponent", "loss_exponent")


@dataclass(frozen=True, kw_only=True, eq=False)
class Placement:
    """Where measured runs lie on the phase diagram, taking the solvable model as true.

    Parameters
    ----------
    fit
        The solvable model fitted to the runs.
    alpha, beta
        Data and target complexity of the fit.
    region
        Dataset over a grid of `alpha` and `beta` round the fit: `distance` (Hotelling's T^2, the other parameters
        fitted anew), `inside` (the region at `level`), `density` (posterior for a flat prior over the grid, sums to
        1), `phase` ("" where no phase is known), `size_exponent`, `loss_exponent`.
    level
        Of the region and the intervals.
    probabilities
        Posterior probability of each phase on the grid, largest first; "none" for 2 (alpha + beta) <= 1, where no phase
        is known.
    phase
        The phase, if it is at least `NAMED` probable and nothing speaks against the region: no parameter pushes against
        a bound of the law, no refit found a lower minimum, all of the region was explored, and no other minimum that
        the runs allow and that it does not show lies in another phase. Else "undecided".
    size_exponent, loss_exponent
        xi (d* ~ f^xi) and eta (risk ~ f^-eta) of theory at the fit; NaN where no phase is known.
    measured
        Dataset over `approach`: both exponents as Chinchilla's approaches measure them on the same runs, with
        intervals.
    why_not
        Sentences on the approaches that the runs do not allow.
    warnings
        Sentences; none for a healthy placement.
    """

    fit: FamilyFit
    alpha: float
    beta: float
    region: xr.Dataset
    level: float
    probabilities: dict[str, float]
    phase: str
    size_exponent: float
    loss_exponent: float
    measured: xr.Dataset
    why_not: tuple[str, ...]
    warnings: tuple[str, ...]

    def interval(self, name: str, *, level: float | None = None) -> tuple[float, float]:
        """Return the profile interval of "alpha", "beta", "size_exponent" or "loss_exponent".

        It spans what the quantity is at all points whose distance from the fit does not exceed the quantile for one
        parameter, so it holds the fit and needs no prior. Exponents are those of theory; points without a known phase
        do not count.

        Raises
        ------
        InputError
            For another name or a level outside (0, 0.99].
        """
        require(name in _QUANTITIES, "name", name, f"must be one of {', '.join(_QUANTITIES)}")
        level = self.level if level is None else level
        check_level(level)
        edge = hotelling(level, self.region.attrs["dof"], 1)
        values = self.region[name].broadcast_like(self.region["distance"]).transpose("alpha", "beta").values
        found = _values_within(values, np.sqrt(self.region["distance"].values / edge))
        known = np.append(found, getattr(self, name))
        known = known[np.isfinite(known)]
        return (float(known.min()), float(known.max())) if known.size else (float("nan"), float("nan"))

    @property
    def sentence(self) -> str:
        """The answer in one or two sentences."""
        percent = f"{100 * self.level:.0f} %"
        a, b = (self.interval(name) for name in ("alpha", "beta"))
        point = (
            f"The solvable model describes the runs best at alpha = {self.alpha:.2f} ({a[0]:.2f} to {a[1]:.2f}), "
            f"beta = {self.beta:.2f} ({b[0]:.2f} to {b[1]:.2f}; {percent})"
        )
        if self.phase != "undecided":
            return f"{point}, in phase {self.phase} (probability {self.probabilities[self.phase]:.2f})."
        likely = [f"{name} ({p:.2f})" for name, p in self.probabilities.items() if p >= 0.05]
        return f"{point}; the phase is undecided: {', '.join(likely)}."

    def exponent_rows(self) -> list[tuple[str, str, str]]:
        """List who says what of xi and eta: theory first, then each approach, each with its interval."""
        rows = [
            (
                "theory at the fit",
                _with_ends(self.size_exponent, *self.interval("size_exponent")),
                _with_ends(self.loss_exponent, *self.interval("loss_exponent")),
            )
        ]
        for name in self.measured["approach"].values.tolist():
            one = self.measured.sel(approach=name)
            ends = [[float(one[q + e]) for e in ("", "_low", "_high")] for q in ("size_exponent", "loss_exponent")]
            rows.append((f"measured, {name}", *(_with_ends(*e) for e in ends)))  # type: ignore[arg-type]
        return rows

    def summary(self) -> str:
        """Return the placement in a few lines for people."""
        lines = [self.sentence]
        lines += [f"{who}: size exponent {xi}, loss exponent {eta}" for who, xi, eta in self.exponent_rows()]
        lines += [f"warning: {sentence}" for sentence in self.warnings]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Placement {self.summary()}>"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; without the grid."""
        told = ("alpha", "beta", "level", "probabilities", "phase", "size_exponent", "loss_exponent")
        return dict(
            plain(
                {
                    **{name: getattr(self, name) for name in told},
                    "sentence": self.sentence,
                    "intervals": {name: self.interval(name) for name in _QUANTITIES},
                    "measured": self.measured,
                    "why_not": self.why_not,
                    "warnings": self.warnings,
                    "fit": self.fit.to_dict(),
                }
            )
        )


def _values_within(values: Array, radius: Array) -> Array:
    """Return the values of a grid where the radius is at most 1, and those where it becomes 1 between two cells."""
    found = [values[radius <= 1.0]]
    for axis in (0, 1):
        v, r = np.moveaxis(values, axis, 0), np.moveaxis(radius, axis, 0)
        crosses = (r[:-1] <= 1.0) != (r[1:] <= 1.0)
        here, there = r[:-1][crosses], r[1:][crosses]
        found.append(v[:-1][crosses] + (1.0 - here) / (there - here) * np.diff(v, axis=0)[crosses])
    return np.concatenate(found)


def _with_ends(value: float, low: float, high: float) -> str:
    if not np.isfinite(value):
        return "-"
    return f"{value:.3f} ({low:.3f} to {high:.3f})" if np.isfinite(low + high) else f"{value:.3f}"
