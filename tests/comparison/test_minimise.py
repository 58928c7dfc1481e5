"""The search of separable laws by itself: where it calls an end converged."""

import numpy as np
import pytest

from scalinglaws.comparison.separable.minimise import minimise
from scalinglaws.fitting import estimator

X = np.linspace(0.0, 3.0, 40)
NOISE = 0.01 * np.random.default_rng(0).standard_normal(X.size)
BOUNDS = np.full(2, -9.0), np.full(2, 9.0)


def search(disturbed=lambda r, theta: r, flat=1e-11):
    """Fit exp(-a x) + b to it with noise."""

    def evaluate(theta):
        a, b = theta
        decay = np.exp(-a * X)
        residuals = decay + b - (np.exp(-X) + 0.5 + NOISE)
        return disturbed(residuals, theta), np.stack([-X * decay, np.ones_like(X)], axis=1)

    return minimise(evaluate, np.array([2.0, 0.0]), estimator("log-l2"), BOUNDS, np.full(2, 2.0), flat=flat)


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
