"""The answer and how far to trust it, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from scalinglaws._numbers import has_optimum, human, scientific, span
from scalinglaws.fitting.identifiability import Design
from scalinglaws.fitting.outliers import Outliers
from scalinglaws.fitting.result import Fit
from scalinglaws.prediction.advising.candidates import Candidate
from scalinglaws.prediction.rolling import Rolling

__all__ = ["answers", "cautions", "trust"]

_SHORT = 0.15  # coverage of the rolling intervals may fall short by this much before it is a finding


def answers(best: xr.Dataset) -> tuple[str, ...]:
    """Say what to train at each budget of `Fit.optimal`, one sentence for each."""
    return tuple(_answer(best.isel(flops=i)) for i in range(best.sizes["flops"]))


def _answer(row: xr.Dataset) -> str:
    budget, loss = f"At {scientific(float(row['flops']))} FLOP", f"loss {span(row, 'loss', '.4f')}"
    if not has_optimum(row):
        return f"{budget}: the fitted law has no compute-optimal size, for one of its terms does not help; {loss}."
    return (
        f"{budget}: {span(row, 'params')} parameters, {span(row, 'tokens')} tokens, {loss}, "
        f"{span(row, 'tokens_per_param', '.3g')} tokens per parameter."
    )


def trust(chosen: Candidate, rolled: Rolling | None, close: Sequence[Candidate], level: float) -> tuple[str, bool]:
    """Say in one sentence how far the largest budget lies outside, what was tested, and what other laws say.

    Also return whether nothing speaks against the interval.
    """
    row = chosen.optimum.isel(flops=int(np.argmax(chosen.optimum["flops"].values)))
    parts, short, outside = [_reach(chosen.fit, float(row["flops"]))], False, ""
    if rolled is not None:
        tested, short = _tested(rolled, level)
        parts.append(tested)
    others = [one for one in close if one is not chosen]
    if others:
        said, outside = _others(chosen, others, row)
        parts.append(said)
    doubts = _doubts(row, rolled, outside, short)
    verdict = " and ".join(doubts) or "nothing here speaks against the interval"
    return "; ".join([*parts, verdict]) + ".", not doubts


def _reach(fitted: Fit, budget: float) -> str:
    largest = float(fitted.table.flops.max())
    if budget <= 1.01 * largest:
        return f"{scientific(budget)} FLOP lies within the measured range, up to {scientific(largest)} FLOP"
    decades = np.log10(budget / largest)
    covered = np.log10(largest / fitted.table.flops.min())
    return (
        f"{scientific(budget)} FLOP is {_times(budget / largest)} times the largest run, {decades:.1f} decades beyond "
        f"{covered:.1f} decades of data"
    )


def _times(factor: float) -> str:
    return f"{factor:.3g}" if factor < 1e3 else human(factor)


def _tested(rolled: Rolling, level: float) -> tuple[str, bool]:
    """Say how larger runs were predicted from smaller ones, and whether the intervals were too narrow there."""
    runs = sum(len(origin.names) for origin in rolled.origins)
    held = sum(int(origin.covered.sum()) for origin in rolled.origins)
    error = np.mean([origin.mape for origin in rolled.origins])
    reach = max(origin.reach for origin in rolled.origins)
    words = (
        f"fitted to smaller runs the law was off by {error:.2g} % on average on runs of up to {_times(reach)} times "
        f"the compute, and {100 * level:g} % intervals held {held} of {runs} of them"
    )
    return words, held / runs < level - _SHORT


def _others(chosen: Candidate, others: Sequence[Candidate], row: xr.Dataset) -> tuple[str, str]:
    """Say what laws that predict about as well make of N*, and the range to quote if that is outside the interval."""
    at = int(np.argmax(chosen.optimum["flops"].values))
    sizes = {one.name: float(one.optimum["params"][at]) for one in others}
    low, high = min(sizes.values()), max(sizes.values())
    named = ", ".join(sizes)
    words = f"of the laws that stand up about as well ({named}), N* is {human(low)} to {human(high)}"
    if len(others) == 1:
        words = f"by the {named} law, which stands up about as well, N* is {human(low)}"
    if float(row["params_low"]) <= low and high <= float(row["params_high"]):
        return words, ""
    ends = [float(one.optimum[f"params_{end}"][at]) for one in (chosen, *others) for end in ("low", "high")]
    finite = [end for end in ends if np.isfinite(end) and end > 0]
    return words, f"{human(min(finite))} to {human(max(finite))}" if finite else "no number"


def _doubts(row: xr.Dataset, rolled: Rolling | None, outside: str, short: bool) -> list[str]:
    words = []
    if not np.isfinite([float(row["params_low"]), float(row["params_high"])]).all():
        words.append("the data do not bound N*")
    if outside:
        words.append(f"other laws lie outside the interval, so quote {outside} for N*")
    if short:
        words.append("the interval is too narrow by that test")
    tested = max((origin.reach for origin in rolled.origins), default=1.0) if rolled is not None else 1.0
    if float(row["extrapolation"]) > tested:
        words.append("that far out nothing was tested, and the interval holds only if the law does")
    return words


def cautions(chosen: Candidate, design: Design, flagged: Outliers) -> tuple[str, ...]:
    """Collect what the design, the fit and its residuals say against the answer, each once."""
    words = (*chosen.fit.warnings, *design.warnings)
    direction = design.direction() if any("condition number" in each for each in words) else ""
    found = [*words, *([direction] if direction else []), *([flagged.summary()] if flagged.flags.any() else [])]
    return tuple(dict.fromkeys(found))
