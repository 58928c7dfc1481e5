"""How far a schedule law's forecast can be trusted: refits with resampled stretches of residuals.

Residuals along one curve are correlated (one stretch lies above the law, the next below), so single records are not
exchangeable; stretches of an eighth of a curve nearly are. A replicate keeps the schedules and records, puts stretches
drawn from all fitted curves around the fitted law, and is fitted anew. What a forecast adds is how far the law misses
a run that it was not fitted to (`unseen`); only where no run can be left out, how far it misses the fitted ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.schedule_laws.unseen import unseen_errors
from scalinglaws.errors import require

if TYPE_CHECKING:
    from scalinglaws.comparison.schedule_laws.history import History
    from scalinglaws.comparison.schedule_laws.records import Records
    from scalinglaws.comparison.separable.problem import Problem

__all__ = ["Draws", "resample_stretches"]

Array = NDArray[np.float64]

_STRETCHES = 8
"""Stretches that a curve is made of."""

_REFIT = 30  # iterations; refits begin at the fit
_CLOSE = 1e-5  # and may stop where a step promises less than this share of the objective: far below their own spread


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """Refits of resampled curves.

    Parameters
    ----------
    theta
        Coordinates of each refit, shape (replicates, p).
    miss
        One log error for a forecast of each replicate, shape (replicates,).
    left_out
        How many runs, or parts of the one run, those errors come from; 0 for residuals of the fit itself.
    """

    theta: Array
    miss: Array
    left_out: int


def resample_stretches(
    problem: Problem[History],
    records: Records,
    theta: Array,
    replicates: int = 100,
    rng: np.random.Generator | np.random.SeedSequence | int | None = 0,
    law_error: bool = True,
) -> Draws:
    """Refit `replicates` resampled sets of curves, starting at the fit `theta`.

    Parameters
    ----------
    problem, records, theta
        Of the fit.
    replicates, rng
        How many, and their seed.
    law_error
        Whether to leave runs out for the errors of a forecast, rather than take the residuals of the fit.
    """
    require(isinstance(replicates, int) and replicates >= 2, "replicates", replicates, "must be an integer, 2 or more")
    generator = np.random.default_rng(rng)
    found = problem.evaluate(theta)
    assert found is not None  # the end of a fit is a place where the law is defined
    residuals = -found[0]
    fitted = problem.loss * np.exp(found[0])
    enlarge = np.sqrt(residuals.size / (residuals.size - theta.size))
    thetas = np.empty((replicates, theta.size))
    for i in range(replicates):
        noise = enlarge * _noise(residuals, records, generator)
        end = replace(problem, loss=fitted * np.exp(noise)).solve(theta, iterations=_REFIT, flat=_CLOSE)
        thetas[i] = theta if end is None else end.theta
    errors = unseen_errors(problem) if law_error else []
    chance = enlarge * generator.choice(residuals, size=replicates)
    miss = _misses(errors, replicates, generator) if errors else chance
    return Draws(theta=thetas, miss=miss, left_out=len(errors))


def _misses(errors: list[Array], replicates: int, generator: np.random.Generator) -> Array:
    """Draw a run, then one of its errors, then a sign: another schedule may miss to the other side.

    So few runs leave the size of the errors uncertain too; it is enlarged as in Student's t.
    """
    runs = generator.integers(len(errors), size=replicates)
    drawn = np.array([generator.choice(errors[i]) for i in runs])
    scale = np.sqrt(len(errors) / generator.chisquare(len(errors), size=replicates))
    return np.asarray(drawn * scale * generator.choice([-1.0, 1.0], size=replicates))


def _noise(residuals: Array, records: Records, generator: np.random.Generator) -> Array:
    """Put stretches of any fitted curve end to end along each curve, with a sign of their own."""
    noise = np.empty_like(residuals)
    for part in records.slices:
        count = part.stop - part.start
        length = max(1, -(-count // _STRETCHES))
        pieces: list[Array] = []
        while sum(map(len, pieces)) < count:
            source = records.slices[int(generator.integers(len(records.slices)))]
            latest = max(source.stop - length, source.start)
            begin = int(generator.integers(source.start, latest + 1))
            stretch = residuals[begin : min(begin + length, source.stop)]
            pieces.append(stretch * generator.choice([-1.0, 1.0]))
        noise[part] = np.concatenate(pieces)[:count]
    return noise
