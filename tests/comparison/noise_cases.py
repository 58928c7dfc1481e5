"""Families whose gradient noise is known exactly, and the published one."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path as File

import numpy as np
import pytest

from scalinglaws import read_curves, schedules
from scalinglaws.comparison.noise import pair_runs
from scalinglaws.comparison.path import Path
from scalinglaws.curves import Run, from_runs, iter_runs

ALPHA, ANSWER, PACE = 0.25, 0.4, 9.0
SCHEDULES = {
    "linear": schedules.linear(0.5, steps=3000),
    "cosine": schedules.cosine(0.5, steps=3000),
    "wsd": schedules.wsd(0.5, steps=3000, decay=0.3),
    "quadratic": schedules.Schedule(shape="quadratic", peak=0.5, steps=3000),
    "multi": schedules.Schedule(shape="multicosine", peak=0.5, steps=3000),
}
FLAT = schedules.constant(0.5, steps=3000)


def truth(schedule, step, *, size=1.0):
    """Loss and trace under the ageing model, by sums over single updates."""
    rates = schedule(np.arange(int(step[-1])))
    tau = np.append(0.0, np.cumsum(rates))
    fall = 1.0 - rates / 0.5
    loss, trace = [], []
    for s in step:
        weight = (tau[: s + 1] / tau[s]) ** PACE
        x = float(np.sum(fall[:s] * np.diff(weight)))
        noise = 0.3 * tau[s] ** -0.35
        trace.append(noise * np.exp(ANSWER * x))
        loss.append(2.0 + size * tau[s] ** -0.45 - ALPHA * fall[s - 1] * trace[-1])
    return np.array(loss), np.array(trace)


def make(name, schedule, *, size=1.0, every=10, stored=True, **fields):
    step = np.unique(np.append(np.geomspace(20, 3000, 3000 // every).astype(np.int64), 3000))
    loss, trace = truth(schedule, step, size=size)
    lr = schedule(np.minimum(step, 2999))
    text = json.dumps(schedule.to_dict()) if stored else name
    params = {"unspecified": 1e6 * size}
    return Run(name=name, step=step, loss=loss, params=params, lr=lr, noise_trace=trace, schedule=text, **fields)


@lru_cache(maxsize=4)
def made(size=1.0, tag=""):
    """Return runs by name: the constant one and five schedules."""
    runs = {"flat": FLAT, **SCHEDULES}
    return {name + tag: make(name + tag, schedule, size=size) for name, schedule in runs.items()}


def family(*runs):
    return from_runs(runs or made().values())


def path_of(run):
    return Path.of_run(run).rate.tolist()


def as_dict(run):
    return {
        "rates": path_of(run),
        "step": run.step.tolist(),
        "loss": run.loss.tolist(),
        "trace": run.noise_trace.tolist(),
    }


DATA = File(__file__).parents[2] / ".." / "shared" / "data"


@lru_cache(maxsize=1)
def published():
    """Return the CIFAR-5M runs of arXiv 2507.02119 under several schedules; skips where they are absent."""
    path = DATA / "supercollapse" / "c5m_schedules.csv.gz"
    if not path.exists():
        pytest.skip("the runs of arXiv 2507.02119 are not beside the checkout")
    return read_curves(path, columns={"tokens": "tokens", "flops": None})


@lru_cache(maxsize=1)
def published_pairs():
    return pair_runs(published())


@lru_cache(maxsize=1)
def hidden_pairs():
    """Return the same without any noise trace."""
    return pair_runs(hidden(published()))


def hidden(runs):
    return from_runs(replace(run, noise_trace=None) for run in iter_runs(runs))


def is_late(pair):
    """Whether the rate stays at its peak for most of the run."""
    rates = pair.target.path.rate
    return rates[rates.size // 2] > 0.999 * rates.max()


def named(rule):
    """Return the published targets whose schedule (its name, whether it falls late) a rule takes."""
    return [p.target.name for p in published_pairs().pairs if rule(p.target.schedule, is_late(p))]
