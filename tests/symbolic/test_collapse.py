"""Collapse of sums of power laws: published and exact values, and the theorem's error exponent measured."""

import numpy as np
import pytest
import sympy as sp

from scalinglaws.comparison.collapsing.deviation import deviation, normalise
from scalinglaws.errors import InputError
from scalinglaws.symbolic.collapse import collapse_of, power_law_sum
from scalinglaws.symbolic.duality import Term, optimum
from scalinglaws.symbolic.terms import ALPHA, BETA, sgd_terms

SIZES = 10.0 ** np.arange(1, 10)


def two(mu, nu, a=1, b=1):
    return [Term(name="data", p=0, q=mu, c=a), Term(name="size", p=nu, q=0, c=b)]


def curves(terms, gamma, x, scale=1.0, sizes=SIZES):
    """Normalised curves of the whole sum, shape (sizes, x)."""
    horizon = scale * sizes**gamma
    loss = power_law_sum(terms, sizes[:, None], horizon[:, None] * x)
    return normalise(loss, power_law_sum(terms, sizes, horizon), 0.0)


@pytest.mark.parametrize(
    ("mu", "nu", "expected"),
    [(0.5, 0.5, [2.0811388, 1.5, 1.2071068]), (0.3, 0.4, [1.5687213, 1.2946948, 1.1320825])],
)
def test_published_curves_of_two_terms(mu, nu, expected):
    x = np.array([0.1, 0.25, 0.5])
    found = collapse_of(two(mu, nu))
    assert found.gap == sp.oo
    assert float(found.gamma) == pytest.approx(nu / mu)
    np.testing.assert_allclose(found.curve(x), expected, atol=1e-6)
    np.testing.assert_allclose(found.curve(x), (nu / mu * x**-mu + 1) / (nu / mu + 1), rtol=1e-12)


def test_amplitudes_do_not_change_the_curve_at_the_optimum():
    x = np.linspace(0.05, 1, 20)
    np.testing.assert_allclose(collapse_of(two(0.3, 0.4, 7, 0.2)).curve(x), collapse_of(two(0.3, 0.4)).curve(x))


@pytest.mark.parametrize(("gamma", "expected"), [(0.9, 0.041442), (1.0, 0.0), (1.1, 0.049792)])
def test_deviation_of_two_terms_is_zero_only_at_the_right_horizon(gamma, expected):
    spread = deviation(curves(two(0.5, 0.5), gamma, np.array([0.25])))[0]
    assert spread == pytest.approx(expected, abs=1e-5 if expected else 1e-15)


def test_phase_two_of_the_solvable_model():
    found = collapse_of(sgd_terms(), {ALPHA: 0.6, BETA: 0.52})
    assert float(found.gamma) == pytest.approx(1.1538462, abs=1e-6)
    powers = {name: float(power) for name, power in found.powers.items() if name != "K_pp"}
    assert powers == pytest.approx({"F_0": 1.2, "F_pp": 1.1923077, "F_ac": 1.1923077}, abs=1e-6)
    unit = [Term(name=term.name, p=term.p, q=term.q) for term in found.terms if term.name != "K_pp"]
    for factor, expected in ((0.9, 0.145059), (1.0, 0.007780), (1.1, 0.148264)):
        spread = deviation(curves(unit, factor * float(found.gamma), np.array([0.25])))[0]
        assert spread == pytest.approx(expected, abs=1e-5)


def test_slope_at_the_end_is_the_frontier_exponent():
    found = collapse_of(two(0.5, 0.5))
    h = 1e-5
    assert (found.curve(1 + h) - found.curve(1 - h)) / (2 * h) == pytest.approx(-0.25, abs=1e-8)
    assert float(optimum(two(0.5, 0.5)).loss_exponent) == 0.25
    budgets = np.geomspace(1e6, 1e12, 13)
    least = [power_law_sum(two(0.5, 0.5), p := np.geomspace(1, c, 20001), c / p).min() for c in budgets]
    np.testing.assert_allclose(np.gradient(np.log(least), np.log(budgets)), -0.25, atol=1e-4)


def test_error_of_the_limit_falls_with_the_gap():
    terms = [*two(0.5, 0.5), Term(name="cross", p=0.4, q=0.3, c=0.7)]
    found, x = collapse_of(terms), np.array([0.1, 0.3])
    assert found.gap == sp.Rational(1, 5)
    sizes = np.array([1e10, 1e15])
    error = np.abs(curves(terms, 1.0, x, sizes=sizes) - found.curve(x)).max(axis=1)
    assert np.log(error[0] / error[1]) / np.log(1e5) == pytest.approx(0.2, abs=0.01)


def test_a_wrong_horizon_ends_in_one_power_law():
    x = np.array([0.1, 0.5])
    np.testing.assert_allclose(collapse_of(two(0.5, 0.5), gamma=1.5).curve(x, scale=1.0), 1.0)
    np.testing.assert_allclose(collapse_of(two(0.5, 0.5), gamma=0.5).curve(x, scale=1.0), x**-0.5)


def test_mistakes():
    with pytest.raises(InputError, match="smallest model is best"):
        collapse_of([Term(name="a", p=0, q=0.5), Term(name="b", p=0, q=0.2)])
    with pytest.raises(InputError, match="must be two terms at the optimal gamma"):
        collapse_of(two(0.5, 0.5), gamma=2).optimal_scale()
    with pytest.raises(InputError, match="term F_pp"):
        power_law_sum(sgd_terms(), 1.0, 1.0)
