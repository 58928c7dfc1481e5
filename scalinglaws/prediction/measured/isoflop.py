"""Approach 2 on measured runs: the best size of every budget, a line through them, and what is wrong with each.

A minimum that does not exist or lies outside the sizes that were trained is left out of the line and says so
(`Budget.used`); a minimum that is merely doubtful is used and carries a code. Look at `Budget.codes` first, then at
`bias.isoflop_bias`: even without noise a parabola is off by percents.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError, require
from scalinglaws.fitting.table import Table, as_table
from scalinglaws.prediction.measured.lines import PowerLine, power_line
from scalinglaws.prediction.measured.minima import METHODS
from scalinglaws.prediction.measured.quality import Budget, judge
from scalinglaws.prediction.measured.slices import Slice, cut

__all__ = ["LINES", "IsoFlop", "isoflop", "with_lines"]

Array = NDArray[np.float64]

LINES = ("plain", "weighted")
"""Ways to fit the line through the optima: all alike, or by the precision of each."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IsoFlop:
    """Approach 2: optima of budgets and the power laws through them.

    Parameters
    ----------
    budgets
        One for each slice, in increasing order.
    params, tokens
        N* and D* as power laws of compute.
    method, line, extrapolate
        How minima and lines were found.
    table, slices
        What was fitted.
    left_out
        Runs that belong to no slice.
    """

    budgets: tuple[Budget, ...]
    params: PowerLine
    tokens: PowerLine
    method: str
    line: str
    extrapolate: bool
    table: Table
    slices: tuple[Slice, ...]
    left_out: int

    @property
    def used(self) -> NDArray[np.bool_]:
        """Which budgets the line goes through, shape (budgets,)."""
        return np.array([budget.used for budget in self.budgets])

    @property
    def flops(self) -> Array:
        """The budgets, shape (budgets,)."""
        return np.array([budget.flops for budget in self.budgets])

    def sentences(self) -> tuple[str, ...]:
        """Return what to know before quoting a number; none if all is well."""
        words = [budget.sentence() for budget in self.budgets if budget.codes]
        if self.left_out:
            words.append(f"{self.left_out} of {self.table.rows} runs belong to no budget and were not used")
        return tuple(words)

    def lines(self, log_n: Array, log_d: Array) -> tuple[PowerLine, PowerLine]:
        """Fit both lines to optima of shape (draws, budgets) or (budgets,), weighted as this fit."""
        keep = self.used & np.isfinite(self._errors()) if self.line == "weighted" else self.used
        error = self._errors()[keep] if self.line == "weighted" else None
        budgets = self.flops[keep]
        n, d = (power_line(budgets, np.exp(values[..., keep]), error) for values in (log_n, log_d))
        return n, d

    def locate(self, loss: Array, weight: Array) -> tuple[Array, Array, Array]:
        """Find log N*, log D* and the loss there for many tables of the same design at once.

        Parameters
        ----------
        loss, weight
            Shape (draws, rows of the table).

        Returns
        -------
            Each of shape (draws, budgets); NaN where a minimum is missing, or outside the sizes if those are not used.
        """
        columns = []
        for each in self.slices:
            x, value, bend = each.minima(loss, weight, self.method)
            good = (bend > 0) & (each.holds(x) | self.extrapolate)
            x = np.where(good, x, np.nan)
            columns.append((x, each.log_d(x), np.where(good, value, np.nan)))
        log_n, log_d, value = (np.stack(parts, axis=1) for parts in zip(*columns, strict=True))
        return log_n, log_d, value

    def _errors(self) -> Array:
        return np.array([budget.error for budget in self.budgets])

    def noisy(
        self,
        noise: float,
        replicates: int = 1000,
        *,
        error: ArrayLike | None = None,
        rng: np.random.Generator | np.random.SeedSequence | int | None = 0,
    ) -> tuple[PowerLine, PowerLine]:
        """Repeat the fit with independent Gaussian noise added to every loss.

        Parameters
        ----------
        noise
            Standard deviation, in the units of the loss: what another seed does to a run.
        replicates
            How often.
        error
            Standard errors of log N* and log D* that weight the line, shape (budgets that are used,); by default as
            this fit.

        Returns
        -------
            The lines of N* and D* in each replicate; quantiles of `exponent` are Porian et al.'s intervals.

        Examples
        --------
        >>> n, c = np.tile(np.geomspace(3e7, 3e8, 7), 3), np.repeat([1e18, 4e18, 1.6e19], 7)
        >>> best = 1e8 * np.sqrt(c / 4e18)
        >>> table = {"params": n, "tokens": c / (6 * n), "loss": 2.5 + 0.05 * np.log(n / best) ** 2}
        >>> sizes, _ = isoflop(table).noisy(0.002, 200)
        >>> bool(abs(sizes.exponent.mean() - 0.5) < 0.01), bool(0.005 < sizes.exponent.std() < 0.05)
        (True, True)
        """
        require(np.isfinite(noise) and noise > 0, "noise", noise, "must be positive and finite")
        require(replicates >= 2, "replicates", replicates, "must be 2 or more")
        shake = noise * np.random.default_rng(rng).standard_normal((replicates, self.table.rows))
        loss = self.table.loss + shake
        log_n, log_d, _ = self.locate(loss, np.ones_like(loss))
        if error is None:
            return self.lines(log_n, log_d)
        keep = self.used
        n, d = (power_line(self.flops[keep], np.exp(values[:, keep]), error) for values in (log_n, log_d))
        return n, d

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "method": self.method,
            "line": self.line,
            "size_exponent": self.params.exponent,
            "tokens_exponent": self.tokens.exponent,
            "left_out": self.left_out,
            "budgets": [b.to_dict() for b in self.budgets],
            "sentences": list(self.sentences()),
        }


