import math

import numpy as np
import pytest

from scalinglaws.errors import InputError
from scalinglaws.models import PLRF
from scalinglaws.theory.contour import interval_contour
from scalinglaws.theory.limit import feature_limit
from scalinglaws.theory.modes import limit_modes


@pytest.mark.parametrize("alpha", [0.55, 0.6, 0.7, 0.75, 1.0, 1.25, 1.5, 2.0])
def test_kappa_at_infinite_ratio(alpha: float) -> None:
    """tau d^(-2 alpha) -> ((pi/2a)/sin(pi/2a))^(-2a), up to the half term 1/d of sum against integral."""
    x = math.pi / (2 * alpha)
    closed = (x / math.sin(x)) ** (-2 * alpha)
    errors = []
    for d in (10**6, 10**7):
        limit = feature_limit(PLRF(alpha=alpha, beta=0.7, d=d, v=math.inf))
        errors.append(1.0 / (limit.resolvent.kappa_0 * float(d) ** (2 * alpha)) / closed - 1)
    assert abs((10 * errors[1] - errors[0]) / 9) < 1e-10  # Richardson in 1/d leaves 1/d^2


@pytest.mark.parametrize(
    ("ratio", "kappa"), [(2, 0.7360881855), (4, 0.5151604015), (10, 0.4418347717), (100, 0.4086034708)]
)
def test_kappa_at_finite_ratio(ratio: int, kappa: float) -> None:
    found = []
    for d in (10**6, 2 * 10**6):
        limit = feature_limit(PLRF(alpha=1.0, beta=0.7, d=d, v=ratio * d))
        found.append(1.0 / (limit.resolvent.kappa_0 * d**2))
    assert 2 * found[1] - found[0] == pytest.approx(kappa, rel=1e-9)


@pytest.mark.parametrize(
    ("alpha", "beta", "v", "d", "tau", "irreducible"),
    [
        (1, 0.7, 400, 100, 5208.811478, 5.033410584e-4),
        (1, 0.7, 4000, 1000, 515730.8262, 5.647472579e-6),
        (0.7, 0.7, 4000, 1000, 7336.59015, 3.923690963e-4),
        (0.4, 1, 4000, 1000, 103.3096443, 1.556048175e-2),
        (0.3, 0.7, 4000, 1000, 24.87637311, 1.032164492e-1),
        (0.3, 0.3, 4000, 1000, 24.87637311, 1.078874509),
        (1, 1, 10000, 1000, 442295.0324, 3.713749912e-6),
        (0.75, 0.25, 1000, 100, 364.9795662, 4.235766634e-2),
        (0.25, 2, 1000, 100, 1.920907497, 0.3662798861),
        (1, 2, 400, 100, None, 2.077272e-4),
        (1, 2, 800, 200, None, 5.223024e-5),
        (1, 2, 1600, 400, None, 1.309440e-5),
    ],
)
def test_tau_and_irreducible_risk(
    alpha: float, beta: float, v: int, d: int, tau: float | None, irreducible: float
) -> None:
    limit = feature_limit(PLRF(alpha=alpha, beta=beta, d=d, v=v))
    if tau is not None:
        assert 1 / limit.resolvent.kappa_0 == pytest.approx(tau, rel=1e-8)
    assert limit.irreducible == pytest.approx(irreducible, rel=1e-8 if tau is not None else 5e-7)


@pytest.mark.parametrize(
    ("alpha", "v", "d", "gap"),
    [(1, 400, 100, 3.7220097e-5), (0.7, 800, 200, 3.0858611e-4), (0.4, 800, 200, 1.0141962e-2)],
)
def test_left_edge(alpha: float, v: int, d: int, gap: float) -> None:
    assert feature_limit(PLRF(alpha=alpha, beta=1, d=d, v=v)).gap == pytest.approx(gap, rel=1e-7)


