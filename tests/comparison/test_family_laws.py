"""Laws of whole families: formulas against their own words, recovery, errors that count runs and not records."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import scalinglaws as sl
from scalinglaws.comparison.family_laws import FamilyCurves, FamilyRecords, find_family_law, fit_family
from scalinglaws.comparison.family_laws.covariance import Sandwich
from scalinglaws.comparison.path import Path
from scalinglaws.curves import Run, from_runs
from scalinglaws.errors import InputError

SIZES = (1e3, 4e3, 1.6e4, 6.4e4, 2.56e5)
TRUTH = {
    "monomials": {"E": 1.0, "A": 5.0, "B": 2.0, "a": 0.4, "b": 0.6},
    "chinchilla": {"E": 1.0, "A": 5.0, "B": 20.0, "a": 0.4, "b": 0.5},
    "plrf-terms": {"E": 0.5, "F_0": 40.0, "F_pp": 2.0, "F_ac": 90.0, "K_pp": 3.0, "alpha": 0.8, "beta": 0.7},
}


def family(seeds=1, points=30):
    """Linear decay for one size in two, half of its length in constant rates for the others."""
    paths, sizes, steps, tokens = [], [], [], []
    for i, size in enumerate(SIZES):
        length = int(400 * (size / SIZES[0]) ** 0.6)
        rate = 0.3 * (1 - np.arange(length) / length) if i % 2 else np.full(length, 0.3)
        at = np.unique(np.geomspace(2, length, points).astype(int))
        for _ in range(seeds):
            paths.append(Path(rate=rate))
            sizes.append(size)
            steps.append(at)
            tokens.append(at * 512.0)
    return FamilyCurves.of(paths, sizes, steps, batch=4.0, tokens=tokens)


def by_hand(name, v, curves):
    """The formulas written out, record by record (exponents: 4+3 phases, section 2, rows of phases II and III)."""
    loss = []
    for k in range(curves.step.size):
        path = curves.paths[curves.run[k]]
        n, t, d = curves.size[curves.run[k]], float(path.rate[: curves.step[k]].sum()), curves.tokens[k]
        if name == "plrf-terms":
            a, b, noise = v["alpha"], v["beta"], path.rate[curves.step[k] - 1] / curves.batch[curves.run[k]]
            loss.append(
                v["E"]
                + v["F_0"] * n ** (-2 * a)
                + v["F_pp"] * t ** (-(2 * a + 2 * b - 1) / (2 * a))
                + v["F_ac"] / n * t ** (-1 + 1 / (2 * a))
                + v["K_pp"] * noise * t ** (-2 + 1 / (2 * a))
            )
        else:
            loss.append(v["E"] + v["A"] * n ** -v["a"] + v["B"] * (t if name == "monomials" else d) ** -v["b"])
    return np.array(loss)


@pytest.mark.parametrize("name", TRUTH)
def test_formula_and_derivatives(name):
    law, curves, v = find_family_law(name), family(), TRUTH[name]
    assert law.predict(v, curves) == pytest.approx(by_hand(name, v, curves), rel=1e-9)
    shapes = np.array([v[s.name] for s in law.shapes])
    _, slopes = law.features(shapes, curves)
    for i, h in enumerate(1e-6 * np.eye(shapes.size)):
        central = (law.features(shapes + h, curves)[0] - law.features(shapes - h, curves)[0]) / 2e-6
        assert slopes[:, :, i] == pytest.approx(central, rel=1e-5, abs=1e-9 * np.abs(central).max())


@pytest.mark.parametrize("name", TRUTH)
def test_recovery_without_noise(name):
    curves = family()
    fit = fit_family(FamilyRecords(curves=curves, loss=by_hand(name, TRUTH[name], curves)), name, starts=None)
    assert fit.converged
    assert fit.params == pytest.approx(TRUTH[name], rel=1e-3)
    assert np.abs(fit.residuals()).max() < 1e-6


def test_terms_of_every_phase():
    """Below 2 beta = 1 the floor of size has its other exponent; the terms recover what follows them there."""
    curves = family()
    v = {"E": 0.5, "F_0": 3.0, "F_pp": 2.0, "F_ac": 0.0, "K_pp": 0.0, "alpha": 0.45, "beta": 0.3}
    loss = 0.5 + 3.0 * curves.N ** -(2 * 0.45 + 2 * 0.3 - 1) + 2.0 * curves.tau ** -((2 * 0.45 + 2 * 0.3 - 1) / 0.9)
    law = find_family_law("plrf-terms")
    assert law.predict(v, curves) == pytest.approx(loss, rel=1e-12)
    fit = fit_family(FamilyRecords(curves=curves, loss=loss), law)
    assert [fit.params[name] for name in ("alpha", "beta")] == pytest.approx([0.45, 0.3], rel=1e-2)
    below, above = (law.predict(v | {"F_0": 9.0, "beta": 0.5 + d}, curves) for d in (-1e-9, 1e-9))
    assert below == pytest.approx(above, rel=1e-6)
    assert np.isnan(law.predict(v | {"alpha": 0.3, "beta": 0.15}, curves)).all()


def noisy(curves, rng, size=0.01):
    """Every run is off as a whole, by an offset and a tilt of its own: nothing averages out along it."""
    clean = by_hand("monomials", TRUTH["monomials"], curves)
    offset, tilt = size * rng.standard_normal((2, len(curves.names)))
    along = np.concatenate([np.linspace(-1, 1, part.stop - part.start) for part in curves.slices])
    return FamilyRecords(curves=curves, loss=clean * np.exp(offset[curves.run] + tilt[curves.run] * along))


def test_intervals_count_runs():
    """90 % intervals of five sizes x five seeds hold in 80 to 98 % of 80 families (binomial, two standard errors)."""
    curves, rng = family(seeds=5, points=12), np.random.default_rng(3)
    held = {"a": 0, "b": 0}
    for _ in range(80):
        fit = fit_family(noisy(curves, rng), "monomials", starts=1)
        assert fit.spread.by_seed
        for name in held:
            low, high = fit.interval(name)
            held[name] += low <= TRUTH["monomials"][name] <= high
    assert all(64 <= count <= 79 for count in held.values()), held


def test_bootstrap_resamples_seeds_the_same_for_any_workers():
    records = noisy(family(seeds=3, points=12), np.random.default_rng(5))
    fit = fit_family(records, "monomials", starts=1)
    alone = fit.bootstrap(24, rng=1)
    with ThreadPoolExecutor(2) as executor:
        together = fit.bootstrap(24, rng=1, executor=executor)
    assert np.array_equal(alone.theta, together.theta)
    assert alone.by_seed
    low, high = fit.bootstrap_interval("b", fit.bootstrap(200, rng=1))
    robust = fit.interval("b")
    assert (high - low) / (robust[1] - robust[0]) == pytest.approx(1.0, abs=0.35)
    single = fit_family(noisy(family(points=12), np.random.default_rng(5)), "monomials", starts=1)
    assert not single.bootstrap(4, rng=1).by_seed
    assert any("two seeds" in sentence for sentence in single.warnings)


def test_profile_has_its_floor_at_the_fit():
    fit = fit_family(noisy(family(seeds=2), np.random.default_rng(1)), "monomials")
    profile = fit.profile("b", [0.9 * fit.params["b"], fit.params["b"], 1.1 * fit.params["b"]])
    assert profile["objective"].values[1] == pytest.approx(fit.objective, rel=1e-8)
    assert profile["objective"].values[[0, 2]].min() > fit.objective


def test_one_size_cannot_tell_size_from_floor():
    curves = family().take([2])
    fit = fit_family(FamilyRecords(curves=curves, loss=by_hand("monomials", TRUTH["monomials"], curves)), "monomials")
    assert fit.condition > 1e6


def test_a_shipped_family():
    """The two largest sizes from the others: a law that follows the schedule describes the fitted ends twice as
    well as one that does not see the rate decay, and its errors come from seeds."""
    records = FamilyRecords.of(sl.datasets.load("ladder"), most=40)
    sizes = np.unique(records.curves.size)
    small, wide = (np.flatnonzero(mask) for mask in (records.curves.size < sizes[-2], records.curves.size >= sizes[-2]))
    blind, seeing = (fit_family(records.take(small), name) for name in ("chinchilla", "functional"))
    assert blind.spread.by_seed
    assert blind.summary().startswith("L = E + A N^-a + B D^-b")
    ends = [part.stop - 1 for part in blind.records.curves.slices]
    missed = [np.abs(fit.residuals()[ends]).mean() for fit in (blind, seeing)]
    assert missed[0] > 2 * missed[1]
    held = records.take(wide)
    assert np.abs(np.log(blind.predict(held.curves) / held.loss)).mean() < 0.1


def run(name, **facts):
    known = {"params": {"mlp": 1e6}, "lr": np.full(3, 0.1), "batch": 4.0} | facts
    return Run(name=name, step=np.array([1, 5, 9]), loss=np.array([3.0, 2.5, 2.4]), **known)


@pytest.mark.parametrize(
    ("runs", "options", "said"),
    [
        ([run("a", status="diverged")], {}, "all of them diverged"),
        ([run("a", params={})], {}, "neither parameters nor width are known"),
        ([run("a"), run("b", batch=np.nan)], {}, "its batch is unknown while that of others is known"),
        ([run("a", lr=None)], {}, "is needed to know its learning-rate schedule"),
        ([run("a")], {}, "must exceed the 5 parameters"),
        ([run("a")], {"estimator": "l1"}, "estimator = 'l1'"),
        ([run("a")], {"law": "none"}, "law = 'none': must be one of chinchilla, monomials, plrf-terms"),
        ([run("a")], {"fixed": {"c": 1.0}}, "fixed = 'c': must be one of a, b"),
    ],
)
def test_what_cannot_be_fitted_is_refused(runs, options, said):
    with pytest.raises(InputError) as error:
        fit_family(from_runs(runs), **options)
    assert said in str(error.value)


def test_seeds_share_one_curve_and_diverged_runs_are_named():
    runs = [run("a", seed=0.0), run("b", seed=1.0), run("c", params={"mlp": 4e6}), run("d", status="diverged")]
    records = FamilyRecords.of(from_runs(runs))
    assert records.curves.group.tolist() == [0, 0, 1]
    assert records.left_out == ("d",)
    assert [s.tolist() for s in records.curves.distinct.steps] == [[1, 5, 9], [1, 5, 9]]
    assert records.curves.distinct.place.tolist() == [0, 1, 2, 0, 1, 2, 3, 4, 5]


def test_seeds_whose_logs_note_other_updates_are_of_one_schedule():
    """One warm-up and decay noted at random updates, and one more that decays within its last 2 %."""
    rng, t = np.random.default_rng(0), np.arange(4000)
    rate = np.minimum((t + 1) / 200, 1.0) * (1 - t / 4000) ** 0.5
    late = np.where(t < 3920, rate, rate * (4000 - t) / 80)

    def noted(name, rates):
        step = np.unique(np.concatenate([[1, 4000], rng.choice(np.arange(100, 4000), 300, replace=False)]))
        logged = rates[np.minimum(step, 3999)]
        return Run(name=name, step=step, loss=3.0 / step**0.1, params={"mlp": 1e6}, lr=logged, batch=4.0)

    runs = from_runs([noted("a", rate), noted("b", rate), noted("c", late), noted("d", late)])
    assert FamilyRecords.of(runs).curves.group.tolist() == [0, 0, 1, 1]


def test_degrees_of_freedom_are_those_of_the_sizes_that_decide():
    """Equal parts add up, one alone counts alone; else twice the squared mean over the variance of the estimate."""
    rng = np.random.default_rng(0)
    root = rng.standard_normal((3, 4, 4))
    parts, freedom = root @ root.transpose(0, 2, 1), np.array([4.0, 9.0, 2.0])

    def spread(parts):
        return Sandwich(parts=parts, freedom=freedom, bread=np.eye(4), by_seed=True)

    every = np.eye(4)[:2]
    shared = spread(parts[0] * freedom[:, None, None])
    assert shared.dof(every) == pytest.approx(shared.dof(every[:1])) == pytest.approx(15.0)
    assert spread(parts * np.array([0, 1, 0])[:, None, None]).dof(every) == pytest.approx(9.0)
    assert spread(np.zeros((3, 4, 4))).dof(every[:1]) == 15.0
    own = parts[:, 0, 0]
    drawn = (own * rng.chisquare(freedom, (200_000, 3)) / freedom).sum(axis=1)
    assert spread(parts).dof(every[:1]) == pytest.approx(2 * own.sum() ** 2 / drawn.var(), rel=0.02)
