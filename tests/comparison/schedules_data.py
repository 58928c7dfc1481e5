"""Families for the tests of schedule laws: made from a law, or the measured ones beside the checkout."""

import json
from pathlib import Path

import numpy as np
import pytest

from scalinglaws import schedules
from scalinglaws.comparison.path import Path as Rates
from scalinglaws.comparison.schedule_laws import find_schedule_law
from scalinglaws.curves import Run, from_runs, read_curves

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
TRAIN = ("cosine_24000", "constant_24000", "wsdcon_9")
PEAK, FLOOR, WARMUP = 3e-4, 3e-5, 2160

MOMENTUM = {"L0": 3.0, "A": 0.5, "C": 0.8, "alpha": 0.5, "forget": 0.01}
MULTI_POWER = {"L0": 3.0, "A": 0.5, "B": 400.0, "alpha": 0.5, "C": 2.0, "beta": 0.6, "gamma": 0.6}
FUNCTIONAL = {"L0": 3.0, "A": 0.5, "B0": 300.0, "B1": 60.0, "s": 0.5, "C": 300.0, "gamma": 0.6}
VALUES = {"momentum": MOMENTUM, "multi-power": MULTI_POWER, "functional": FUNCTIONAL}


def plan(text, steps=3000, warmup=200):
    return schedules.parse(text, peak=PEAK, steps=steps, warmup=warmup)


def family(law, values, plans, noise=0.0, every=40, seed=0, **facts):
    """Runs that obey a law, with relative noise."""
    rng, made = np.random.default_rng(seed), []
    for name, schedule in plans.items():
        step = np.arange(every, schedule.steps + 1, every)
        loss = find_schedule_law(law).predict(values, schedule, step) * np.exp(noise * rng.standard_normal(step.size))
        made.append(
            Run(name=name, step=step, loss=loss, schedule=json.dumps(schedule.to_dict()), **{"params": {}, **facts})
        )
    return from_runs(made)


def measured(size):
    folder = DATA / "multipowerlaw" / f"csv_{size}"
    if not folder.exists():
        pytest.skip("the measured curves are not beside the checkout")
    return read_curves(folder)


def published_rates(name, last):
    """Rates of the published runs as their authors count them: index 0 is before the first update, with rate 0."""
    kind, _, rest = name.partition("_")
    after = np.arange(WARMUP, last + 2)
    if kind == "wsdcon":
        rates = np.where(after < 8000, PEAK, int(rest) * 1e-5)
    elif kind == "constant":
        rates = np.full(after.size, PEAK)
    else:
        end = int(rest.split("_")[-1])
        if kind == "cosine":
            rates = FLOOR + 0.5 * (PEAK - FLOOR) * (1 + np.cos(np.pi * (after - WARMUP) / (end - WARMUP)))
        else:
            done = np.maximum(after - 20_000, 0) / 4000
            rates = PEAK * 0.1**done if kind == "wsd" else PEAK - (PEAK - FLOOR) * done
    return Rates(rate=np.concatenate([np.linspace(0, PEAK, WARMUP), np.maximum(rates, 0.0)]))
