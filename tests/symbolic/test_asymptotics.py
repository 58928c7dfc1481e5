"""Every derived constant against high-precision sums, integrals or the deterministic equivalent itself."""

import mpmath as mp
import pytest
import sympy as sp

from scalinglaws.symbolic import asymptotics as asy
from scalinglaws.symbolic.asymptotics import ALPHA, BATCH, BETA, KAPPA, RATE, RATIO, SHARE, SIZE, TIME
from scalinglaws.symbolic.mellin import power_law_sum, primitive
from tests.naive import phases as naive


def decaying_sum(sigma, alpha, scale, head=4000):
    """sum_j j^-sigma exp(-T j^(-2 alpha)) over all j: a head summed, a tail by Hurwitz zeta functions."""
    total = mp.fsum(mp.mpf(j) ** -sigma * mp.exp(-scale * mp.mpf(j) ** (-2 * alpha)) for j in range(1, head))
    tail = mp.nsum(lambda k: (-scale) ** k / mp.factorial(k) * mp.zeta(sigma + 2 * alpha * k, head), [0, 60])
    return total + tail


def value(expression, **numbers):
    symbols = {
        "alpha": ALPHA,
        "beta": BETA,
        "d": SIZE,
        "t": TIME,
        "B": BATCH,
        "R": RATIO,
        "gamma": RATE,
        "kappa": KAPPA,
    }
    return mp.mpf(str(sp.N(expression.subs({symbols[k]: sp.nsimplify(str(x)) for k, x in numbers.items()}), 30)))


def test_pure_point_is_the_sum_it_stands_for():
    # What is left out is exponentially small in T^(1/(2 alpha + 1)), so T can be moderate.
    for alpha, beta, t in ((0.75, 0.25, 250), (1.0, 1.5, 1000), (0.3, 0.9, 30)):
        scale = 2 * 0.5 * 2 * t  # 2 gamma B t
        exact = decaying_sum(mp.mpf(2 * alpha + 2 * beta), mp.mpf(alpha), scale)
        derived = value(asy.pure_point().value, alpha=alpha, beta=beta, t=t, B=2, gamma=0.5)
        assert abs(derived / exact - 1) < 1e-9, (alpha, beta)


def test_kernel_is_the_sum_it_stands_for():
    bulk = next(case for case in asy.kernel() if case.part == "bulk")
    assert bulk.when == (4 * ALPHA - 1,)
    for alpha, t in ((0.3, 30), (0.5, 100), (1.0, 1000)):
        exact = mp.mpf("0.5") ** 2 * 2 * decaying_sum(mp.mpf(4 * alpha), mp.mpf(alpha), 2 * t)
        derived = value(bulk.value, alpha=alpha, t=t, B=2, gamma=0.5)
        assert abs(derived / exact - 1) < 1e-9, alpha


def test_kernel_below_one_quarter_is_constant_and_set_by_its_edge():
    edge = next(case for case in asy.kernel() if case.part == "edge")
    assert not edge.value.has(TIME)
    alpha, d = 0.1, 10**6
    plain = sum(j ** (-4 * alpha) for j in range(1, d + 1))
    assert float(value(edge.value, alpha=alpha, d=d, B=1, gamma=1)) == pytest.approx(plain, rel=1e-3)


def test_sum_of_forcing_in_noise_is_the_sum_over_modes():
    bulk = asy.noise()[0]
    ratio = sp.simplify(bulk.value / asy.kernel()[0].value)
    rate, batch, beta, modes = 0.01, 2, 0.8, 10**4
    derived = float(value(ratio, beta=beta, gamma=rate, B=batch))
    # alpha = 1: sum over steps of w_j g(s_j)^r, g(z) = 1 - 2 gamma B z + gamma^2 B (B + 1) z^2
    steps = 0.0
    for j in range(1, modes):
        z = j**-2.0
        steps += j ** (-2 - 2 * beta) / (2 * rate * batch * z - rate**2 * batch * (batch + 1) * z**2)
    steps += float(mp.zeta(2 * beta, modes)) / (2 * rate * batch)
    assert derived == pytest.approx(steps, rel=0.01)  # equal to first order in the rate


