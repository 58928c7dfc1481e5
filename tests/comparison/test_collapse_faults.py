"""What stands out and what does not: odd sizes, drifts, horizon exponents, and how often a sound family is accused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from scalinglaws.comparison.collapsing.analysis import collapse
from scalinglaws.comparison.collapsing.design import off_the_line, rate_is_held
from scalinglaws.comparison.collapsing.deviation import normalise
from scalinglaws.comparison.collapsing.exponent import frontier_exponent
from scalinglaws.comparison.collapsing.family import choose, place
from scalinglaws.comparison.collapsing.irreducible import COMPUTE_LAW, PFLOP
from scalinglaws.comparison.collapsing.sizes import band_levels, odd_sizes
from scalinglaws.fitting import Table, fit
from tests.comparison.families import L0, SIZES, family, on_a_grid, one_run, runs_of
from tests.naive import collapse as naive

X = np.linspace(0.05, 0.95, 46)
X = np.append(X, 1.0)


def judged(rng, **options):
    """Odd sizes of a family whose irreducible loss is fitted."""
    made = on_a_grid(X, rng=rng, **options)
    table = Table(params=made.compute / PFLOP, tokens=np.ones(made.final.size), loss=made.final)
    floor = fit(table, law=COMPUTE_LAW, starts=2).params["L0"]
    return odd_sizes(band_levels(normalise(made.loss, made.final, floor), X, made.group), made)


def excess(height):
    """The excess loss of a learning rate that falls linearly: in proportion to the rate that is left."""
    return lambda x: 1.0 + height * (1.0 - x)


@pytest.mark.parametrize(("seeds", "families"), [(5, 200), (2, 100), (1, 100)])
def test_a_sound_family_is_rarely_accused(seeds, families):
    """One in a hundred by design; 8 of 200 and 5 of 100 have probabilities below 1e-3 and 4e-3."""
    accused = sum(bool(o.found) or not o.majority for o in (judged(rng, seeds=seeds) for rng in range(families)))
    assert accused <= (7 if families == 200 else 4)


@pytest.mark.parametrize(
    ("base", "fault", "seeds", "least"),
    [
        ({}, {"longer": 1.25}, 5, 22),
        ({}, {"longer": 0.7}, 2, 22),
        ({"shape": excess(0.1)}, {"shape": excess(0.13)}, 5, 23),
        ({"shape": excess(0.1)}, {"shape": excess(0.13)}, 2, 20),
        ({}, {"longer": 0.5}, 1, 20),
    ],
)
def test_a_planted_fault_is_named_and_nobody_else(base, fault, seeds, least):
    named = others = 0
    for rng in range(24):
        odd = rng % len(SIZES)
        found = {o.size for o in judged(1000 + rng, seeds=seeds, odd=odd, fault=fault, **base).found}
        named += odd in found
        others += bool(found - {odd})
    assert named >= least
    assert others <= 1


def test_two_faults_do_not_hide_behind_each_other():
    named = others = 0
    for rng in range(12):
        generator = np.random.default_rng(rng)
        odd = set(generator.choice(8, 2, replace=False).tolist())
        heights = [0.14 if k in odd else 0.1 for k in range(8)]
        runs = [
            one_run(n, noise=generator, name=f"{k}/{s}", shape=excess(heights[k]))
            for k, n in enumerate(SIZES)
            for s in range(5)
        ]
        made = place(choose(runs), X)
        found = {
            o.size for o in odd_sizes(band_levels(normalise(made.loss, made.final, L0), X, made.group), made).found
        }
        named += len(found & odd)
        others += len(found - odd)
    assert named >= 18
    assert others <= 1


LINEAR, FLAT = {"shape": excess(0.1)}, {"shape": lambda x: np.full_like(x, 1.1)}


@pytest.mark.parametrize(
    ("base", "fault", "words", "recorded"),
    [
        ({}, {"longer": 1.5}, "its horizon, 1.5 times what the others' law gives", "horizon"),
        ({}, {"longer": 0.6}, "its horizon, 0.6 times what the others' law gives", "horizon"),
        (LINEAR, {"shape": excess(0.3)}, "its learning rate, too high for it", None),
        (LINEAR, {"shape": excess(0.0)}, "its learning rate, too low for it", None),
        (LINEAR, {"shape": excess(0.2), "longer": 1.5}, "its learning rate, too high for it", None),
        (LINEAR, {"shape": excess(0.2), "peak_lr": 2.0}, "its learning rate, 2 times what", "peak_lr"),
        (LINEAR, {"shape": excess(0.2), "lr": lambda x: (1 - x) ** 2}, "its learning-rate schedule", "schedule"),
        (LINEAR, {"shape": excess(0.2), "batch": 20.0}, "its batch, 2 times what the others' law gives", "batch"),
        (FLAT, {"shape": lambda x: 1.1 + 0.1 * (x < 0.2)}, "warm-up or initialisation", None),
        (FLAT, {"shape": lambda x: 1.1 + 0.1 * np.sin(2 * np.pi * x)}, "its learning rate or schedule", None),
        (FLAT, {"shape": lambda x: 1.1 + 0.03 * ((x > 0.7) & (x < 0.9))}, "the end of its schedule, or a", None),
    ],
)
def test_the_cause_is_read_from_side_pattern_and_records(base, fault, words, recorded):
    found = collapse(family(odd=5, fault=fault, **base), irreducible=L0, replicates=20)
    assert [o.size for o in found.odd.found] == [5]
    assert f"Size 4.42e+07 is off: likely {words}" in found.verdict
    if recorded:
        assert getattr(found.design, recorded)
    finding = next(f for f in found.findings if f.check == "sizes")
    assert not finding.ok
    assert "standard errors (" in finding.sentence


def test_without_records_of_the_rate_and_with_ragged_horizons_the_cause_stays_open():
    ends = [1.0, 1.3, 0.8, 1.2, 0.9, 1.4, 1.1, 0.7]
    runs = [
        one_run(
            n,
            noise=np.random.default_rng(10 * k + s),
            name=f"{k}/{s}",
            longer=1.0,
            shape=excess(0.5 if k == 3 else 0.1),
        )
        for k, n in enumerate(SIZES)
        for s in range(4)
    ]
    runs = [replace(r, tokens=r.tokens * ends[int(r.name[0])], lr=None, schedule="") for r in runs]
    found = collapse(runs, irreducible=L0, replicates=20)
    assert not found.design.straight
    assert "is off: likely learning rate or horizon" in found.verdict
    assert any("learning rates are not recorded" in f.sentence for f in found.findings)


@pytest.mark.parametrize(
    ("heights", "words", "majority"),
    [
        ([0.1, 0.4, 0.1, 0.1, 2.0, 0.1, 30.0, 0.1], "More than a third of the sizes fall out of a common curve", False),
        (
            [0.1, 0.5, 0.1, 0.9, 0.1, 0.3, 0.1, 0.7],
            "differ from one another, and none of them alone is the odd one",
            True,
        ),
    ],
)
def test_many_odd_sizes_accuse_nobody(heights, words, majority):
    runs = [
        one_run(n, noise=np.random.default_rng(100 * k + s), name=f"{k}/{s}", shape=excess(heights[k]))
        for k, n in enumerate(SIZES)
        for s in range(3)
    ]
    found = collapse(runs, irreducible=L0, replicates=20)
    assert not found.odd.found
    assert found.odd.majority is majority
    assert words in found.verdict
    assert "of the variance is between sizes" in found.verdict


@pytest.mark.parametrize(("gamma", "way"), [(1.4, "down"), (0.6, "up")])
def test_a_wrong_horizon_exponent_shows_as_a_drift_with_size(gamma, way):
    found = collapse(family(gamma=gamma), irreducible=L0, replicates=50)
    finding = next(f for f in found.findings if f.check == "drift")
    assert not finding.ok
    assert f"the curves drift {way} with size" in finding.sentence
    assert f"The curves drift {way} with size" in found.verdict
    assert ("too fast" if way == "down" else "too slowly") in finding.sentence


def test_the_right_exponent_does_not_drift_and_collapses():
    found = collapse(family(), irreducible=L0, replicates=50)
    assert next(f for f in found.findings if f.check == "drift").ok
    assert found.onset > 0.8
    assert found.mean_deviation.value < 0.3 * found.mean_noise.value


def test_noise_that_does_not_last_to_the_end_is_no_fault_of_a_size():
    """A constant rate: independent noise at every observation, so that the end takes nothing out."""
    rng = np.random.default_rng(0)
    runs = [
        replace(r, loss=L0 + (r.loss - L0) * (1 + 0.01 * rng.standard_normal(r.loss.size)))
        for r in runs_of(noisy=False)
    ]
    found = collapse(runs, irreducible=L0, replicates=50)
    assert found.onset < 0.1
    assert "does not collapse below its seed noise" in found.verdict
    assert "between seeds of one size" in found.verdict
    assert not found.odd.found


@pytest.mark.parametrize(("mu", "nu"), [(0.5, 0.5), (0.3, 0.4)])
def test_the_horizon_exponent_two_ways_on_exact_curves(mu, nu):
    """gamma = nu / mu; runs at a constant rate, four times as long as their horizons."""
    held = family(mu=mu, nu=nu, longer=4.0, seeds=1, noisy=False, lr=np.ones_like)
    found = collapse(held, replicates=20)
    assert found.frontier_gamma.value == pytest.approx(nu / mu, abs=0.006)
    assert found.collapse_gamma.value == pytest.approx(nu / mu, abs=0.002)
    assert "one seed says nothing about the noise" in found.frontier_gamma.untold
    assert found.to_dict()["gamma"]["frontier"]["low"] is None


def test_the_frontier_agrees_with_plain_loops():
    runs = runs_of(longer=4.0, seeds=1, noisy=False, lr=np.ones_like, sizes=SIZES[:5])
    chosen = choose(runs)
    found = frontier_exponent(chosen, place(chosen, np.linspace(0, 1, 5)), level=0.9, replicates=20, rng=0)
    curves = [(r.tokens.tolist(), r.loss.tolist()) for r in runs]
    low, high = SIZES[0] * runs[0].tokens[0], SIZES[4] * runs[4].tokens[-1]
    slow = naive.frontier_exponent(curves, SIZES[:5].tolist(), np.geomspace(low, high, 400).tolist())
    assert found.value == pytest.approx(slow, abs=0.01)  # budgets and interpolation differ


def test_the_horizon_exponent_with_noise_has_intervals_that_hold_the_truth():
    found = collapse(family(longer=4.0, lr=np.ones_like, rng=2), irreducible=L0, replicates=60)
    for gamma in (found.frontier_gamma, found.collapse_gamma):
        assert gamma.low < 1.0 < gamma.high
        assert gamma.high - gamma.low < 0.4


def test_a_horizon_exponent_that_was_not_used_is_reported():
    found = collapse(family(gamma=1.4, lr=np.ones_like), irreducible=L0, replicates=60)
    finding = next(f for f in found.findings if f.check == "gamma by collapse")
    assert not finding.ok
    assert "and the runs were trained with 1.400" in finding.sentence
    assert found.collapse_gamma.value == pytest.approx(1.0, abs=0.1)
    assert np.isnan(found.frontier_gamma.value)  # the runs end before the next size overtakes them
    assert found.frontier_gamma.untold


def test_runs_that_end_at_their_horizon_show_no_frontier():
    found = collapse(family(seeds=1, noisy=False, lr=np.ones_like), irreducible=L0, replicates=20)
    assert "seen to overtake one and be overtaken" in found.frontier_gamma.untold


def test_a_decaying_rate_gives_no_horizon_exponent():
    found = collapse(family(seeds=2), irreducible=L0, replicates=20)
    assert np.isnan(found.frontier_gamma.value)
    assert "decays or is not recorded" in found.collapse_gamma.untold


@pytest.mark.parametrize(
    ("lr", "schedule", "held"),
    [
        (np.ones_like, "", True),
        (lambda x: np.minimum(x / 0.1, 1.0), "", True),
        (lambda x: 1.0 - x, "", False),
        (lambda x: x, "", False),
        (None, "const", True),
        (None, json.dumps({"shape": "constant", "peak": 1.0}), True),
        (None, json.dumps({"shape": "linear"}), False),
        (None, "{broken", False),
        (None, "", False),
    ],
)
def test_a_rate_is_held_by_its_record_or_by_its_name(lr, schedule, held):
    run = one_run(1e7, name="a", lr=lr or np.ones_like)
    run = replace(run, lr=run.lr if lr else None, schedule=schedule)
    (curve,) = choose([run]).curves
    assert rate_is_held(curve) is held


def test_ratios_to_a_power_law_need_the_others_to_lie_on_one():
    n = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    assert off_the_line(n, 3 * n**0.7) == ({}, True)
    assert off_the_line(n, 3 * n**0.7 * [1, 1, 1, 1, 0.5]) == ({4: 0.5}, True)
    assert off_the_line(n, n ** np.array([0.1, 0.9, 0.3, 1.2, 0.2])) == ({}, False)
    assert off_the_line(n, np.full(5, np.nan)) == ({}, True)
    assert off_the_line(n[:3], np.array([1.0, 5.0, 1.0])) == ({}, False)


@pytest.mark.parametrize(
    ("sizes", "words"), [(1, "Only one size (3 runs) takes part"), (3, "with 3 sizes none can be told")]
)
def test_few_sizes_say_what_they_cannot_tell(sizes, words):
    found = collapse(family(sizes=SIZES[:sizes], seeds=3), irreducible=L0, replicates=20)
    assert words in found.verdict
    assert found.irreducible.fit is None
    assert json.dumps(found.to_dict())


def test_sizes_of_unequal_seeds_have_no_intervals_and_say_so():
    found = collapse(runs_of(seeds=2)[:-1], irreducible=L0, replicates=20)
    assert np.isfinite(found.onset)
    assert np.isnan(found.onset_interval).all()
    assert any("one seed of size 8e+07" in f.sentence for f in found.findings)


def test_rates_of_zero_and_late_logs_are_judged_by_what_there_is():
    points = np.linspace(0.3, 1, 60)
    late = [
        one_run(n, name=f"{k}", points=points, lr=np.zeros_like, noise=np.random.default_rng(k))
        for k, n in enumerate(SIZES)
    ]
    found = collapse(late, irreducible=L0, replicates=20)
    assert found.design.rates_known
    assert not found.design.schedule
    assert not found.odd.found
    assert "early (x" not in found.summary()
    assert "nan" not in found.summary()
    assert json.dumps(found.to_dict(), allow_nan=False)
