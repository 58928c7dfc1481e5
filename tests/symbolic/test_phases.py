"""The seven phases: the derivation against the published table, brute force, and the fast path."""

import itertools
import subprocess
import sys
import time
from fractions import Fraction
from importlib.metadata import version

import pytest
import sympy as sp

from scalinglaws.errors import InputError
from scalinglaws.symbolic import derivation, phases
from scalinglaws.symbolic.asymptotics import ALPHA, BETA
from scalinglaws.symbolic.terms import absorbed, sgd_terms
from tests.naive import phases as naive

POINTS = {  # (alpha, beta): name, xi, eta
    ("3/4", "1/4"): ("Ia", "2/5", "2/5"),
    ("2/5", "3/10"): ("Ib", "1/2", "1/5"),
    ("1/5", "1"): ("Ic", "7/12", "7/30"),
    ("9/10", "3/5"): ("II", "2/5", "2/3"),
    ("1", "3/2"): ("III", "1/2", "3/4"),
    ("7/10", "1"): ("III", "1/2", "9/14"),
    ("2/5", "1"): ("IVa", "1/2", "2/5"),
    ("27/100", "1"): ("IVb", "73/119", "1771/5950"),
}
CONTINUOUS = {
    frozenset(pair)
    for pair in (
        ("Ia", "Ib"),
        ("Ia", "II"),
        ("II", "III"),
        ("III", "IVa"),
        ("IVa", "IVb"),
        ("IVb", "Ic"),
        ("Ib", "Ic"),
        ("Ib", "IVa"),
        ("Ib", "IVb"),
    )
}


@pytest.fixture(scope="module")
def derived():
    return derivation.derive()


@pytest.mark.parametrize(("point", "expected"), POINTS.items())
def test_published_exponents_are_derived_exactly(derived, point, expected):
    name, xi, eta = expected
    at = dict(zip((ALPHA, BETA), map(sp.Rational, point), strict=True))
    best = derived[name].optimum
    assert best.size_exponent.subs(at) == sp.Rational(xi)
    assert best.loss_exponent.subs(at) == sp.Rational(eta)
    found = phases.phase(*(float(Fraction(x)) for x in point))
    assert found.name == name
    assert found.size_exponent == pytest.approx(float(Fraction(xi)), rel=1e-14)
    assert found.loss_exponent == pytest.approx(float(Fraction(eta)), rel=1e-14)


def test_derivation_gives_seven_phases_and_proves_its_side_conditions(derived):
    assert {region.name for region in derived.regions} == set(phases.names())
    assert len(phases.names()) == 7
    assert derivation.certify(derived) >= 30


def test_stored_derivation_is_the_fresh_one(derived):
    stored = derivation.DATA.read_text(encoding="utf-8")
    assert stored == derivation.document(derived), "run python -m scalinglaws.symbolic.derivation"
    assert f'version = "{version("scalinglaws")}"' in stored


def test_derivation_takes_less_than_20_seconds_of_processor_time():
    code = "import time\nfrom scalinglaws.symbolic.derivation import derive\nderive()\nprint(time.process_time())\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert float(done.stdout) < 20


def test_boundaries_are_the_published_curves(derived):
    curves = {sp.Poly(b.curve, ALPHA, BETA).monic().as_expr() for b in derived.boundaries}
    half = sp.Rational(1, 2)
    quadratic = ALPHA**2 - 2 * ALPHA + half  # zero at 1 - 1/sqrt 2
    assert curves == {ALPHA - half, BETA - half, ALPHA - sp.Rational(1, 4), ALPHA - BETA, quadratic}
    assert {frozenset(b.between) for b in derived.boundaries} == CONTINUOUS
    assert derived["IVb"].text == "1/4 < alpha < 1 - sqrt(2)/2, beta > 1/2"
    assert derived["II"].text == "beta > 1/2, alpha > beta"
    quadratic_at = quadratic.subs(ALPHA, 1 - 1 / sp.sqrt(2))
    assert sp.simplify(quadratic_at) == 0


def test_loss_is_continuous_everywhere_and_size_jumps_only_between_iva_and_ivb(derived):
    assert all(b.loss_continuous for b in derived.boundaries)
    jumps = [set(b.between) for b in derived.boundaries if not b.size_continuous]
    assert jumps == [{"IVa", "IVb"}]
    edge = {ALPHA: 1 - 1 / sp.sqrt(2)}
    a, b = (derived[name].optimum for name in ("IVa", "IVb"))
    assert sp.simplify((a.loss_exponent - b.loss_exponent).subs(edge)) == 0
    assert float((b.size_exponent - a.size_exponent).subs(edge | {BETA: sp.Rational(9, 10)})) > 0.1
    at_half = {ALPHA: sp.Rational(1, 2)}
    assert derived["III"].optimum.loss_exponent.subs(at_half) == sp.Rational(1, 2)
    assert derived["IVa"].optimum.loss_exponent.subs(at_half) == sp.Rational(1, 2)


def test_regions_fill_the_plane_and_agree_with_the_table_and_brute_force():
    alphas = [k / 41 + 0.013 for k in range(60)]
    betas = [k / 37 - 0.21 for k in range(70)]
    seen = set()
    for k, (alpha, beta) in enumerate(itertools.product(alphas, betas)):
        if 2 * (alpha + beta) <= 1:
            continue
        found = phases.phase(alpha, beta)
        name, xi, eta = naive.published(alpha, beta)
        assert found.name == name, (alpha, beta)
        assert found.size_exponent == pytest.approx(xi, rel=1e-12)
        assert found.loss_exponent == pytest.approx(eta, rel=1e-12)
        seen.add(name)
        if k % 97 == 0:
            grid_xi, grid_eta = naive.best_on_grid(naive.risk_terms(alpha, beta), 4001)
            assert grid_xi == pytest.approx(xi, abs=1e-3)
            assert grid_eta == pytest.approx(eta, abs=1e-3)
    assert seen == set(phases.names())