PUBLISHED_KAPPA = {
    "0.55": 0.078250628434,
    "0.6": 0.137151844688,
    "0.7": 0.228521909542,
    "0.75": 0.265893687551,
    "1": 0.405284734569,
    "1.25": 0.498300305933,
    "1.5": 0.565595624636,
    "2": 0.657022864300,
}


def test_kappa_closed_form():
    kappa = asy.kappa_unbounded()
    assert kappa.when == (2 * ALPHA - 1,)
    for alpha, expected in PUBLISHED_KAPPA.items():
        assert float(value(kappa.value, alpha=alpha)) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("ratio", "expected"), [(2, 0.7360881855), (4, 0.5151604015), (10, 0.4418347717)])
def test_kappa_at_finite_ratio_solves_its_equation(ratio, expected):
    equation = asy.kappa_equation().subs({ALPHA: 1, RATIO: ratio})
    solved = mp.findroot(lambda k: mp.mpf(str(equation.lhs.subs(KAPPA, sp.Float(str(k))).evalf(15))) - 1, 0.5)
    assert float(solved) == pytest.approx(expected, rel=1e-9)


def test_irreducible_risk_with_head_and_bulk_is_the_sum_it_stands_for():
    # For 2 beta > 1 the head leads and the bulk is the first correction: together they leave 1/tau.
    bulk, head = asy.irreducible(sp.oo)
    assert head.when == (2 * BETA - 1,)
    assert set(bulk.when) == {1 - 2 * BETA, 2 * ALPHA + 2 * BETA - 1}
    tau = mp.mpf(10) ** 6
    for alpha, beta in ((1.0, 0.7), (0.75, 0.25), (0.7, 0.3)):
        exact = _resolvent_sum(alpha, beta, tau)
        numbers = {"alpha": alpha, "beta": beta, "kappa": "1000000", "d": 1}
        parts = value(bulk.value, **numbers) + value(head.value, **numbers)
        assert abs(parts / exact - 1) < 1e-6, (alpha, beta)
        leading, other = (head, bulk) if 2 * beta > 1 else (bulk, head)
        assert value(leading.value, **numbers) > 3 * abs(value(other.value, **numbers)), (alpha, beta)


def _resolvent_sum(alpha, beta, tau):
    cut, total = 2000, mp.mpf(0)
    a, b = mp.mpf(alpha), mp.mpf(beta)
    for j in range(1, cut):
        total += mp.mpf(j) ** (-2 * a - 2 * b) / (1 + tau * mp.mpf(j) ** (-2 * a))
    term = lambda x: x ** (-2 * a - 2 * b) / (1 + tau * x ** (-2 * a))  # noqa: E731
    start = mp.mpf(cut)
    tail = mp.quad(lambda y: term(mp.exp(y)) * mp.exp(y), [mp.log(start), 12, 20, 40, 80, 400])
    return total + tail + term(start) / 2 - mp.diff(term, start) / 12


def test_irreducible_bulk_at_finite_ratio_tends_to_the_closed_form():
    at = {ALPHA: sp.Rational(3, 4), BETA: sp.Rational(1, 4), KAPPA: sp.Rational(1, 3), SIZE: 1}
    closed = asy.irreducible(sp.oo)[0].value.subs(at).evalf()
    finite = [asy.irreducible(ratio)[0].value.subs(at).evalf() for ratio in (10, 10**5)]
    missing = [float(1 - part / closed) for part in finite]
    assert missing[0] > missing[1] > 0
    assert missing[1] < 1e-4  # the tail falls as R^(1 - 2 alpha - 2 beta) = 1/R


