"""Other papers' exponents in their own letters are these phases under a dictionary, exactly."""

import pytest
import sympy as sp

from scalinglaws.symbolic import derivation
from scalinglaws.symbolic.asymptotics import ALPHA, BETA
from scalinglaws.symbolic.diagram import phase_diagram
from scalinglaws.symbolic.duality import Term
from scalinglaws.symbolic.terms import sgd_terms


@pytest.fixture(scope="module")
def derived():
    return derivation.derive()


def equal(left, right):
    return sp.simplify(left - right) == 0


def term(name, *conditions):
    (found,) = [t for t in sgd_terms() if t.name == name and all(c in t.when for c in conditions)]
    return found


def test_feature_learning_lazy_exponents_are_phases_ia_ii_iii(derived):
    """Bordelon, Atanasov, Pehlevan, arXiv 2409.17858: capacity a_B, source b_B; hard, easy, super-easy."""
    capacity, source = 2 * ALPHA, 1 + (2 * BETA - 1) / (2 * ALPHA)
    assert equal(capacity * source / (capacity + 1), derived["Ia"].optimum.loss_exponent)
    assert equal(capacity * source / (capacity * source + 1), derived["II"].optimum.loss_exponent)
    assert equal(1 - 1 / (2 * capacity), derived["III"].optimum.loss_exponent)
    # their borders b_B = 1 and b_B = 2 - 1/a_B are 2 beta = 1 and beta = alpha
    assert equal((source - 1) * 2 * ALPHA, 2 * BETA - 1)
    assert equal((source - 2 + 1 / capacity) * ALPHA, BETA - ALPHA)


def test_functional_scaling_law_decays_are_those_of_forcing_and_kernel():
    """Li et al., arXiv 2509.19189: e(t) ~ t^-s and K(t) ~ t^-(2 - 1/c), with c = 2 alpha."""
    capacity, source = 2 * ALPHA, (2 * ALPHA + 2 * BETA - 1) / (2 * ALPHA)
    above = 2 * ALPHA - 1
    assert equal(term("F_pp", above).q, source)
    assert equal(term("K_pp", above).q, 2 - 1 / capacity)
    assert equal(term("F_0", 1 - 2 * BETA).p, source * capacity)  # M^-(s c) for a hard enough target
    assert not equal(term("F_0", 2 * BETA - 1).p, source * capacity)  # random features cost more than the top M
    # their border of hardness s = 1 - 1/c is beta = 0
    assert equal((source - 1 + 1 / capacity) * ALPHA, BETA)


def test_sketched_regression_is_phase_ia_without_a_target_tail(derived):
    """Lin et al., arXiv 2406.08466: M^(1 - a_L) + N^((1 - a_L)/a_L), an isotropic prior: beta = 0."""
    degree = sp.Symbol("a_L", positive=True)
    law = [Term(name="M", p=degree - 1, q=0), Term(name="N", p=0, q=(degree - 1) / degree)]
    (only,) = phase_diagram(law, (degree,), region=(degree > 1,)).regions
    here = {degree: 2 * ALPHA}
    assert equal(only.optimum.size_exponent.subs(here), derived["Ia"].optimum.size_exponent)
    assert equal(only.optimum.loss_exponent.subs(here), derived["Ia"].optimum.loss_exponent.subs(BETA, 0))


def test_aligned_prior_is_phase_ia(derived):
    """Lin et al., arXiv 2506.08415, one pass: M^(1 - b) + N^((1 - b)/a); a = 2 alpha, b = a + 2 beta.

    Their range b < a is beta < 0; Phase Ia has the same exponents up to 2 beta = 1.
    """
    a, b = sp.symbols("a b", positive=True)
    law = [Term(name="M", p=b - 1, q=0), Term(name="N", p=0, q=(b - 1) / a)]
    (only,) = phase_diagram(law, (a, b), region=(a > b, b > 1)).regions
    here = {a: 2 * ALPHA, b: 2 * ALPHA + 2 * BETA}
    assert equal(only.optimum.loss_exponent.subs(here), derived["Ia"].optimum.loss_exponent)


def test_dynamical_mean_field_law_is_phase_ia_where_both_claim_the_same_floor(derived):
    """Bordelon, Atanasov, Pehlevan, arXiv 2402.01092: t^-((a-1)/b) + N^-m with m = min(a - 1, 2 b).

    With m = a - 1 it is Phase Ia for 2 beta < 1. Their stated floor m differs from F_0 beyond that: F_0 falls
    as d^-min(a - 1, b), b = 2 alpha, because the irreducible risk is linear in the resolvent.
    """
    a, b, m = sp.symbols("a b m", positive=True)
    law = [Term(name="time", p=0, q=(a - 1) / b), Term(name="size", p=m, q=0)]
    (only,) = phase_diagram(law, (a, b, m), region=(a > 1,)).regions
    assert equal(only.optimum.size_exponent, (a - 1) / (a - 1 + b * m))
    assert equal(only.optimum.loss_exponent, (a - 1) * m / (a - 1 + b * m))
    here = {a: 2 * ALPHA + 2 * BETA, b: 2 * ALPHA}
    assert equal(only.optimum.loss_exponent.subs(m, a - 1).subs(here), derived["Ia"].optimum.loss_exponent)
    assert equal(term("F_0", 2 * BETA - 1).p, b.subs(here))
