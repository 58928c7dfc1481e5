"""What keeps a placement from being sure, in sentences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from scalinglaws.comparison.family_laws import FamilyFit
from scalinglaws.comparison.separable.search import listed
from scalinglaws.prediction.placing.facts import facts
from scalinglaws.prediction.placing.region import Plane

__all__ = ["Doubts", "doubts_about"]

_PUSH = 0.1
"""A bound is felt if moving it by a factor e would gain this much of the statistic."""
_MISSED = -0.5
"""Statistic of a refit that tells that the search missed a lower minimum."""
_SCALES = ("alpha", "beta", "s", "n0")
"""What may end on a bound that is the law's: no floor (E) and no noise (g) are nature's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubts:
    """What was found.

    Parameters
    ----------
    sentences
        For people.
    blind
        Whether the runs may allow points that the region cannot know of.
    elsewhere
        Phases of other minima that the runs allow.
    """

    sentences: tuple[str, ...]
    blind: bool
    elsewhere: tuple[str, ...]

    def allow(self, phase: str) -> bool:
        """Whether a phase may be named that the region makes probable."""
        return not self.blind and set(self.elsewhere) <= {phase}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rival:
    """Another minimum: where, its statistic, its phase."""

    alpha: float
    beta: float
    away: float
    phase: str

    @property
    def words(self) -> str:
        return (
            f"another minimum lies at alpha = {self.alpha:.2f}, beta = {self.beta:.2f} "
            f"({self.phase or 'no known phase'}): the runs do not exclude it (T^2 = {self.away:.2g}), and the region "
            "does not show it"
        )


def doubts_about(fit: FamilyFit, plane: Plane, region: xr.Dataset) -> Doubts:
    """Look for whatever the region cannot tell by itself."""
    held, rivals = _held(fit, plane), _rivals(fit, plane, region.attrs["quantile"])
    missed = plane.lowest < _MISSED
    said = []
    if held:
        said.append(
            f"{listed(held)} ended on a bound of the law's range, and the region knows nothing beyond it: it may be "
            "too small, and no phase is named"
        )
    if missed:
        said.append(
            "a refit found a lower minimum than the search, so region and probabilities are wrong, and no phase is "
            "named: give a fit with more starts"
        )
    if not plane.whole:
        said.append("the region is larger than what was explored, and no phase is named")
    said += [
        *([] if "n0" in held else _about_size(fit)),
        *_about_misfit(fit),
        *_about_edge(region),
        *(rival.words for rival in rivals),
    ]
    return Doubts(
        sentences=tuple(said),
        blind=bool(held) or missed or not plane.whole,
        elsewhere=tuple(rival.phase for rival in rivals),
    )


def _held(fit: FamilyFit, plane: Plane) -> list[str]:
    """Parameters that push against a bound of the law: the data want what it cannot give."""
    found = fit.problem.evaluate(fit.theta)
    assert found is not None  # the end of a fit is a place where the law is defined
    residuals, jacobian = found
    push = np.abs(fit.estimator.derivatives(residuals)[1] @ jacobian)
    felt = dict(zip(fit.problem.names, (push > _PUSH * plane.metric.least).tolist(), strict=True))
    return [name for name in _SCALES if name in fit.at_bounds and felt[name]]


def _rivals(fit: FamilyFit, plane: Plane, edge: float) -> list[_Rival]:
    """Other minima that the runs do not exclude and the region does not show."""
    found: dict[tuple[float, float], _Rival] = {}
    for end in sorted(fit.ends, key=lambda end: end.objective):
        values = fit.problem.values(end.theta)
        alpha, beta = values["alpha"], values["beta"]
        step = np.log([alpha / fit.params["alpha"], beta / fit.params["beta"]])
        away = plane.metric.statistic(end.objective - fit.objective, step)
        if away <= edge < plane.distance(np.array(alpha), np.array(beta)):
            rival = _Rival(alpha=alpha, beta=beta, away=away, phase=facts(alpha, beta)[0])
            found.setdefault((round(alpha, 2), round(beta, 2)), rival)
    return list(found.values())


def _about_size(fit: FamilyFit) -> list[str]:
    """Whether even the smallest size has more features than matter."""
    low = fit.law.ranges(fit.problem.look)[0][[shape.name for shape in fit.law.shapes].index("n0")]
    if "n0" not in fit.at_bounds or fit.params["n0"] > (1.0 + 1e-9) * low:
        return []
    return [
        "n0 ended at its lower end: there are more features than matter, and size acts through the trace of the data "
        "covariance alone (if 2 alpha < 1, where that grows with size)"
    ]


def _about_misfit(fit: FamilyFit) -> list[str]:
    missed, noise = _misfit(fit)
    if not (np.isfinite(noise) and missed > 2.0 * noise):
        return []
    return [
        f"the model misses the mean curves by {100 * missed:.2g} %, more than their seeds explain "
        f"({100 * noise:.2g} %): region and probabilities hold for the model's parameters, not for its truth"
    ]


def _about_edge(region: xr.Dataset) -> list[str]:
    inside = region["inside"].values
    if not (inside[[0, -1], :].any() or inside[:, [0, -1]].any()):
        return []
    return ["the region reaches the edge of the studied range of alpha and beta, so it is cut there"]


def _misfit(fit: FamilyFit) -> tuple[float, float]:
    """Root mean square of what the law misses in the mean of each group's runs, and of the noise of that mean."""
    curves, residuals = fit.records.curves, fit.residuals()
    count = np.bincount(curves.group)
    curve = np.bincount(curves.distinct.place, residuals) / np.bincount(curves.distinct.place)
    missed = float(np.sqrt(np.mean(curve**2)))
    if count.min() < 2:
        return missed, float("nan")
    levels = np.array([residuals[part].mean() for part in curves.slices])
    spread = [levels[curves.group == g].var(ddof=1) / n for g, n in enumerate(count)]
    return missed, float(np.sqrt(np.mean(spread)))
