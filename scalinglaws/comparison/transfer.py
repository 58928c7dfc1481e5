r"""Whether the best learning rate stays where it is as the model widens: a sweep of rates over widths, judged.

For every width and parameterization the final loss is a function of the peak learning rate. The best rate is the
vertex of the parabola in log rate through the lowest point of the sweep and its neighbours; where the lowest point is
an end of the sweep, the best rate is only bounded and given as NaN. What counts is not that the best rate stays
exactly, but what it costs to keep the rate tuned at the smallest width (Ghosh, Wu, Bietti, arXiv 2512.22768): the
`regret` of every larger width. `sensitivity` is that of Wortsman et al. (arXiv 2309.14322, section 2): the mean over
the swept rates of min(final loss, loss at initialisation) less the lowest loss.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws._numbers import plain
from scalinglaws.curves import Run, iter_runs
from scalinglaws.errors import require

__all__ = ["RateTransfer", "rate_transfer"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RateTransfer:
    """A sweep of learning rates over widths.

    Attributes
    ----------
    dataset
        Over `parameterization`, `width` and `rate`: `loss`, the mean final loss over seeds in nats per token (infinite
        where a run diverged, NaN where none was made); over the first two: `best_rate` (NaN where the sweep ends
        before it), `best_loss`, `regret` (nats; infinite where the rate of the smallest width diverges) and
        `sensitivity` (nats); over the first: `slope`, of log best rate over log width, by least squares.
    verdict
        A sentence for each parameterization.
    """

    dataset: xr.Dataset
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON: one entry for each parameterization; what is not finite becomes None."""
        names = self.dataset["parameterization"].values
        tables = {
            str(name): plain(self.dataset.sel(parameterization=name).drop_vars("parameterization")) for name in names
        }
        return {"verdict": self.verdict} | tables


def rate_transfer(runs: xr.Dataset | Iterable[Run]) -> RateTransfer:
    """Compare the best learning rates of several widths.

    Parameters
    ----------
    runs
        Runs that differ in width, peak learning rate, parameterization and seed, and in nothing else: a family of
        measured runs, or the runs themselves. Diverged runs count as infinite losses.

    Raises
    ------
    InputError
        When widths or peak rates are unknown, or there are fewer than two widths or three rates of one
        parameterization.

    Examples
    --------
    >>> import numpy as np
    >>> def run(width, rate):
    ...     loss = 2.0 + 0.1 * np.log(rate / 0.01) ** 2 + 1.0 / width
    ...     return Run(name=f"{width} {rate}", step=np.array([0, 9]), loss=np.array([5.0, loss]), params={},
    ...                width=width, peak_lr=rate)
    >>> found = rate_transfer([run(w, r) for w in (32, 64) for r in (0.004, 0.008, 0.016)])
    >>> found.dataset["best_rate"].values.round(6).tolist()
    [[0.01, 0.01]]
    >>> print(found.verdict)
    The best rate moves as width^0.00 from width 32 to 64; keeping the rate of width 32 costs 0.0000 nats at width 64.
    """
    grid = _final_losses(iter_runs(runs) if isinstance(runs, xr.Dataset) else runs)
    ds = xr.concat([_judge(table, initial) for table, initial in grid.values()], "parameterization", join="outer")
    ds = ds.assign_coords(parameterization=list(grid))
    ds["loss"].attrs |= {"units": "nats/token", "long_name": "final loss"}
    ds["best_rate"].attrs |= {"units": "1", "long_name": "best peak learning rate"}
    ds["regret"].attrs |= {"units": "nats/token", "long_name": "loss added by the best rate of the smallest width"}
    ds["sensitivity"].attrs |= {"units": "nats/token", "long_name": "learning-rate sensitivity"}
    return RateTransfer(ds, " ".join(_sentence(ds.sel(parameterization=name)) for name in grid))


def _final_losses(runs: Iterable[Run]) -> dict[str, tuple[xr.DataArray, float]]:
    """Mean final loss over (width, rate), and the largest loss before the first update, by parameterization."""
    found: dict[str, dict[tuple[float, float], list[float]]] = {}
    initial: dict[str, float] = {}
    for run in runs:
        for name in ("width", "peak_lr"):
            value = getattr(run, name)
            require(bool(np.isfinite(value)), f"run {run.name}: {name}", value, "must be known")
        final = float(run.loss[-1]) if run.status != "diverged" else np.inf
        cells = found.setdefault(run.parameterization, {})
        cells.setdefault((run.width, run.peak_lr), []).append(final)
        initial[run.parameterization] = max(initial.get(run.parameterization, -np.inf), float(run.loss[0]))
    return {name: (_table(name, cells), initial[name]) for name, cells in found.items()}


