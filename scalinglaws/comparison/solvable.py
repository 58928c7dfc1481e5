"""A family of runs of the solvable model, labelled like measured ones: the test bed of every comparison.

Sizes are trained for t* = scale d^exponent updates; each seed draws its own features and its own samples, as a seed
of a real run draws its initialisation and its data. The risk takes the place of the loss (its unit is that of the
squared target), samples that of tokens, the number of features that of parameters.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws.curves.family import Run, from_runs
from scalinglaws.errors import require
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD, relative_lr
from scalinglaws.schedules import Schedule
from scalinglaws.simulation import simulate
from scalinglaws.theory.solve import solve

__all__ = ["model_family"]


def model_family(
    alpha: float,
    beta: float,
    *,
    sizes: Sequence[int],
    horizon: tuple[float, float],
    schedule: Schedule,
    batch: int = 1,
    seeds: int | None = 5,
    points: int = 100,
    first_seed: int = 0,
) -> xr.Dataset:
    """Train the power-law random-feature model at several sizes, each for its own horizon.

    Parameters
    ----------
    alpha, beta
        Data and target complexity of the model.
    sizes
        Numbers of features d; v = 4 d.
    horizon
        (scale, exponent) of t* = scale (d / sizes[0])^exponent, in updates.
    schedule
        Its shape is stretched to every horizon; its rate is relative, `relative_lr(schedule)`, so a peak of 0.5
        is a half of 1/(batch * trace).
    seeds
        Simulated runs of each size; None for one run of exact mean risk in the limit of many features.
    points
        Records of each run, evenly spaced.
    first_seed
        Number of the first seed: families without a common seed are independent.

    Returns
    -------
    A family as `read_curves` gives it: `loss` is the risk, `tokens` are samples, `params` is d.

    Examples
    --------
    >>> from scalinglaws import schedules
    >>> runs = model_family(1.0, 0.7, sizes=[32, 64], horizon=(500, 1.4), schedule=schedules.linear(0.5, 500), seeds=2)
    >>> runs.sizes["run"], runs["params"].sum("group").values.tolist()
    (4, [32.0, 32.0, 64.0, 64.0])
    """
    require(len(sizes) > 0, "sizes", list(sizes), "must hold one size or more")
    require(seeds is None or seeds >= 1, "seeds", seeds, "must be 1 or more, or None for the exact mean")
    runs = []
    for d in sizes:
        steps = round(horizon[0] * (d / sizes[0]) ** horizon[1])
        require(steps >= points, "horizon", horizon, f"gives {steps} updates at d = {d}, fewer than {points} points")
        own = schedule.scaled(steps)
        at = np.linspace(0, steps, points + 1).astype(np.int64)[1:]
        model, opt = PLRF(alpha=alpha, beta=beta, d=d), SGD(lr=relative_lr(own), batch=batch)
        if seeds is None:
            runs.append(_label(model, own, batch, at, solve(model, opt, at)["risk"].values, 0))
        for seed in range(first_seed, first_seed + (seeds or 0)):
            risk = simulate(model, opt, at, replicates=1, rng=seed + 1000 * d)["risk"].values[0]
            runs.append(_label(model, own, batch, at, risk, seed))
    return from_runs(runs, {"source": "power-law random-feature model", "alpha": alpha, "beta": beta})


def _label(
    model: PLRF, schedule: Schedule, batch: int, at: NDArray[np.int64], risk: NDArray[np.float64], seed: int
) -> Run:
    return Run(
        name=f"d{model.d}-seed{seed}",
        step=at,
        loss=risk,
        params={"unspecified": model.d},
        tokens=(at * batch).astype(np.float64),
        lr=schedule(at),
        batch=batch,
        seq_len=1,
        peak_lr=schedule.peak,
        seed=seed,
        width=model.d,
        schedule=json.dumps(schedule.to_dict(), sort_keys=True),
    )
