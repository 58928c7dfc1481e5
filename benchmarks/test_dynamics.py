"""Speed of noise dynamics: a thousand schedules of a hundred modes over a million steps, on one core.

The ratio is against the step-by-step recursion of the same modes, compiled, in processor seconds of one run.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from scalinglaws import schedules
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD
from scalinglaws.schedules import Schedule
from scalinglaws.steps import log_steps
from scalinglaws.theory import dynamics
from scalinglaws.theory.modes import instance_modes
from scalinglaws.theory.stepping import blocks_of_steps, recursion

T = 10**6
MODEL = PLRF(alpha=1.0, beta=0.7, d=100, label_noise=1e-4)
STEPS = log_steps(T, 20)


def shapes(count: int) -> list[Schedule]:
    """Make `count` different schedules of five kinds."""
    vary = np.linspace(0.05, 0.95, count // 5)
    made = [
        [schedules.cosine(0.3, T, floor=x, warmup=1000) for x in vary],
        [schedules.linear(0.3 * x, T) for x in vary],
        [schedules.wsd(0.3, T, decay=x, warmup=int(1000 * x)) for x in vary],
        [schedules.wsd(0.3, T, decay=x, cooldown="sqrt") for x in vary],
        [schedules.two_stage(0.3, T, at=int(T * x), rate=0.1) for x in vary],
    ]
    return [schedule for kind in made for schedule in kind]


def seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """Compile before anything is timed."""
    small = PLRF(alpha=1.0, beta=0.7, d=5)
    dynamics.integrate(dynamics.plrf(small, rng=0), 0.1, [1000])
    recursion(instance_modes(small.instance(0)), SGD(0.1).resolve(small), np.array([10]))


def test_a_thousand_schedules(benchmark) -> None:
    modes, given = dynamics.plrf(MODEL, rng=0), shapes(1000)
    values = benchmark.pedantic(dynamics.sweep, (modes, given, STEPS), rounds=1)
    assert np.isfinite(values).all()
    some = given[::100]
    one, exact = instance_modes(MODEL.instance(0)), []
    fast = seconds(lambda: dynamics.sweep(modes, some, STEPS)) / len(some)
    opts = [SGD(schedule).resolve(MODEL) for schedule in some]
    slow = seconds(lambda: exact.extend(recursion(one, opt, STEPS)[0] for opt in opts)) / len(some) / 2
    blocks = seconds(lambda: blocks_of_steps(one, opts[0], STEPS))
    error = abs((values[::100] - exact) / (np.array(exact) - one.floor)).max()
    benchmark.extra_info["milliseconds each"] = 1e3 * fast
    benchmark.extra_info["every step over this"] = slow / fast  # half: it runs forcing and risk apart
    benchmark.extra_info["blocks in NumPy over this"] = blocks / fast
    benchmark.extra_info["largest relative error of what is reducible"] = float(error)
    assert error < 1e-9
    assert 1000 * fast < 10.0


@pytest.mark.parametrize("name", ["plrf", "flow", "noisy_quadratic", "functional"])
def test_one_curve_of_each_model(benchmark, name: str) -> None:
    quadratic = {"p": 1.117, "q": 0.588, "P": 3.581, "Q": 0.936, "e_irr": 0.449, "R": 4.283, "r": 1.485}
    modes = {
        "plrf": lambda: dynamics.plrf(MODEL, rng=0),
        "flow": lambda: dynamics.plrf(MODEL, rng=0).as_flow(),
        "noisy_quadratic": lambda: dynamics.noisy_quadratic(64_000_000, **quadratic),
        "functional": lambda: dynamics.functional(0.5, 2.0, label_noise=0.1),
    }[name]()
    benchmark.extra_info["modes"] = modes.rates.size
    benchmark(dynamics.integrate, modes, schedules.wsd(0.3, T, warmup=1000), STEPS)