def test_terms_are_those_written_by_hand():
    for alpha, beta in ((0.8, 0.3), (0.8, 0.6), (0.3, 0.7), (0.2, 0.9), (0.4, 0.2)):
        at = {ALPHA: sp.nsimplify(str(alpha)), BETA: sp.nsimplify(str(beta))}
        present = [t for t in sgd_terms() if all(condition.subs(at) > 0 for condition in t.when)]
        pairs = sorted((float(t.p.subs(at)), float(t.q.subs(at))) for t in present)
        expected = sorted(naive.risk_terms(alpha, beta))
        assert len(pairs) == len(expected)
        for pair, other in zip(pairs, expected, strict=True):
            assert pair == pytest.approx(other, abs=1e-12)


def test_left_out_cases_copy_or_stay_below_a_listed_term():
    cases = absorbed()
    assert {(case.term.name, case.host.name) for case in cases} == {
        ("F_ac", "F_0"),
        ("F_ac", "F_pp"),
        ("K_pp", "F_0"),
        ("K_pp", "F_pp"),
    }
    copies = [case for case in cases if case.at_start == 0 and case.at_end == 0]
    assert all(case.host.name == "F_0" for case in copies)
    assert len(copies) == 3


def test_the_line_where_noise_changes_side(derived):
    """Along f = d t the noise of Phase IV grows as d^(4 - 2 a - 1/a), which vanishes at 1 - 1/sqrt 2."""
    (noise,) = [t for t in sgd_terms() if t.name == "K_pp" and 1 - 2 * ALPHA in t.when]
    assert sp.simplify(noise.q - noise.p - (4 - 2 * ALPHA - 1 / ALPHA)) == 0


@pytest.mark.parametrize(
    ("point", "name"),
    [
        ((0.7, 0.7), "II/III boundary"),
        ((0.75, 0.5), "Ia/II boundary"),
        ((0.5, 0.2), "Ia/Ib boundary"),
        ((0.5, 0.8), "III/IVa boundary"),
        ((0.25, 0.8), "Ic/IVb boundary"),
        ((0.1, 0.5), "Ib/Ic boundary"),
        ((1 - 2**-0.5, 0.9), "IVa/IVb boundary"),
        ((0.5, 0.5), "Ia/Ib/II/III/IVa corner"),
        ((0.25, 0.5), "Ib/Ic/IVb corner"),
        ((0.1 + 0.2 + 0.6, 0.9), "II/III boundary"),
    ],
)
def test_boundaries_say_so(point, name):
    here = phases.phase(*point)
    assert here.name == name
    assert len(here.sides) == name.count("/") + 1
    for side in here.sides:
        assert side.loss_exponent == pytest.approx(here.loss_exponent, abs=1e-12)
    assert here.size_exponent == min(side.size_exponent for side in here.sides)
    assert ("any size exponent from 0.5 to 0.6195" in here.note) == (name == "IVa/IVb boundary")
    assert name.split()[0] in str(here)


def test_off_boundaries_that_do_not_separate_there():
    assert phases.phase(0.25, 0.4).name == "Ib"  # alpha = 1/4 separates only above beta = 1/2
    assert phases.phase(0.4, 0.4).name == "Ib"
    assert phases.phase(1.0, -0.2).name == "Ia"


@pytest.mark.parametrize(
    ("alpha", "beta"),
    [
        (0.2, 0.2),
        (0.25, 0.25),
        (-1.0, 3.0),
        (0.0, 1.0),
        (float("nan"), 1.0),
        (1.0, float("inf")),
        ("x", 1.0),
        (1.0, None),
    ],
)
def test_outside_is_one_sentence(alpha, beta):
    with pytest.raises(InputError, match="must") as caught:
        phases.phase(alpha, beta)
    assert "\n" not in str(caught.value)


def test_symbolic_card_evaluates_to_the_numbers():
    alpha, beta = sp.symbols("alpha beta")
    for (a, b), (name, _, eta) in POINTS.items():
        here = phases.phase(float(Fraction(a)), float(Fraction(b)))
        at = {alpha: sp.Rational(a), beta: sp.Rational(b)}
        assert here.symbolic.loss_exponent.subs(at) == sp.Rational(eta)
        assert here.symbolic.conditions.subs(at) == sp.true
        assert name in str(here)
        assert here.latex.count("asymp") == 2
        assert all(gap > 0 for _, gap in here.gaps)
    others = [phases.phase(0.75, 0.25), phases.phase(0.4, 1.0)]
    swapped = {alpha: sp.Rational(2, 5), beta: sp.Integer(1)}
    assert others[0].symbolic.conditions.subs(swapped) == sp.false


def test_phase_is_fast_and_needs_no_sympy():
    code = (
        "import sys, timeit\n"
        "from scalinglaws.symbolic import phase\n"
        "phase(0.9, 0.6)\n"
        "assert 'sympy' not in sys.modules\n"
        "print(min(timeit.repeat(lambda: phase(0.9, 0.6), number=500, repeat=9)) / 500)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert float(done.stdout) < 1e-4  # about 10 microseconds on an idle core; the bound is for a busy one


def test_one_call_after_the_first_reads_no_file(monkeypatch):
    phases.phase(0.9, 0.6)
    monkeypatch.setattr(phases, "files", None)
    start = time.perf_counter()
    assert phases.phase(1.1, 0.6).name == "II"
    assert time.perf_counter() - start < 0.1
