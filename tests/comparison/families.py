"""Synthetic families with a known answer: sums of power laws under a schedule, seed noise as it is measured.

The noise has the two parts that measured losses show: most of it multiplies a whole curve (a run that ends high was
high before), the rest is a random walk in x counted from the end, so that dividing by the end takes the first out and
leaves a deviation that shrinks towards x = 1.
"""

from __future__ import annotations

import numpy as np

from scalinglaws.comparison.collapsing.family import Family
from scalinglaws.curves import Run, from_runs

SIZES = np.geomspace(1e7, 8e7, 8)
L0 = 3.0


def reducible(x, n, *, mu=0.5, nu=0.5, gamma=None, longer=1.0, shape=None):
    """t^-mu + (mu/nu) n^-nu at t = x t*, in units where t* = n^(nu/mu) is compute-optimal; t* is `longer` times it."""
    horizon = longer * (n / 1e7) ** (nu / mu if gamma is None else gamma)
    curve = 0.1 * ((x * horizon) ** -mu + (mu / nu) * (n / 1e7) ** -nu)
    return curve if shape is None else curve * shape(x)


def horizon_of(n, *, mu=0.5, nu=0.5, gamma=None, longer=1.0, **_):
    return longer * (n / 1e7) ** (nu / mu if gamma is None else gamma) * 1e9


def seed_noise(rng, x, common=0.009, walking=0.004):
    """A factor of the whole curve plus a walk that is zero at x = 1 and steps by the falling rate 1 - x."""
    places = np.linspace(0.0, 1.0, 101)
    steps = rng.standard_normal(100) * np.sqrt((1.0 - places[:-1]) / 100 * 2.0)
    walk = np.append(np.cumsum(steps[::-1])[::-1], 0.0)
    return common * rng.standard_normal() + walking * np.interp(x, places, walk)


def one_run(n, *, noise=None, lr=None, points=None, **options):
    """One run, logged at log-spaced and then even x."""
    facts = {
        k: options.pop(k) for k in ("name", "seed", "width", "peak_lr", "batch", "status", "schedule") if k in options
    }
    x = (
        np.unique(np.concatenate([np.geomspace(1e-3, 0.1, 60), np.linspace(0.1, 1.0, 181)]))
        if points is None
        else points
    )
    step = np.maximum(np.rint(x * horizon_of(n, **options) / 1e4), 1).astype(np.int64)
    step, first = np.unique(step, return_index=True)
    curve = reducible(x, n, **options) * (1.0 + (0.0 if noise is None else seed_noise(noise, x)))
    return Run(
        **{"name": f"{n:.4g}", "peak_lr": 1.0, "batch": 10.0, "seq_len": 1000.0, **facts},
        step=step,
        loss=L0 + curve[first],
        params={"unspecified": float(n)},
        tokens=step * 1e4,
        lr=(1.0 - x if lr is None else lr(x))[first],
    )


def runs_of(*, seeds=5, rng=0, sizes=SIZES, odd=None, fault=None, noisy=True, **options):
    """The runs of a family, the size of index `odd` changed by the keyword arguments `fault`."""
    generator = np.random.default_rng(rng)
    noise = generator if noisy else None
    return [
        one_run(n, noise=noise, name=f"{k}/{seed}", seed=float(seed), **(options | (fault if k == odd else {})))
        for k, n in enumerate(sizes)
        for seed in range(seeds)
    ]


def family(**options):
    """`runs_of` as a labelled family."""
    return from_runs(runs_of(**options))


def on_a_grid(x, *, seeds=5, rng=0, sizes=SIZES, odd=None, fault=None, **options):
    """The same family as plain arrays on a grid of x, without the detour over runs: for counting false alarms."""
    generator = np.random.default_rng(rng)
    rows = []
    for k, n in enumerate(sizes):
        for _ in range(seeds):
            with np.errstate(divide="ignore"):
                curve = reducible(x, n, **(options | (fault if k == odd else {})))
            rows.append(L0 + np.where(np.isfinite(curve), curve, np.nan) * (1.0 + seed_noise(generator, x)))
    loss = np.stack(rows)
    group = np.repeat(np.arange(len(sizes)), seeds)
    ends = np.array([n * horizon_of(n, **(options | (fault if k == odd else {}))) for k, n in enumerate(sizes)])
    return Family(
        x=x,
        names=tuple(f"{i}" for i in range(group.size)),
        group=group,
        sizes=np.asarray(sizes, dtype=np.float64),
        labels=tuple(f"{n:.3g}" for n in sizes),
        loss=loss,
        final=loss[:, -1],
        compute=6.0 * ends[group],
        in_flops=True,
    )
