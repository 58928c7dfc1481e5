"""The search of separable laws by itself: where it calls an end converged."""

import numpy as np
import pytest

from scalinglaws.comparison.separable.minimise import minimise
from scalinglaws.fitting import estimator

X = np.linspace(0.0, 3.0, 40)
NOISE = 0.01 * np.random.default_rng(0).standard_normal(X.size)
ESTIMATOR = estimator("log-l2")
BOUNDS = np.full(2, -9.0), np.full(2, 9.0)


def search(disturbed=lambda r, theta: r, of=ESTIMATOR, **how):
    """Fit exp(-a x) + b to it with noise."""

    def evaluate(theta):
        a, b = theta
        decay = np.exp(-a * X)
        residuals = decay + b - (np.exp(-X) + 0.5 + NOISE)
        return disturbed(residuals, theta), np.stack([-X * decay, np.ones_like(X)], axis=1)

    return minimise(evaluate, np.array([2.0, 0.0]), of, BOUNDS, np.full(2, 9.0), **how)


def test_a_smooth_objective_converges():
    end = search()
    assert end.converged
    assert end.theta == pytest.approx([1.0, 0.5], abs=0.03)


@pytest.mark.parametrize("phase", range(4))
def test_accuracy_that_ends_before_the_tolerance_is_no_failure(phase):
    """A ripple of 1e-9 that the Jacobian does not know: the last steps gain nothing that can be seen."""
    end = search(lambda r, theta: r + 1e-9 * np.sin(1e9 * theta.sum() + phase + np.arange(r.size)), flat=1e-14)
    assert end.converged
    assert end.theta == pytest.approx(search().theta, abs=1e-5)


def test_an_objective_that_does_not_follow_its_gradient_has_not_converged():
    """Residuals that stay where they are while the Jacobian promises a decrease."""
    assert not search(lambda r, theta: NOISE).converged


def test_damping_makes_the_first_step_from_far_beyond_the_threshold_a_good_one():
    """Where the loss is linear its second derivative vanishes: the plain step is a hundred times too long."""
    far = estimator("huber", 1e-4)
    plain, damped = (search(of=far, iterations=1, damping=share).objective for share in (1e-2, 1.0))
    assert damped < 0.2 * plain