@pytest.mark.parametrize(
    ("alpha", "beta", "tau", "risk"),
    [(1.0, 0.7, 515730.8262, 5.647472579e-6), (0.4, 1.0, 103.3096443, 1.556048175e-2)],
)
def test_irreducible_at_finite_size(alpha, beta, tau, risk):
    """v = 4000, d = 1000 (published sums): kappa within the size's correction, F_0 within head and bulk."""
    equation = asy.kappa_equation().subs({ALPHA: sp.nsimplify(str(alpha)), RATIO: 4})
    kappa = mp.findroot(lambda k: mp.mpf(str(equation.lhs.subs(KAPPA, sp.Float(str(k))).evalf(12))) - 1, 0.5)
    scale = 1000.0 ** (2 * alpha)
    assert float(kappa) * scale == pytest.approx(tau, rel=0.05)
    head = asy.irreducible()[1].value
    leading = float(value(head, alpha=alpha, beta=beta, kappa=tau / scale, d=1000))
    assert leading == pytest.approx(risk, rel=0.1)


def test_left_edge_limits():
    edge = asy.left_edge()
    assert sp.simplify(edge.subs(ALPHA, 1) - sp.pi**2 / 16) == 0
    assert float(value(edge, alpha="1.5")) == pytest.approx(0.261933, abs=1e-6)
    # the definition: the largest z on the negative axis of u, by search
    c, g = (mp.pi / 3) / mp.sin(mp.pi / 3), 1 - mp.mpf(1) / 3
    largest = max(-1 / y + c * y**-g for y in (mp.mpf(k) / 1000 for k in range(500, 20000)))
    assert float(value(edge, alpha="1.5")) == pytest.approx(float(largest), rel=1e-6)


def test_stable_rate_on_both_sides():
    above, below = asy.stable_rate()
    assert above.when == (2 * ALPHA - 1,)
    assert below.when == (1 - 2 * ALPHA,)
    for case, alpha in ((above, 0.9), (below, 0.2)):
        rate = float(case.value.subs({ALPHA: sp.nsimplify(str(alpha)), RATIO: 4, SIZE: 50000, SHARE: 1}))
        trace = sum(j ** (-2 * alpha) for j in range(1, 200001))
        assert rate * trace / 2 == pytest.approx(1, rel=0.01)
    assert sp.simplify(SIZE * sp.diff(below.value, SIZE) / below.value) == 2 * ALPHA - 1


def test_forcing_and_kernel_against_the_deterministic_equivalent():
    """F_pp + F_ac and K_pp are the whole of F - F_0 and K in the large-size limit (batch 1)."""
    alpha, beta, d, v = 1.0, 1.5, 2000, 8000
    rate, times = 0.3, (300.0, 3000.0)
    forcing, kernel = naive.contour_forcing_and_kernel(alpha, beta, d, v, rate, times)
    continuous = next(case for case in asy.continuous() if case.part == "bulk")
    for t, exact_forcing, exact_kernel in zip(times, forcing, kernel, strict=True):
        at = {"alpha": alpha, "beta": beta, "t": t, "B": 1, "gamma": rate, "d": d}
        pure, spread = (float(value(c.value, **at)) for c in (asy.pure_point(), continuous))
        assert pure + spread == pytest.approx(exact_forcing, rel=0.03)
        assert float(value(asy.kernel()[0].value, **at)) == pytest.approx(exact_kernel, rel=0.01)
    assert spread > 50 * pure  # the last time is well inside the regime that only F_ac explains


def test_mellin_conditions_and_signs():
    sigma, u, scale, size = sp.symbols("sigma u T J", positive=True)
    bulk, head, edge = power_law_sum(sigma, sp.Integer(2), 1 / (1 + u), scale, size)
    assert (bulk.part, head.part, edge.part) == ("bulk", "head", "edge")
    assert set(bulk.when) == {sigma - 1, 3 - sigma}
    assert head.when == (sigma - 3,)
    assert edge.when == (1 - sigma,)
    assert primitive((1 - 2 * ALPHA) / ALPHA) == 1 - 2 * ALPHA
