"""What `collapse` returns: numbers with intervals, the labelled curves, and the verdict in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import xarray as xr

from scalinglaws._findings import Finding
from scalinglaws._numbers import plain
from scalinglaws.comparison.collapsing.design import Design
from scalinglaws.comparison.collapsing.exponent import HorizonExponent
from scalinglaws.comparison.collapsing.irreducible import EndFit
from scalinglaws.comparison.collapsing.sizes import BANDS, Drift, OddSizes

__all__ = ["Collapse", "Finding", "Interval", "Irreducible"]


class Interval(NamedTuple):
    """A value with its interval; NaN where unknown."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Irreducible:
    """The loss that was subtracted.

    Parameters
    ----------
    value
        Lhat in nats per token.
    source
        "fitted" to the ends of the runs, or "given".
    low, high
        Interval of the fit, NaN where it was not made.
    fit
        The fit; also there when the value was given, if four sizes or more allow it.
    """

    value: float
    source: str
    low: float
    high: float
    fit: EndFit | None

    def __float__(self) -> float:
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Collapse:
    """Whether a family of runs collapses, how well, and what stands out.

    Parameters
    ----------
    dataset
        Over `run`, `size` and `x`: `loss` and `ell` of every run; `delta` (Eq. 2 of arXiv 2507.02119), `sigma`
        (Eq. 3, by size) and `sigma_mean`; `mean` of ell and `size_mean`; `between` and `within` (Eq. 4). `attrs`
        state ddof, grid, interpolation, Lhat, what counts as N, who was left out and why.
    irreducible
        What was subtracted, with its interval.
    onset, onset_interval
        Share of training, up to its end, during which Delta < sigma; see `deviation.onset`. NaN where unknown.
    mean_deviation, mean_noise
        Means of Delta and of sigma over x in [0.5, 1), with intervals over seeds.
    frontier_gamma, collapse_gamma
        Horizon exponent two ways.
    odd
        The sizes that fall out of the family.
    drift
        Steady change with size; None with fewer than three sizes.
    design
        What the records say about horizons, schedules and rates.
    verdict
        One paragraph for the person who owns the runs.
    findings
        Every check behind it.
    level, replicates
        Of the intervals: nominal coverage, and bootstrap resamples of seeds (sizes are taken as they are).

    Notes
    -----
    Simulated coverage of 90 % intervals in families of 8 sizes with 5 seeds, noise as measured runs show it: 89 % for
    the fitted irreducible loss, 85 % for the mean deviation, 75 % for the mean seed noise (a standard deviation of
    five values is that uncertain, and a bootstrap of five values knows less than all of it).
    Of 800 simulated families without a fault (8 sizes; 5, 3, 2 and 1 seeds) no size was called odd.
    """

    dataset: xr.Dataset
    irreducible: Irreducible
    onset: float
    onset_interval: tuple[float, float]
    mean_deviation: Interval
    mean_noise: Interval
    frontier_gamma: HorizonExponent
    collapse_gamma: HorizonExponent
    odd: OddSizes
    drift: Drift | None
    design: Design
    verdict: str
    findings: tuple[Finding, ...]
    level: float
    replicates: int

    @property
    def curves(self) -> xr.DataArray:
        """Normalised curves ell over `run` and `x`."""
        return self.dataset["ell"]

    @property
    def deviation(self) -> xr.DataArray:
        """Delta over `x`: the relative spread of all normalised curves."""
        return self.dataset["delta"]

    @property
    def noise_floor(self) -> xr.DataArray:
        """Mean over sizes of sigma over `x`: the relative spread between seeds of the reducible loss."""
        return self.dataset["sigma_mean"]

    def summary(self) -> str:
        """Return the verdict and what to know about it, for people."""
        marks = [f"{'  ' if f.ok else '! '}{f.sentence}" for f in self.findings]
        return "\n".join([self.verdict, "", *marks])

    def __repr__(self) -> str:
        return f"<Collapse {self.verdict}>"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON: the numbers and the table over x, without the curves of single runs."""
        ds = self.dataset
        labels = [str(v) for v in ds["label"].values]
        return {
            "verdict": self.verdict,
            "findings": [f._asdict() for f in self.findings],
            "onset": plain(self.onset),
            "onset_interval": plain(self.onset_interval),
            "mean_deviation": plain(self.mean_deviation._asdict()),
            "mean_noise": plain(self.mean_noise._asdict()),
            "irreducible": {
                "value": self.irreducible.value,
                "source": self.irreducible.source,
                "low": plain(self.irreducible.low),
                "high": plain(self.irreducible.high),
                "fit": self.irreducible.fit.to_dict() if self.irreducible.fit else None,
            },
            "gamma": {"frontier": self.frontier_gamma.to_dict(), "collapse": self.collapse_gamma.to_dict()},
            "odd_sizes": [
                {
                    "size": labels[o.size],
                    "bands": list(o.bands),
                    "difference": dict(zip(BANDS, plain(o.difference), strict=True)),
                    "score": dict(zip(BANDS, plain(o.score), strict=True)),
                }
                for o in self.odd.found
            ],
            "drift": self.drift and plain(self.drift._asdict()),
            "curves": {name: plain(ds[name].values) for name in ("x", "mean", "delta", "sigma_mean")},
            "runs": [str(r) for r in ds["run"].values],
            "sizes": labels,
            "conventions": {str(k): v for k, v in ds.attrs.items()},
            "level": self.level,
            "replicates": self.replicates,
        }