def isoflop(
    data: Any,
    *,
    budgets: ArrayLike | None = None,
    tolerance: float = 0.1,
    method: str = "parabola",
    line: str = "plain",
    within: float | None = None,
    extrapolate: bool = False,
) -> IsoFlop:
    """Find the best size of every budget, and how it grows with compute.

    Parameters
    ----------
    data
        Whatever `fitting.as_table` accepts: end points of runs at several sizes for each of several budgets.
    budgets, tolerance, within
        How the table is cut into slices; see `cut`.
    method
        "parabola" or "cubic" of the loss, "akima" of the log loss, over log N; see `minima`.
    line
        "plain", or "weighted" by 1/error^2 of each optimum.
    extrapolate
        Whether the line goes through vertices of parabolas and cubics outside the sizes that were trained. They keep
        their code: only a perfect parabola can be trusted there.

    Raises
    ------
    InputError
        When the table has no slice, or fewer than two of them have a minimum inside the sizes that were trained.

    Notes
    -----
    D* is the D that the slice has at N*; with C = 6 N D this is what a curve over log D gives.

    References
    ----------
    Hoffmann et al. (2022), arXiv 2203.15556, approach 2; Porian et al. (2024), arXiv 2406.19146, for "akima" and
    "weighted".

    Examples
    --------
    >>> n, c = np.tile(np.geomspace(3e7, 3e8, 7), 3), np.repeat([1e18, 4e18, 1.6e19], 7)
    >>> best = 1e8 * np.sqrt(c / 4e18)
    >>> fitted = isoflop({"params": n, "tokens": c / (6 * n), "loss": 2.5 + 0.05 * np.log(n / best) ** 2})
    >>> round(fitted.params.exponent, 6), fitted.budgets[1].codes, round(fitted.budgets[1].params)
    (0.5, (), 100000000)
    """
    if method not in METHODS:
        raise InputError(f"method = {method!r}: must be one of {', '.join(METHODS)}")
    if line not in LINES:
        raise InputError(f"line = {line!r}: must be one of {', '.join(LINES)}")
    table = as_table(data)
    slices = cut(table, budgets, tolerance, within)
    found = judge(table, slices, method, tolerance, extrapolate=extrapolate)
    used = sum(budget.used for budget in found)
    if used < 2:
        lost = [budget.sentence() for budget in found if not budget.used]
        reasons = "; ".join(lost[:3] + ([f"and {len(lost) - 3} more"] if len(lost) > 3 else []))
        raise InputError(
            f"table: {used} of {len(found)} budgets {'has' if used == 1 else 'have'} a minimum inside the sizes that "
            f"were trained, and a line needs two{': ' if reasons else ''}{reasons}"
        )
    if line == "weighted" and not all(np.isfinite(budget.error) for budget in found if budget.used):
        raise InputError("line = 'weighted': the slices have no points to spare, so their scatter is unknown")
    left_out = table.rows - sum(s.rows.size for s in slices)
    blank = PowerLine(exponent=np.nan, log_coefficient=np.nan, r2=np.nan)
    bare = IsoFlop(
        budgets=found,
        params=blank,
        tokens=blank,
        method=method,
        line=line,
        extrapolate=extrapolate,
        table=table,
        slices=slices,
        left_out=left_out,
    )
    return with_lines(bare, found)


def with_lines(fitted: IsoFlop, budgets: tuple[Budget, ...]) -> IsoFlop:
    """Return the fit with other optima, and the lines through those."""
    moved = replace(fitted, budgets=budgets)
    log_n, log_d = (np.log([getattr(b, name) for b in budgets]) for name in ("params", "tokens"))
    params, tokens = moved.lines(log_n, log_d)
    return replace(moved, params=params, tokens=tokens)
