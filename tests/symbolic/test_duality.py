"""The engine on laws with known answers: published fits, other optimizers, brute force, bad input."""

import math

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from scalinglaws.errors import InputError
from scalinglaws.symbolic import cells
from scalinglaws.symbolic.diagram import phase_diagram
from scalinglaws.symbolic.duality import Term, optimum
from tests.naive import phases as naive

A, B, C, D = sp.symbols("a b c d", positive=True)


def test_chinchilla_exponents_and_constants_are_those_of_hoffmann_et_al():
    amplitude, other = sp.symbols("A_N B_D", positive=True)
    law = [Term(name="N", p=A, q=0, c=amplitude), Term(name="D", p=0, q=B, c=other)]
    (only,) = phase_diagram(law, (A, B)).regions
    assert only.text == "everywhere"
    best = only.optimum
    assert sp.simplify(best.size_exponent - B / (A + B)) == 0
    assert sp.simplify(best.loss_exponent - A * B / (A + B)) == 0
    group = (A * amplitude / (B * other)) ** (1 / (A + B))  # their G, equation 4
    at = {A: 0.34, B: 0.28, amplitude: 406.4, other: 410.7}
    assert float((best.size_constant / group).subs(at)) == pytest.approx(1, rel=1e-12)


def test_constants_minimise_the_sum():
    terms = [Term(name="size", p="1/2", q="1/10", c=3), Term(name="time", p="-1/5", q="2/3", c=7)]
    best, flops = optimum(terms, cost=(1, 1)), 1e18
    loss = lambda d: 3 * d**-0.5 * (flops / d) ** -0.1 + 7 * d**0.2 * (flops / d) ** (-2 / 3)  # noqa: E731
    grid = [10 ** (k / 1000) for k in range(3000, 15000)]
    found = min(grid, key=loss)
    size = float(best.size_constant) * flops ** float(best.size_exponent)
    assert size == pytest.approx(found, rel=0.003)
    assert float(best.loss_constant) * flops ** -float(best.loss_exponent) == pytest.approx(loss(found), rel=1e-5)


def test_cost_with_other_powers():
    # f = d^2 t^3: same answer as relabelling size' = d^2, time' = t^3
    terms = [Term(name="x", p=1, q=0), Term(name="y", p=0, q=1)]
    direct = optimum(terms, cost=(2, 3))
    assert (direct.size_exponent, direct.loss_exponent) == (sp.Rational(1, 5), sp.Rational(1, 5))
    assert direct.tradeoff_exponent == 1


exponent = st.fractions(min_value=0, max_value=3, max_denominator=12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(exponent, exponent), min_size=2, max_size=5))
def test_optimum_agrees_with_a_grid_search(pairs):
    terms = [Term(name=str(k), p=sp.Rational(p), q=sp.Rational(q)) for k, (p, q) in enumerate(pairs)]
    try:
        best = optimum(terms)
    except InputError:
        # no balance: the smallest or the largest size is as good as any, or a term is a constant floor
        _, eta = naive.best_on_grid([(float(p), float(q)) for p, q in pairs], 2001)
        ends = (float(min(end)) for end in zip(*((q, p) for p, q in pairs), strict=True))
        assert (0, 0) in pairs or eta == pytest.approx(max(ends), abs=1e-9)
        return
    _, eta = naive.best_on_grid([(float(p), float(q)) for p, q in pairs], 2001)
    assert float(best.loss_exponent) == pytest.approx(eta, abs=2e-3)
    assert 0 < best.size_exponent < 1
    assert all(gap >= 0 for gap in best.gaps.values())


def test_flat_term_gives_the_smallest_optimal_size():
    terms = [Term(name="size", p=1, q=0), Term(name="noise", p="1/2", q="1/2"), Term(name="time", p=0, q=1)]
    best = optimum(terms)
    assert best.size_exponent == sp.Rational(1, 2)
    wide = optimum([Term(name="size", p=2, q=0), *terms[1:]])
    assert wide.size_exponent == sp.Rational(1, 4)
    with pytest.raises(InputError, match="does not change with size"):
        _ = wide.size_constant


def test_three_parameters_are_cut_exactly():
    terms = [Term(name="size", p=A, q=0), Term(name="time", p=0, q=B), Term(name="noise", p=C, q=0)]
    diagram = phase_diagram(terms, (A, B, C))
    assert {region.text for region in diagram.regions} == {"c > a", "a > c"}
    (boundary,) = diagram.boundaries
    assert boundary.curve in (A - C, C - A)
    assert boundary.loss_continuous
    assert boundary.size_continuous