def test_left_edge_at_large_size() -> None:
    edge = feature_limit(PLRF(alpha=1.0, beta=1, d=10**5, v=10**8)).gap * 1e10
    assert edge == pytest.approx(0.615847, abs=2e-6)
    infinite = feature_limit(PLRF(alpha=1.0, beta=1, d=10**7, v=math.inf)).gap * 1e14
    assert infinite == pytest.approx(math.pi**2 / 16, rel=1e-6)
    steeper = feature_limit(PLRF(alpha=1.5, beta=1, d=10**5, v=10**8)).gap * 1e15
    assert steeper == pytest.approx(0.261930, abs=2e-6)


@pytest.mark.parametrize(("alpha", "d"), [(0.2, 300), (0.4, 10**6), (1.0, 100), (1.5, 10**9)])
def test_contour_counts_eigenvalues_and_energy(alpha: float, d: int) -> None:
    model = PLRF(alpha=alpha, beta=0.7, d=d)
    limit = feature_limit(model)
    modes = limit_modes(limit, edge=3.0 * limit.top, label_noise=0.0)
    # source_k stands for lambda^2 in sums over eigenvalues
    assert (modes.source / modes.z**2).sum().real == pytest.approx(d, rel=1e-8)
    assert (modes.source / modes.z).sum().real == pytest.approx(model.trace, rel=1e-10)
    assert modes.initial.sum().real + modes.floor == pytest.approx(model.initial_risk, rel=1e-12)


def test_root_mean_square_functional() -> None:
    """sum_i c_i sqrt(lambda_i) exp(-k lambda_i) with c_i lambda_i the target's energy in mode i."""
    limit = feature_limit(PLRF(alpha=1.0, beta=1.0, d=1000, v=10_000))
    modes = limit_modes(limit, edge=3.0 * limit.top, label_noise=0.0)
    found = [(modes.initial * modes.z**-0.5 * np.exp(-k * modes.z)).sum().real for k in range(1, 11)]
    expected = [0.546595, 0.287708, 0.180793, 0.131993, 0.106339]
    expected += [0.090601, 0.079623, 0.071281, 0.064618, 0.059142]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    one = PLRF(alpha=1.0, beta=1.0, d=1000, v=10_000).instance(0)
    sample = np.exp(-np.outer(np.arange(1, 11), one.eigenvalues)) @ (one.rho**2 / np.sqrt(one.eigenvalues))
    np.testing.assert_allclose(sample, expected, rtol=0.1)  # one draw fluctuates by several per cent


@pytest.mark.parametrize(("alpha", "d"), [(0.3, 200), (1.0, 10**4), (1.5, 10**8)])
def test_kappa_solves_the_self_consistent_equation(alpha: float, d: int) -> None:
    """m + (1/d) sum_j s_j m / (s_j m - z) = 1 with z = -kappa m, on a contour and on the real axis."""
    model = PLRF(alpha=alpha, beta=0.7, d=d)
    limit, p = feature_limit(model), model.population
    points = [0.5 * limit.gap, -limit.gap, -1.0]
    for z in points:
        kappa = limit.resolvent.kappa_0 + limit.shift_below(z)
        m = -z / kappa
        assert m + p.count @ (p.s * m / (p.s * m - z)) / d == pytest.approx(1.0, abs=1e-12)
    kappa = limit.kappa_above(2 * limit.top)
    m = -2 * limit.top / kappa
    assert m + p.count @ (p.s * m / (p.s * m - 2 * limit.top)) / d == pytest.approx(1.0, abs=1e-12)


def test_contour_encloses_what_it_should() -> None:
    for low, high in ((1e-30, 0.999), (1e-6, 1.9), (0.3, 0.31)):
        y, weight = interval_contour(low, high)
        for inside in (low, math.sqrt(low * high), high):
            assert 2 * (weight / (y - inside)).sum().real == pytest.approx(1.0, abs=1e-11)
        for outside in (0.0, -1.0, 2.0):
            assert abs(2 * (weight / (y - outside)).sum().real) < 1e-11
        assert np.all(abs(1 - y) <= 1)


def test_square_features_are_refused() -> None:
    with pytest.raises(InputError, match="v = 50: must exceed d = 50 in the deterministic limit"):
        feature_limit(PLRF(alpha=1.0, beta=0.7, d=50, v=50))