def _table(name: str, cells: dict[tuple[float, float], list[float]]) -> xr.DataArray:
    widths, rates = (np.array(sorted(set(axis))) for axis in zip(*cells, strict=True))
    said = f"runs{f' of {name}' if name else ''}"
    require(widths.size >= 2, f"{said}: widths", widths.tolist(), "must be two or more")
    require(rates.size >= 3, f"{said}: peak rates", rates.tolist(), "must be three or more")
    loss = np.full((widths.size, rates.size), np.nan)
    for (width, rate), losses in cells.items():
        loss[np.searchsorted(widths, width), np.searchsorted(rates, rate)] = np.mean(losses)
    return xr.DataArray(loss, {"width": widths, "rate": rates}, ("width", "rate"))


def _judge(table: xr.DataArray, initial: float) -> xr.Dataset:
    log_rates, loss = np.log(table["rate"].values), table.values
    best = np.array([_vertex(log_rates, row) for row in loss])
    kept = [_at(log_rates, row, best[0, 0]) for row in loss]
    lowest = best[:, 1]
    known = np.isfinite(best[:, 0])
    log_width = np.log(table["width"].values)
    slope = float(np.polyfit(log_width[known], best[known, 0], 1)[0]) if known.sum() >= 2 else np.nan
    capped = np.where(np.isnan(loss), np.nan, np.minimum(loss, initial))
    return xr.Dataset(
        {
            "loss": table,
            "best_rate": ("width", np.exp(best[:, 0])),
            "best_loss": ("width", lowest),
            "regret": ("width", np.array(kept) - lowest),
            "sensitivity": ("width", np.nanmean(capped, axis=1) - np.nanmin(loss, axis=1)),
            "slope": ((), slope),
        }
    )


def _vertex(x: Array, y: Array) -> tuple[float, float]:
    """Place and height of the minimum: of the parabola through the lowest three neighbours, x NaN at an end."""
    x, y = x[~np.isnan(y)], y[~np.isnan(y)]
    i = int(np.argmin(y))
    if i in (0, y.size - 1) or not np.isfinite(y[i + 1]):
        return np.nan, float(y[i])
    a, b, c = np.polyfit(x[i - 1 : i + 2] - x[i], y[i - 1 : i + 2], 2)
    return float(x[i] - b / (2.0 * a)), float(c - b**2 / (4.0 * a))


def _at(x: Array, y: Array, wanted: float) -> float:
    """Height of the parabola through the three points nearest to the wanted place; infinite if one of them is."""
    if np.isnan(wanted):
        return np.nan
    x, y = x[~np.isnan(y)], y[~np.isnan(y)]
    i = int(np.clip(np.argmin(np.abs(x - wanted)), 1, x.size - 2))
    if not np.isfinite(y[i - 1 : i + 2]).all():
        return float(np.interp(wanted, x, y))
    return float(np.polyval(np.polyfit(x[i - 1 : i + 2] - wanted, y[i - 1 : i + 2], 2), 0.0))


def _sentence(ds: xr.Dataset) -> str:
    ds = ds.dropna("width", subset=["best_loss"])
    name, (first, last) = str(ds["parameterization"].item()), ds["width"].values[[0, -1]].astype(int)
    known, cost = ds["best_rate"].notnull().values, float(ds["regret"][-1])
    start = f"Under {name} the" if name else "The"
    if not known[0]:
        return f"{start} best rate at width {first} is not bracketed by the sweep, so nothing can be said."
    moves = f"moves as width^{float(ds['slope']):.2f}" if known.sum() >= 2 else "is inside the sweep at one width only"
    outside = "" if known.all() else f" (not bracketed by the sweep at {np.sum(~known)} of {known.size} widths)"
    price = f"costs {max(cost, 0.0):.4f} nats" if np.isfinite(cost) else "diverges"
    return (
        f"{start} best rate {moves}{outside} from width {first} to {last}; keeping the rate of width {first} "
        f"{price} at width {last}."
    )