def test_region_without_balance_says_why():
    terms = [Term(name="x", p=A - 1, q=1), Term(name="y", p=1, q=B)]
    diagram = phase_diagram(terms, (A, B))
    reasons = {region.text: region.reason for region in diagram.regions}
    assert any("smallest model is best" in reason for reason in reasons.values())
    assert any("largest model is best" in reason for reason in reasons.values())
    with pytest.raises(InputError, match="must be one of"):
        _ = diagram["II"]


def test_curved_boundary():
    # noise^2 = a^2 + b against the size term 1: the boundary a^2 + b = 1 is a parabola
    terms = [Term(name="size", p=1, q=0), Term(name="noise", p=A**2 + B, q=0), Term(name="time", p=0, q=1)]
    diagram = phase_diagram(terms, (A, B))
    assert {sp.expand(boundary.curve**2) for boundary in diagram.boundaries} == {sp.expand((A**2 + B - 1) ** 2)}


def test_bad_input_is_one_sentence():
    good = Term(name="x", p=1, q=0)
    for call, message in (
        (lambda: optimum([good]), "at least two terms"),
        (lambda: optimum([good, Term(name="E", p=0, q=0)]), "constant floor"),
        (lambda: optimum([good, Term(name="y", p=0, q=B)]), "must give b"),
        (lambda: optimum([good, Term(name="y", p=2, q=0)]), "largest model is best"),
        (lambda: optimum([good, Term(name="y", p=0, q=1)], cost=(0, 1)), "positive powers"),
        (lambda: Term(name="y", p="1/", q=0), "must be a number or a sympy expression"),
        (lambda: Term(name="y", p=math.inf, q=0), "finite"),
        (lambda: Term(name="y", p=1, q=0, when=(sp.false,)), "can be true"),
        (lambda: phase_diagram([good, Term(name="y", p=0, q=sp.sqrt(B))], (B,)), "not a rational function"),
        (lambda: optimum([good, Term(name="y", p=0, q=1, when=(B - 1,))], at={B: 1}), "edge of existence"),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_dana_decaying_terms_of_another_optimizer():
    """Derived by a WKB argument, not compared with the table of arXiv 2505.16098.

    DANA-decaying, gamma_3 ~ t^-kappa with kappa = 1/(2 a), obeys theta'' = -gamma_3(t) lambda theta: its
    phase is sqrt(lambda) t^(1 - kappa/2), so a mode is learned when lambda t^(2 - kappa) ~ 1 and SGD's
    exponents of time are multiplied by 2 - 1/(2 a). Only the engine's arithmetic on these terms is
    confirmed here.
    """
    beta = sp.Symbol("beta", real=True)
    speed = 2 - 1 / (2 * A)
    forcing = Term(name="F_pp", p=0, q=speed * (2 * A + 2 * beta - 1) / (2 * A))
    floor = Term(name="F_0", p=2 * A + 2 * beta - 1, q=0)
    limits = (2 * A > 1, beta < sp.Rational(1, 2), 2 * A + 2 * beta > 1)
    (only,) = phase_diagram([forcing, floor], (A, beta), region=limits).regions
    dana = (2 * A + 2 * beta - 1) * (4 * A - 1) / (4 * A**2 + 4 * A - 1)
    assert sp.simplify(only.optimum.loss_exponent - dana) == 0
    point = {A: sp.Rational(3, 4), beta: sp.Rational(1, 4)}
    assert only.optimum.loss_exponent.subs(point) == sp.Rational(8, 17)  # .470588 against SGD's .4
    faster = sp.simplify(dana - (2 * A + 2 * beta - 1) / (2 * A + 1))
    assert all(faster.subs(point | {A: a}) > 0 for a in (sp.Rational(3, 5), 1, 5))
    slope = forcing.q.subs({A: 1, beta: sp.Rational(7, 10)})
    assert slope == sp.Rational(9, 5)


def test_open_cells_match_a_grid_of_signs():
    x, y = sp.symbols("x y")
    polynomials = cells.irreducible([x**2 + y**2 - 2, x - y, x * y - sp.Rational(1, 2)], (x, y))
    sampled = {cell.signs for cell in cells.open_cells(polynomials, (x, y))}
    grid = {
        tuple(cells.sign_at(p, (sp.Rational(i, 7), sp.Rational(j, 11))) for p in polynomials)
        for i in range(-21, 22)
        for j in range(-33, 34)
    }
    assert {signs for signs in grid if 0 not in signs} <= sampled
    assert len(sampled) == len({signs for signs in grid if 0 not in signs})
