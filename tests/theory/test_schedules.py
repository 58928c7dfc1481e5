"""Changing rates and batches: blocks of steps against every step, and the limit against its instances."""

import numpy as np
import pytest

from scalinglaws import schedules
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD, BatchSchedule, relative_lr
from scalinglaws.schedules import Schedule
from scalinglaws.steps import log_steps
from scalinglaws.theory.constant import ConstantRate
from scalinglaws.theory.limit import feature_limit
from scalinglaws.theory.modes import instance_modes, limit_modes
from scalinglaws.theory.solve import solve
from scalinglaws.theory.stepping import blocks_of_steps, recursion
from tests.theory.cases import PHASES

T = 200_000
SHAPES = {
    "constant": schedules.constant(0.5),
    "warmup": schedules.constant(0.5, warmup=1000),
    "cosine": schedules.cosine(0.5, T, warmup=100),
    "linear": schedules.linear(0.5, T),
    "wsd": schedules.wsd(0.5, T, warmup=37),
    "sqrt": schedules.wsd(0.5, T, cooldown="sqrt"),
    "table": schedules.from_table([0, 300, 50_000, T], [0.5, 0.1, 0.4, 0.0]),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch", [BatchSchedule((0,), (1,)), BatchSchedule((0, 1000, 50_000), (1, 4, 16))])
def test_blocks_equal_every_step(shape: str, batch: BatchSchedule) -> None:
    model = PLRF(alpha=1.0, beta=0.7, d=60, label_noise=1e-4)
    modes, opt = instance_modes(model.instance(0)), SGD(relative_lr(SHAPES[shape]), batch).resolve(model)
    steps = log_steps(2 * T, per_decade=5, zero=True)
    for fast, exact in zip(blocks_of_steps(modes, opt, steps), recursion(modes, opt, steps), strict=True):
        if exact is not None:
            assert fast is not None
            np.testing.assert_allclose(fast, exact, rtol=1e-9)


@pytest.mark.parametrize(("alpha", "beta", "d"), [(1.0, 0.7, 10**6), (0.3, 0.7, 10**4), (1.5, 1.2, 1000)])
def test_blocks_equal_the_contour_integral_at_a_constant_rate(alpha: float, beta: float, d: int) -> None:
    model = PLRF(alpha=alpha, beta=beta, d=d, label_noise=1e-9)
    limit, lr = feature_limit(model), 0.25 / model.trace
    steps = log_steps(1e13, per_decade=2, zero=True)
    opt = SGD(lr, 2).resolve(model)
    risk, forcing, _ = blocks_of_steps(limit_modes(limit, 2 / (3 * lr), 1e-9), opt, steps)
    curves = ConstantRate(limit=limit, lr=lr, batch=2, label_noise=1e-9).curves()
    np.testing.assert_allclose(risk, curves.risk(steps), rtol=1e-8)
    np.testing.assert_allclose(forcing, curves.forcing(steps), rtol=1e-8)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("shape", ["cosine", "wsd"])
def test_limit_is_the_average_over_features(phase: str, shape: str) -> None:
    model = PLRF(*PHASES[phase], d=80)
    opt = SGD(relative_lr(Schedule.from_dict(SHAPES[shape].to_dict() | {"steps": 5000})), {0: 1, 500: 4})
    steps = [10, 100, 1000, 4000, 5000]
    draws = np.array([solve(model, opt, steps, method="instance", rng=i)["risk"].values for i in range(20)])
    limit = solve(model, opt, steps)["risk"].values
    error = draws.std(axis=0, ddof=1) / np.sqrt(20)
    assert np.all(abs(draws.mean(axis=0) - limit) < 4 * error + 2 / model.d * limit)


def test_decay_helps_when_noise_rules() -> None:
    """Label noise and a long run: the cooled-down run ends below the constant one, which has settled."""
    model = PLRF(alpha=1.0, beta=1.5, d=10**6, label_noise=0.1)
    steps = [10**9]
    constant = solve(model, SGD(relative_lr(0.5)), steps)["risk"].item()
    cooled = solve(model, SGD(relative_lr(schedules.wsd(0.5, 10**9))), steps)["risk"].item()
    assert 0.1 < cooled < 0.1001 < constant


def test_too_large_a_rate_for_a_while_is_data() -> None:
    model = PLRF(alpha=1.0, beta=0.7, d=1000)
    brief = solve(model, SGD(schedules.from_table([0, 20, 100], [0.8, 0.2, 0.2])), [0, 10, 10**7])
    assert brief["status"].item() == "finished"
    assert brief["risk"].values[1] > brief["risk"].values[0] > brief["risk"].values[2]
    long = solve(model, SGD(schedules.cosine(4.0, 10**6)), [0, 10, 10**6])
    assert long["status"].item() == "diverged"
    assert np.isfinite(long["risk"].values[:2]).all()
    assert long["risk"].values[2] == np.inf
    assert "overflowed before step 1000000" in long.attrs["reason"]
    exact = solve(model, SGD(schedules.cosine(4.0, 10**6)), [0, 10, 10**6], method="instance", rng=0)
    assert exact["status"].item() == "diverged"
