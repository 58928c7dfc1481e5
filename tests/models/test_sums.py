import mpmath as mp
import numpy as np
import pytest

from scalinglaws.models.sums import gram_rule, power_sum_nodes


@pytest.mark.parametrize(("first", "last"), [(1, 5), (65, 128), (1000, 1019), (10**6, 3 * 10**6)])
def test_gram_rule_sums_polynomials_over_integers_exactly(first: int, last: int) -> None:
    nodes, weights = gram_rule(first, last, 8)
    middle, half = (first + last) / 2, (last - first + 1) / 2
    j = (np.arange(first, last + 1) - middle) / half
    for degree in range(16):
        exact = np.sum(j**degree)
        assert weights @ ((nodes - middle) / half) ** degree == pytest.approx(exact, rel=1e-12, abs=1e-12 * half)


@pytest.mark.parametrize("alpha", [0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("angle", [0.0, 90.0, 135.0])
def test_resolvent_sums_against_term_by_term(alpha: float, angle: float) -> None:
    v = 200_000
    j, weights = power_sum_nodes(v, alpha)
    s, every = j ** (-2 * alpha), np.arange(1.0, v + 1.0) ** (-2 * alpha)
    for kappa in np.geomspace(every[-1], 10.0, 12) * np.exp(1j * np.deg2rad(angle)):
        exact = np.sum(every / (every + kappa))
        assert abs(weights @ (s / (s + kappa)) / exact - 1) < (1e-12 if alpha <= 1.5 else 1e-10)


@pytest.mark.parametrize("v", [63, 64, 65, 80, 1000, 12_345])
def test_short_and_odd_ranges(v: int) -> None:
    j, weights = power_sum_nodes(v, alpha=1.0)
    assert weights.sum() == pytest.approx(v, rel=1e-14)
    assert weights @ j**-2.0 == pytest.approx(np.sum(np.arange(1.0, v + 1.0) ** -2), rel=1e-14)


@pytest.mark.parametrize("power", [0.4, 1.0, 1.4, 2.0, 5.4])
@pytest.mark.parametrize("v", [10**9, 10**15])
def test_power_sums_against_hurwitz_zeta(power: float, v: int) -> None:
    with mp.workdps(40):
        if power == 1.0:
            exact = mp.harmonic(v)
        else:
            exact = mp.zeta(mp.mpf(str(power))) - mp.zeta(mp.mpf(str(power)), v + 1)
    j, weights = power_sum_nodes(v, alpha=1.5)
    assert weights @ j**-power == pytest.approx(float(exact), rel=1e-13)


def test_cost_does_not_grow_with_v() -> None:
    assert power_sum_nodes(10**15, 1.0)[0].size < 800
