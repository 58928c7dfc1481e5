"""Do approaches disagree? Differences between joint draws, and the verdict in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws._numbers import plain
from scalinglaws.prediction.measured.joint import Optima

__all__ = ["WORDS", "Difference", "differences_of", "interval", "verdict"]

Array = NDArray[np.float64]

WORDS = {
    "envelope": "approach 1 (envelope)",
    "envelope-corrected": "approach 1 without its bias",
    "isoflop": "approach 2 (isoFLOP)",
    "isoflop-corrected": "approach 2 without its bias",
    "parametric": "approach 3 (parametric)",
}
"""Names of the approaches in tables, and in sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two approaches on one quantity.

    Parameters
    ----------
    first, second
        Keys of `WORDS`.
    quantity
        "size_exponent" (a difference), or "params" (the ratio of both N*).
    flops
        Budget of "params": the middle of the measured compute, or the largest target; NaN for the exponent.
    estimate, low, high
        First against second, and the interval from their joint draws.
    p_value
        Two-sided, from the same draws; never below 1/draws.
    """

    first: str
    second: str
    quantity: str
    flops: float
    estimate: float
    low: float
    high: float
    p_value: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; None for what is not a number."""
        return dict(plain({name: getattr(self, name) for name in Difference.__slots__}))


def interval(draws: Array, level: float) -> tuple[Array, Array]:
    """Return percentiles over the first axis; failed draws (NaN) count against both ends."""
    low = np.quantile(np.where(np.isnan(draws), -np.inf, draws), 0.5 - 0.5 * level, axis=0, method="lower")
    high = np.quantile(np.where(np.isnan(draws), np.inf, draws), 0.5 + 0.5 * level, axis=0, method="higher")
    return low, high


def differences_of(
    found: Mapping[str, Optima], draws: Mapping[str, Optima], budgets: tuple[float, float], level: float
) -> tuple[Difference, ...]:
    """Compare every pair of approaches: on the exponent of N*, and on N* at the first and the last target.

    Parameters
    ----------
    found, draws
        Of each approach, on the measured and on the resampled tables.
    budgets
        The first and the last target.
    """
    pairs = [pair for pair in combinations(found, 2) if pair[1] != f"{pair[0]}-corrected"]
    out = []
    for one, other in pairs:
        for flops, pick in ((np.nan, _exponent), (budgets[0], _first), (budgets[1], _last)):
            point = pick(found[one])[0] - pick(found[other])[0]
            each = pick(draws[one]) - pick(draws[other])
            values = np.array([point, *interval(each, level)])
            estimate, low, high = values if pick is _exponent else np.exp(values)
            out.append(
                Difference(
                    first=one,
                    second=other,
                    quantity="size_exponent" if pick is _exponent else "params",
                    flops=flops,
                    estimate=float(estimate),
                    low=float(low),
                    high=float(high),
                    p_value=_p_value(each),
                )
            )
    return tuple(out)


def _exponent(optima: Optima) -> Array:
    return optima.size_exponent


def _first(optima: Optima) -> Array:
    return optima.log_n[:, 0]


def _last(optima: Optima) -> Array:
    return optima.log_n[:, -1]


def _p_value(draws: Array) -> float:
    above, below = (float(np.mean(np.isnan(draws) | side)) for side in (draws >= 0, draws <= 0))
    return min(1.0, max(2.0 * min(above, below), 1.0 / draws.size))


def verdict(found: Mapping[str, Optima], differences: tuple[Difference, ...], target: float, level: float) -> str:
    """Say in one sentence whether approaches 1, 2 and 3 agree, and whether the bias of approach 2 is why not."""
    plain = [d for d in differences if not (d.first + d.second).count("corrected")]
    limit = (1.0 - level) / (2.0 * len(plain) / 3.0)  # two numbers, level and slope, for each pair
    apart = sorted((d for d in plain if d.p_value < limit), key=lambda d: d.p_value)
    if not apart:
        names = [WORDS[name] for name in found if "corrected" not in name]
        sizes = [float(np.exp(o.log_n[0, -1])) for name, o in found.items() if "corrected" not in name]
        joined = f"{', '.join(names[:-1])} and {names[-1]}"
        return (
            f"{joined[0].upper()}{joined[1:]} agree: N* at {target:.3g} FLOP is {min(sizes):.3g} to {max(sizes):.3g}, "
            f"and no difference is beyond what the noise of the runs makes at the {100 * level:g} % level."
        )
    worst = apart[0]
    what = "the exponent of N*" if worst.quantity == "size_exponent" else f"N* at {worst.flops:.3g} FLOP"
    how = "by" if worst.quantity == "size_exponent" else "by a factor of"
    words = (
        f"{WORDS[worst.first][0].upper()}{WORDS[worst.first][1:]} and {WORDS[worst.second]} disagree on {what} {how} "
        f"{worst.estimate:.3g} ({100 * level:g} % interval {worst.low:.3g} to {worst.high:.3g})"
    )
    return words + _explained(worst, differences, limit)


def _explained(worst: Difference, differences: tuple[Difference, ...], limit: float) -> str:
    """Say whether the bias of approaches 1 and 2 on their grid is all that is between the two."""
    names = tuple(name if name == "parametric" else f"{name}-corrected" for name in (worst.first, worst.second))
    for other in differences:
        same_place = other.flops == worst.flops or np.isnan([other.flops, worst.flops]).all()
        if (other.first, other.second) == names and same_place:
            same = other.p_value >= limit
            return "; without what this grid makes of the fitted surface they " + ("agree." if same else "still do.")
    return "."
