"""The atlas: exponents measured on a grid of (alpha, beta), beside those that `phase` derives.

`atlas_cell` measures one point and knows nothing of the others, so that cells can be made anywhere in any order and
come out the same to the last bit; `atlas` makes a grid of them, in this process or on any executor.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws._progress import Report, silent
from scalinglaws.curves.schema import SCHEMA
from scalinglaws.errors import InputError, require
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD, relative_lr
from scalinglaws.prediction.frontier import budgets, optimum
from scalinglaws.prediction.sizes import SizeFamily
from scalinglaws.sweep import grid, sweep
from scalinglaws.symbolic import known_phase, phase

__all__ = ["FLOPS", "assemble", "atlas", "atlas_cell"]

Cell = dict[str, float] | str

FLOPS = 1e15
"""Default budget at which the local exponents are taken."""

MEASURED = {
    "size_exponent": "measured local xi in d_star ~ flops^xi",
    "size_exponent_error": "error of discretisation of the measured size exponent",
    "loss_exponent": "measured local eta in risk ~ flops^-eta",
    "loss_exponent_error": "error of discretisation of the measured loss exponent",
    "d_star": "compute-optimal number of parameters",
    "steps": "steps at the optimum",
    "risk": "least expected risk for the budget",
}
_DERIVED = {
    "size_exponent_derived": "derived limit of the size exponent",
    "loss_exponent_derived": "derived limit of the loss exponent",
}


def atlas_cell(
    alpha: float, beta: float, *, flops: float = FLOPS, ratio: int = 4, scale: float = 0.25, batch: int = 1
) -> dict[str, float]:
    """Measure the local compute-optimal exponents at one point (alpha, beta).

    Parameters
    ----------
    alpha, beta
        Data and target complexity.
    flops
        Budget at which the exponents are taken.
    ratio
        v/d, kept while d varies.
    scale
        Rate in units of 1 / (batch * sum_j j^(-2 alpha)).
    batch
        Samples per step.

    Returns
    -------
    The measured `size_exponent`, `loss_exponent`, `size_exponent_error`, `loss_exponent_error` (discretisation),
    `d_star`, `steps` and `risk`, and the limits `size_exponent_derived` and `loss_exponent_derived`.

    Raises
    ------
    InputError
        Outside the region that `phase` knows, or for a budget outside what `frontier` takes.

    Examples
    --------
    >>> cell = atlas_cell(0.9, 0.6)
    >>> round(cell["loss_exponent"], 3), round(cell["loss_exponent_derived"], 3)
    (0.662, 0.667)
    """
    limit = phase(alpha, beta)
    model = PLRF(alpha=alpha, beta=beta, d=1, v=ratio)
    budget = float(budgets(flops)[0])
    best = optimum(SizeFamily(model, SGD(lr=relative_lr(scale), batch=batch)), budget)
    return {name: getattr(best, name) for name in MEASURED} | {
        "size_exponent_derived": limit.size_exponent,
        "loss_exponent_derived": limit.loss_exponent,
    }


def atlas(
    alpha: ArrayLike,
    beta: ArrayLike,
    *,
    flops: float = FLOPS,
    ratio: int = 4,
    scale: float = 0.25,
    batch: int = 1,
    executor: Executor | None = None,
    store: str | os.PathLike[str] | None = None,
    report: Report = silent,
) -> xr.Dataset:
    """Measure the exponents on a grid and put them beside the derived ones.

    A cell takes some 25 ms on one core.

    Parameters
    ----------
    alpha, beta
        Increasing values, shapes (n,) and (m,).
    flops, ratio, scale, batch
        As in `atlas_cell`, for all cells.
    executor
        Makes the cells; None for this process. The result does not depend on it, to the last bit.
    store
        Folder that keeps every cell as it finishes; called again with the same folder, only missing cells are made.
    report
        Told about every finished cell.

    Returns
    -------
    Dataset over `alpha` and `beta` with what `atlas_cell` returns, NaN where there is nothing to measure, `phase`,
    the name of the phase ("" outside the studied region), and `status`: "finished", or why a cell is empty.

    Raises
    ------
    InputError
        For values that do not increase, or options that no cell accepts.

    Examples
    --------
    >>> ds = atlas([0.1, 0.9], [0.2, 0.6], flops=1e12)
    >>> ds["phase"].values.tolist()
    [['', 'Ic'], ['Ia', 'II']]
    >>> bool(abs(ds["loss_exponent"] - ds["loss_exponent_derived"]).max() < 0.05)
    True
    """
    rows, columns = _axis("alpha", alpha), _axis("beta", beta)
    options: dict[str, Any] = {"flops": flops, "ratio": ratio, "scale": scale, "batch": batch}
    SizeFamily(PLRF(alpha=1.0, beta=1.0, d=1, v=ratio), SGD(lr=relative_lr(scale), batch=batch))  # refuses at once
    budgets(flops)
    done = sweep(
        partial(atlas_cell, **options),
        grid(alpha=rows.tolist(), beta=columns.tolist()),
        store=store,
        executor=executor,
        report=report,
    )
    cells: list[Cell] = [cell.failure.sentence if cell.failure else cell.value for cell in done]
    width = columns.size
    return assemble(rows, columns, [cells[k : k + width] for k in range(0, len(cells), width)], **options)


def assemble(alpha: ArrayLike, beta: ArrayLike, cells: Sequence[Sequence[Cell]], **options: float) -> xr.Dataset:
    """Label a grid of cells that were made elsewhere, as `atlas` does.

    Parameters
    ----------
    alpha, beta
        Values of the axes, shapes (n,) and (m,).
    cells
        n rows of m: what `atlas_cell` returned, or a sentence that says why there is nothing.
    options
        What the cells were made with, kept as attributes.
    """
    rows, columns, dims = _axis("alpha", alpha), _axis("beta", beta), ("alpha", "beta")
    variables: dict[str, xr.Variable] = {}
    for name, meaning in (MEASURED | _DERIVED).items():
        values = np.array([[math.nan if isinstance(cell, str) else cell[name] for cell in row] for row in cells])
        variables[name] = xr.Variable(dims, values, {"long_name": meaning, "units": "1"})
    status = [[cell if isinstance(cell, str) else "finished" for cell in row] for row in cells]
    names = [[_name(a, b) for b in columns.tolist()] for a in rows.tolist()]
    variables["phase"] = xr.Variable(dims, np.array(names, dtype=str), {"long_name": "name of the phase"})
    variables["status"] = xr.Variable(dims, np.array(status, dtype=str), {"long_name": "finished, or why not"})
    ds = xr.Dataset(variables, {"alpha": ("alpha", rows), "beta": ("beta", columns)})
    ds.attrs = {"schema": SCHEMA, "version": version("scalinglaws"), "flops": FLOPS, **options}
    return ds


def _axis(name: str, values: ArrayLike) -> NDArray[np.float64]:
    try:
        axis = np.atleast_1d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError):
        raise InputError(f"{name} = {values!r}: must be numbers") from None
    rising = axis.ndim == 1 and axis.size > 0 and bool(np.all(np.isfinite(axis))) and bool(np.all(np.diff(axis) > 0))
    require(rising, name, values, "must be increasing finite numbers")
    return axis


def _name(alpha: float, beta: float) -> str:
    here = known_phase(alpha, beta)
    return "" if here is None else here.name
