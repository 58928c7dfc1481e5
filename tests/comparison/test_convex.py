"""The convex bound against its definition, published values and closed forms; its law on measured curves."""

from __future__ import annotations

import numpy as np
import pytest

from scalinglaws import schedules
from scalinglaws.comparison.path import Path
from scalinglaws.comparison.schedule_laws import History, fit_schedule
from scalinglaws.comparison.schedule_laws.convex import CONVEX, best_base_rate, convex_bound
from scalinglaws.curves import select
from scalinglaws.errors import InputError
from scalinglaws.kernels.cauchy import cauchy_sums
from tests.comparison.schedules_data import TRAIN, family, measured, plan
from tests.naive.convex import convex_terms


def test_terms_match_the_definition_with_any_rates_and_norms():
    rng = np.random.default_rng(0)
    rates, norms = np.exp(rng.normal(-3, 2, 60)), rng.uniform(0.5, 2, 60)
    terms = convex_bound(Path(rate=rates), distance=1.7, gradient=norms)
    for steps in (1, 2, 3, 20, 60):
        slow = convex_terms(rates[:steps].tolist(), norms[:steps].tolist(), 1.7)
        np.testing.assert_allclose([column[steps - 1] for column in terms], slow, rtol=1e-9, atol=1e-12)
        start, *noise = convex_terms(rates[:steps].tolist(), norms[:steps].tolist(), 1.0)
        best = best_base_rate(Path(rate=rates[:steps]), gradient=norms[:steps])
        assert best.factor == pytest.approx(np.sqrt(start / sum(noise)), rel=1e-10)


@pytest.mark.parametrize(
    ("schedule", "bound", "factor"),
    [
        (schedules.constant(1.0, 400), 0.1375448, 0.0181759),
        (schedules.linear(1.0, 400), 0.1006299, 0.0495631),
        (schedules.cosine(1.0, 400), 0.1033859, 0.0482419),
        (schedules.wsd(1.0, 400, decay=0.2), 0.1093230, 0.0253737),
        (schedules.wsd(1.0, 400, decay=1.0, cooldown="sqrt"), 0.1012426, None),
    ],
)
def test_published_bounds_of_five_schedules(schedule, bound, factor):
    """The authors' code at `steps=401` evaluates Omega_400 of a run of 400 updates."""
    best = best_base_rate(schedule)
    assert best.bound == pytest.approx(bound, abs=1e-7)
    if factor is not None:
        assert best.factor == pytest.approx(factor, abs=1e-7)


def test_constant_rate_in_closed_form():
    rate, norm, distance, steps = 0.03, 1.4, 2.0, 500
    terms = convex_bound(schedules.constant(rate, steps), distance=distance, gradient=norm)
    t = np.arange(1, steps + 1)
    harmonic = np.append(0.0, np.cumsum(1.0 / t[:-1]))
    np.testing.assert_allclose(terms.distance, distance**2 / (2 * rate * t), rtol=1e-12)
    np.testing.assert_allclose(terms.average, rate * norm**2 / 2, rtol=1e-12)
    np.testing.assert_allclose(terms.last, rate / 2 * norm**2 * harmonic, rtol=1e-10)


def test_linear_decay_reaches_two_over_root_t():
    assert best_base_rate(schedules.linear(1.0, 10_000)).bound * 100 == pytest.approx(2.0008, abs=1e-4)


def test_best_base_rate_is_a_minimum_of_the_bound():
    shape = schedules.cosine(1.0, 300, floor=0.05)
    best = best_base_rate(shape, distance=3.0)
    at = [
        convex_bound(Path(rate=f * best.factor * shape(np.arange(300))), distance=3.0).total[-1] for f in (0.9, 1, 1.1)
    ]
    assert at[1] == pytest.approx(best.bound, rel=1e-9)
    assert at[1] < min(at[0], at[2])


def test_sums_over_distances_of_many_orders():
    rng = np.random.default_rng(1)
    weight, gap = rng.uniform(0, 1, 300), 10 ** rng.uniform(-8, 1, 300)
    place = np.cumsum(gap)
    slow = [sum(weight[k] / gap[k + 1 : t + 1].sum() for k in range(t)) for t in range(300)]
    assert place.size == len(slow)
    np.testing.assert_allclose(cauchy_sums(weight, gap), slow, rtol=1e-9)
    assert cauchy_sums(np.ones(1), np.ones(1)).tolist() == [0.0]


def test_rest_at_rate_zero_changes_nothing():
    rates = [0.3, 0.2, 0.1]
    short, long = (convex_bound(Path(rate=r)).total for r in (rates, [*rates, 0.0, 0.0]))
    np.testing.assert_array_equal(long, [*short, short[-1], short[-1]])
    looks = [History.of(Path(rate=[*rates, 0.0, 0.0]), [3]), History.of(Path(rate=[*rates, 0.0, 0.0]), [5])]
    columns = [CONVEX.features(np.zeros(0), look)[0] for look in looks]
    np.testing.assert_array_equal(*columns)


def test_law_is_the_bound_and_is_recovered_by_a_fit():
    plans = {"a": plan("cosine"), "b": plan("wsd:0.3"), "c": plan("constant")}
    values = {"L0": 3.0, "P": 0.01, "Q": 20.0}
    fit = fit_schedule(family("convex", values, plans, noise=1e-4), "convex")
    for name, value in values.items():
        assert fit.params[name] == pytest.approx(value, rel=0.02)
    bound = convex_bound(plans["a"], distance=np.sqrt(0.02), gradient=np.sqrt(40.0)).total
    steps = [100, 1500, 3000]
    np.testing.assert_allclose(CONVEX.predict(values, plans["a"], steps) - 3.0, bound[np.array(steps) - 1], rtol=1e-8)


def test_law_on_measured_curves_is_coarser_than_laws_with_exponents():
    runs = measured(100)
    fit = fit_schedule(select(runs, TRAIN), "convex", skip=0.25)
    others = select(runs, [str(n) for n in runs["run"].values if n not in TRAIN])
    assert 0.005 < float(fit.metrics(others, skip=0.25).MAE.mean()) < 0.08


@pytest.mark.parametrize(
    ("rates", "options", "rule"),
    [
        ([0.1, 0.0, 0.1], {}, "rate = 0.0 at step 1"),
        ([0.1, 0.1], {"distance": 0.0}, "distance = 0.0: must be positive"),
        ([0.1, 0.1], {"gradient": [1.0, 1.0, 1.0]}, "one for each of the 2 updates"),
        ([0.1, 0.1], {"gradient": -1.0}, "gradient = -1.0"),
    ],
)
def test_refuses_what_the_bound_does_not_cover(rates, options, rule):
    for function in (convex_bound, best_base_rate):
        with pytest.raises(InputError, match=rule):
            function(Path(rate=rates), **options)
