"""Two producers that share nothing but the model: the mean of simulated runs and the exact expectation."""

import numpy as np
import pytest

from scalinglaws import schedules
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD, relative_lr
from scalinglaws.simulation import simulate
from scalinglaws.steps import log_steps
from scalinglaws.theory.solve import solve
from tests.simulation.test_monte_carlo import PHASES, assert_mean


@pytest.mark.parametrize("phase", PHASES)
def test_instance_in_every_phase(phase):
    alpha, beta = PHASES[phase]
    model, opt = PLRF(alpha=alpha, beta=beta, d=100), SGD(lr=relative_lr(0.4), batch=4)
    steps = log_steps(5000, per_decade=3, zero=True)
    runs = simulate(model, opt, steps, replicates=64, rng=5)
    assert_mean(runs, solve(model, opt, steps, method="instance", rng=5)["risk"].values)


def test_instance_with_schedules():
    model = PLRF(alpha=0.9, beta=0.6, d=60, label_noise=0.01)
    opt = SGD(lr=relative_lr(schedules.cosine(0.5, 3000, warmup=100)), batch={0: 2, 1000: 16})
    steps = log_steps(3000, per_decade=4)
    runs = simulate(model, opt, steps, replicates=200, rng=6)
    assert_mean(runs, solve(model, opt, steps, method="instance", rng=6)["risk"].values)


def test_a_generator_in_the_same_state_gives_the_same_features():
    model, opt = PLRF(alpha=1.0, beta=0.7, d=30), SGD(lr=0.1)
    simulated = simulate(model, opt, [0], rng=np.random.default_rng(3))["risk"].item()
    solved = solve(model, opt, [0, 50], method="instance", rng=np.random.default_rng(3), components=True)
    floor = simulate(model, SGD(lr=0.02), [10**5], rng=np.random.default_rng(3), replicates=8)["risk"]
    assert simulated == pytest.approx(solved["risk"].values[0], rel=1e-12)
    assert float(floor.min()) > solved["irreducible"].item()
    assert float(floor.mean()) < 1.5 * solved["irreducible"].item()
