"""What each approach says about the same resampled tables: the draws that make differences between them testable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import require_whole
from scalinglaws.fitting.resampling import resampled_tables
from scalinglaws.fitting.result import Fit
from scalinglaws.fitting.solve import refit
from scalinglaws.prediction.measured.bias import bias_of_minima
from scalinglaws.prediction.measured.envelope import Envelope, log_tokens, winners
from scalinglaws.prediction.measured.isoflop import IsoFlop
from scalinglaws.prediction.measured.lines import PowerLine, power_line

__all__ = [
    "Draws",
    "Optima",
    "of_envelope",
    "of_envelope_of_surface",
    "of_isoflop",
    "of_lines",
    "of_surface",
    "resampled",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Optima:
    """Exponents and optima of one approach for many tables; NaN where it fails.

    Parameters
    ----------
    size_exponent, tokens_exponent
        Of N* and D* in compute, shape (draws,).
    log_n, log_d
        At the target budgets, shape (draws, targets).
    """

    size_exponent: Array
    tokens_exponent: Array
    log_n: Array
    log_d: Array

    def shifted(self, to: Optima, origin: Optima) -> Optima:
        """Return the draws moved by `to - origin`, both of one draw."""
        names = [f.name for f in fields(Optima)]
        return Optima(**{k: getattr(self, k) + getattr(to, k) - getattr(origin, k) for k in names})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """Resampled tables, and the surface refitted to each.

    Parameters
    ----------
    weight, loss
        Of each row in each table, shape (draws, rows).
    factor
        What a run's loss was multiplied by, shape (draws, rows).
    values
        Parameters of the law, each of shape (draws,).
    around_surface
        Whether the losses lie around the fitted surface, and not around the measured ones.
    """

    weight: Array
    loss: Array
    factor: Array
    values: Mapping[str, Array]
    around_surface: bool


def resampled(fit: Fit, replicates: int, kind: str | None, by: str | ArrayLike, rng: Any) -> Draws:
    """Resample the table of a fit and refit it; arguments as in `Fit.bootstrap`."""
    require_whole("replicates", replicates, 20)
    generator, problem, table = np.random.default_rng(rng), fit.problem(), fit.table
    made = resampled_tables(fit, problem, replicates, kind=kind, by=by, weights=None, generator=generator)
    values = problem.to_values(refit(problem, fit.theta, made.weight, made.measured / problem.unit).theta)
    around = made.kind != "pairs"
    base = fit.fitted() if around else table.loss
    return Draws(
        weight=made.weight, loss=made.measured, factor=made.measured / base, values=values, around_surface=around
    )


def of_surface(fit: Fit, values: Mapping[str, Array], targets: Array) -> Optima:
    """Return approach 3: exponents are slopes over the compute of the table."""
    ends = np.array([fit.table.flops.min(), fit.table.flops.max()])
    wide = {name: np.asarray(array)[:, None] for name, array in values.items()}
    best = fit.law.optimum(wide, np.concatenate([ends, targets]))
    with np.errstate(divide="ignore", invalid="ignore"):
        log_n, log_d = np.log(best.params), np.log(best.tokens)
        span = np.log(ends[1] / ends[0])
        return Optima(
            size_exponent=(log_n[:, 1] - log_n[:, 0]) / span,
            tokens_exponent=(log_d[:, 1] - log_d[:, 0]) / span,
            log_n=_finite(log_n[:, 2:]),
            log_d=_finite(log_d[:, 2:]),
        )


def of_lines(params: PowerLine, tokens: PowerLine, targets: Array) -> Optima:
    """Return approaches 1 and 2 from their lines."""
    return Optima(
        size_exponent=np.atleast_1d(params.exponent),
        tokens_exponent=np.atleast_1d(tokens.exponent),
        log_n=np.atleast_2d(np.log(params.at(targets))),
        log_d=np.atleast_2d(np.log(tokens.at(targets))),
    )


def of_isoflop(found: IsoFlop, fit: Fit, draws: Draws, targets: Array, *, correct: bool) -> Optima:
    """Return approach 2 on resampled tables, without the bias that each refitted surface predicts if `correct`."""
    optima = _isoflop_once(found, fit, draws.loss, draws.weight, draws.values, targets, correct)
    if not draws.around_surface:
        return optima
    one = {name: np.array([value]) for name, value in fit.params.items()}
    plain = [np.atleast_2d(part) for part in (fit.fitted(), fit.table.weight)]
    origin = _isoflop_once(found, fit, plain[0], plain[1], one, targets, correct)
    measured = _isoflop_once(found, fit, np.atleast_2d(fit.table.loss), plain[1], one, targets, correct)
    return optima.shifted(measured, origin)


def _isoflop_once(
    found: IsoFlop, fit: Fit, loss: Array, weight: Array, values: Mapping[str, Array], targets: Array, correct: bool
) -> Optima:
    log_n, log_d, _ = found.locate(loss, weight)
    if correct:
        off_n, off_d, _, _ = bias_of_minima(found, fit.law, values)
        log_n, log_d = log_n - off_n, log_d - off_d
    return of_lines(*found.lines(log_n, log_d), targets)


def of_envelope(found: Envelope, draws: Draws, targets: Array) -> Optima:
    """Return approach 1 on the measured curves, each with the noise of its runs, without the runs not drawn."""
    lines = []
    for factor, weight in zip(draws.factor, draws.weight, strict=True):
        heights = [c.heights(found.grid, c.raw * factor[c.rows], weight[c.rows]) for c in found.curves]
        lines.append(_envelope_once(found, np.stack(heights)))
    return of_lines(_many([n for n, _ in lines]), _many([d for _, d in lines]), targets)


def of_envelope_of_surface(found: Envelope, fit: Fit, targets: Array) -> Optima:
    """Return approach 1 on curves that follow the fitted surface exactly, at the measured sizes and tokens."""
    heights = []
    for curve in found.curves:
        loss = fit.predict(np.exp(curve.log_n), np.exp(curve.log_d))
        members = np.diff(np.append(curve.starts, curve.raw.size))
        heights.append(curve.heights(found.grid, np.repeat(loss, members)))
    return of_lines(*_envelope_once(found, np.stack(heights)), targets)


def _envelope_once(found: Envelope, heights: Array) -> tuple[PowerLine, PowerLine]:
    """Fit the lines of an envelope; NaN if fewer than two sizes are ever the best."""
    log_n = np.array([curve.log_n for curve in found.curves])
    place, inner = winners(log_n, heights)
    best, grid = place[inner], found.grid[inner]
    if np.unique(log_n[best]).size < 2:
        none = PowerLine(exponent=np.nan, log_coefficient=np.nan, r2=np.nan)
        return none, none
    log_d = log_tokens(found.curves, grid, best)
    return power_line(np.exp(grid), np.exp(log_n[best])), power_line(np.exp(grid), np.exp(log_d))


def _many(lines: list[PowerLine]) -> PowerLine:
    columns = {k: np.array([getattr(line, k) for line in lines]) for k in ("exponent", "log_coefficient", "r2")}
    return PowerLine(**columns)


def _finite(values: Array) -> Array:
    return np.asarray(np.where(np.isfinite(values), values, np.nan))
