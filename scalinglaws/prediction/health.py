"""Is this family fit to be extrapolated? Checks that need no law, each with a verdict in words.

A scaling law describes runs that differ in size and data alone. What breaks that (a diverged run, a run beaten by a
smaller one with no more data, a learning rate that never decayed) is visible before any fit.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws._findings import Finding
from scalinglaws.curves import iter_runs

__all__ = ["Finding", "check_curves", "check_table"]

TOLERANCE = 0.002
"""Relative loss differences below this are within what a seed does to a small run."""


def check_curves(ds: xr.Dataset) -> list[Finding]:
    """Check the curves of a family: all finished, none ending above its best, all decayed alike.

    Examples
    --------
    >>> import numpy as np
    >>> from scalinglaws.curves import Run, from_runs
    >>> run = Run(name="a", step=np.array([1, 2]), loss=np.array([3.0, 2.5]), params={"unspecified": 1e6})
    >>> [f.ok for f in check_curves(from_runs([run]))]
    [True, True]
    """
    runs = list(iter_runs(ds))
    unfinished = [f"{r.name} ({r.status})" for r in runs if r.status != "finished"]
    findings = [_finding("finished", unfinished, f"all {len(runs)} runs finished", "not finished, so not fitted")]
    rising = [r.name for r in runs if r.loss[-1] > (1 + 5 * TOLERANCE) * r.loss.min()]
    findings.append(
        _finding(
            "no late rise",
            rising,
            "every run ends at or near its lowest loss",
            "end above their best by over 1 %",
        )
    )
    rates = {r.name: float(r.lr[-1] / np.nanmax(r.lr)) for r in runs if r.lr is not None and np.nanmax(r.lr) > 0}
    if rates:
        hot = [name for name, fraction in rates.items() if fraction > 0.5]
        good = "every run ends with its learning rate decayed"
        bad = "end at more than half of their peak learning rate, so their last loss is not what they could reach"
        findings.append(_finding("decayed", hot, good, bad))
    return findings


def check_table(table: xr.Dataset) -> list[Finding]:
    """Check the end points: no run beaten by one with less of N or D and no more of the other, and diverse D/N.

    Parameters
    ----------
    table
        Variables params, tokens and loss over `run`, as `scalinglaws.curves.end_points` returns.
    """
    n, d, loss = (table[k].values.astype(np.float64) for k in ("params", "tokens", "loss"))
    names = [str(r) for r in table["run"].values]
    findings = [
        _finding(
            "ordered",
            _beaten(n, d, loss, names),
            "more parameters and more tokens always helped",
            "worse than a run with fewer parameters or tokens and no more of the other",
        )
    ]
    ratio = d / n
    spread = float(ratio.max() / ratio.min())
    sentence = f"tokens per parameter range over a factor of {spread:.1f} ({ratio.min():.3g} to {ratio.max():.3g})"
    if spread < 4:
        sentence += "; below a factor of about 4 the size and data terms can hardly be told apart"
    findings.append(Finding(check="diverse", ok=spread >= 4, sentence=sentence))
    return findings


def _beaten(n: NDArray[np.float64], d: NDArray[np.float64], loss: NDArray[np.float64], names: list[str]) -> list[str]:
    """Name the runs that one with less of a resource and no more of the other beats, with the strongest such rival."""
    pairs = []
    for i, name in enumerate(names):
        smaller = (n <= n[i]) & (d <= d[i]) & ((n < n[i]) | (d < d[i]))  # seeds of one size and length may differ
        rivals = smaller & (loss < loss[i] * (1 - TOLERANCE))
        if rivals.any():
            best = int(np.argmin(np.where(rivals, loss, np.inf)))
            pairs.append(f"{name} (by {names[best]})")
    return pairs


def _finding(check: str, offenders: list[str], good: str, bad: str) -> Finding:
    shown = ", ".join(offenders[:5]) + (f" and {len(offenders) - 5} more" if len(offenders) > 5 else "")
    return Finding(check=check, ok=not offenders, sentence=f"{bad}: {shown}" if offenders else good)
