"""Rows that a robust fit cannot explain: flagged by a stated rule, never excluded.

The rule: |r - median| > 3.5 * 1.4826 * MAD, with r the residuals of log loss and MAD their median absolute deviation
(the modified z-score of Iglewicz & Hoaglin 1993). Gaussian noise breaks it once in 2,100 rows; heavy tails more
often. Whether a flagged row is a failed run or the truth is for its owner to say; what leaving it out would change is
one more fit away (`table.take(~flags)`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.errors import require

if TYPE_CHECKING:
    from scalinglaws.fitting.result import Fit

__all__ = ["Outliers", "outliers"]

Array = NDArray[np.float64]

_CONSISTENT = 1.4826  # MAD of Gaussian noise to its standard deviation
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outliers:
    """What the rule says of each row; arrays have shape (rows,).

    Parameters
    ----------
    names
        Of the runs.
    score
        Residual of log loss less the median, over the robust scale; positive where a run was worse than the law.
    flags
        Where the score exceeds the threshold in size.
    threshold
        Of the score.
    scale
        The robust standard deviation of log loss.
    """

    names: tuple[str, ...]
    score: Array
    flags: NDArray[np.bool_]
    threshold: float
    scale: float

    def summary(self) -> str:
        """Return the rule and the flagged rows, worst first, in one sentence."""
        rule = f"more than {self.threshold:g} robust standard deviations ({100 * self.scale:.2g} %) from the law"
        order = [i for i in np.argsort(-np.abs(self.score), kind="stable") if self.flags[i]]
        if not order:
            return f"No row lies {rule}."
        shown = ", ".join(f"{self.names[i]} ({self.score[i]:+.1f})" for i in order[:10])
        more = f" and {len(order) - 10} more" if len(order) > 10 else ""
        return f"{len(order)} of {self.score.size} rows lie {rule}: {shown}{more}; none was left out of the fit."

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        flagged = [name for name, on in zip(self.names, self.flags, strict=True) if on]
        return {
            "threshold": self.threshold,
            "scale": self.scale,
            "flagged": flagged,
            "score": self.score.tolist(),
            "summary": self.summary(),
        }


def outliers(fit: Fit, threshold: float = 3.5) -> Outliers:
    """Flag the rows of a fitted table that lie too far from a robust fit of it.

    Parameters
    ----------
    fit
        A fit of "huber" or "l1" is used as it is; the table of any other is first fitted by "huber", for least
        squares bend towards outliers and hide them.
    threshold
        Robust standard deviations.

    Raises
    ------
    InputError
        For a threshold that is not positive and finite.

    Examples
    --------
    >>> from scalinglaws.fitting import fit
    >>> n = np.repeat(np.geomspace(1e7, 1e9, 4), 3)
    >>> d = n * np.tile([5.0, 20.0, 80.0], 4)
    >>> noise = np.exp(0.002 * np.random.default_rng(0).standard_normal(12))
    >>> noise[4] = 1.1
    >>> found = outliers(fit({"params": n, "tokens": d, "loss": (1.8 + 480 / n**0.35 + 2100 / d**0.37) * noise}))
    >>> np.flatnonzero(found.flags).tolist()
    [4]
    """
    number = isinstance(threshold, int | float) and not isinstance(threshold, bool) and np.isfinite(threshold)
    require(bool(number and threshold > 0), "threshold", threshold, "must be positive and finite")
    residuals = -_robust(fit).residuals()
    centred = residuals - np.median(residuals)
    scale = max(_CONSISTENT * float(np.median(np.abs(centred))), _ROUNDING)
    score = centred / scale
    return Outliers(
        names=tuple(fit.table.run.tolist()),
        score=score,
        flags=np.abs(score) > threshold,
        threshold=float(threshold),
        scale=scale,
    )


def _robust(fit: Fit) -> Fit:
    if np.isfinite(fit.estimator.delta):
        return fit
    from scalinglaws.fitting.estimate import fit as refit

    return refit(fit.table, law=fit.law, estimator="huber", fixed=fit.fixed, prior=fit.prior.values)
