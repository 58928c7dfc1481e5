"""Collapse by its definitions: against plain loops, exact families, and the published logs."""

import json
from pathlib import Path

import numpy as np
import pytest

from scalinglaws.comparison.collapsing.analysis import collapse
from scalinglaws.comparison.collapsing.deviation import decompose, deviation, noise_floor, normalise, onset
from scalinglaws.comparison.collapsing.family import choose, place
from scalinglaws.comparison.collapsing.irreducible import fit_ends
from scalinglaws.comparison.collapsing.seeds import SeedBootstrap, calmed, redraw, spread
from scalinglaws.curves import Run, iter_runs, read_curves
from scalinglaws.errors import InputError
from tests.comparison.families import L0, SIZES, family, on_a_grid, runs_of
from tests.naive import collapse as naive

LOGS = Path(__file__).parents[2] / ".." / "shared" / "data" / "supercollapse" / "c5m.csv.gz"
published = pytest.mark.skipif(not LOGS.is_file(), reason="the shared data folder is not here")


@pytest.fixture(scope="module")
def logs():
    return read_curves(LOGS, scale={"flops": 1e15})


@pytest.fixture(scope="module")
def as_published(logs):
    return collapse(logs, irreducible=3.132387)


@pytest.mark.parametrize(("gamma", "expected"), [(0.9, 0.041442), (1.0, 0.0), (1.1, 0.049792)])
def test_a_wrong_exponent_breaks_an_exact_collapse(gamma, expected):
    p = 10.0 ** np.arange(1, 10)
    t = p**gamma
    ell = normalise(((0.25 * t) ** -0.5 + p**-0.5)[:, None], t**-0.5 + p**-0.5, 0.0)
    assert deviation(ell)[0] == pytest.approx(expected, abs=1e-15 if expected == 0 else 1e-6)


@pytest.mark.parametrize("ddof", [0, 1])
def test_the_definitions_agree_with_plain_loops(ddof):
    runs = runs_of(seeds=3, sizes=SIZES[:5], rng=3)[:-2]  # the last size has one seed
    found = collapse(runs, irreducible=2.9, ddof=ddof, grid=41, replicates=20)
    x = np.linspace(0, 1, 41).tolist()
    curves = [((r.step * 1e4).tolist(), r.loss.tolist()) for r in runs]
    sizes = [r.params["unspecified"] for r in runs]
    rows = naive.normalised(curves, x, 2.9)
    ds = found.dataset
    np.testing.assert_allclose(ds["ell"], rows, rtol=1e-12)
    delta, sigma = naive.deviation(rows, ddof), naive.noise(curves, sizes, x, 2.9, ddof)
    np.testing.assert_allclose(ds["delta"], delta, rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(ds["sigma_mean"], sigma, rtol=1e-10)
    assert found.onset == pytest.approx(naive.onset(x, delta, sigma), abs=1e-12)
    between, within = naive.split_variance(rows, sizes)
    np.testing.assert_allclose(ds["between"], between, rtol=1e-9, atol=1e-20)
    np.testing.assert_allclose(ds["within"], within, rtol=1e-9, atol=1e-20)
    assert np.isnan(ds["sigma"].values[-1]).all()


def test_the_parts_of_the_variance_add_up_for_any_number_of_seeds():
    rng = np.random.default_rng(0)
    ell, size = 1.0 + rng.random((11, 7)), np.repeat([3.0, 1.0, 2.0], [5, 4, 2])
    parts = decompose(ell, size)
    np.testing.assert_allclose(parts.between + parts.within, np.var(ell, axis=0), rtol=1e-12)
    np.testing.assert_allclose(parts.between + parts.within, (deviation(ell) * ell.mean(axis=0)) ** 2, rtol=1e-12)


@pytest.mark.parametrize("ddof", [0, 1])
def test_dividing_by_the_mean_end_gives_the_seed_noise(ddof):
    """The control variate is the run's own end: with the mean end in its place Delta of one size is sigma."""
    chosen = on_a_grid(np.linspace(0.01, 1, 50), seeds=5, sizes=SIZES[:3])
    for p in range(3):
        loss, final = chosen.loss[chosen.group == p], chosen.final[chosen.group == p]
        floor = noise_floor([loss - L0], ddof=ddof).mean
        np.testing.assert_allclose(
            deviation(normalise(loss, np.full(5, final.mean()), L0), ddof=ddof), floor, rtol=1e-12
        )
        assert deviation(normalise(loss, final, L0), ddof=ddof)[-10:].max() < 0.5 * floor[-10:].min()


def test_the_onset_is_counted_from_the_last_crossing():
    x = np.linspace(0, 1, 11)
    sigma = np.full(11, 0.1)
    delta = np.array([0.3, 0.2, 0.05, 0.15, 0.1, 0.05, 0.05, 0.05, 0.05, 0.05, 0.0])
    assert onset(x, delta, sigma) == pytest.approx(0.6)  # Delta = sigma at x = 0.4 is not below
    assert onset(x, delta, np.zeros(11)) == 0.0
    assert np.isnan(onset(x, delta, np.full(11, np.nan)))
    delta[:3] = np.nan
    assert onset(x, 0 * delta, sigma) == pytest.approx(1 - x[3])


def test_a_final_loss_at_or_below_the_irreducible_loss_is_refused():
    with pytest.raises(InputError, match=r"irreducible = 2: must be below every final loss, the least is 2"):
        normalise([[3.0, 2.0]], [2.0], 2.0)
    with pytest.raises(InputError, match=r"irreducible = 3\.5: must be below"):
        collapse(family(sizes=SIZES[:2]), irreducible=3.5)
    with pytest.raises(InputError, match="ddof = 2: must be 0 or 1"):
        deviation([[1.0]], ddof=2)
    with pytest.raises(InputError, match="runs = 1: a spread with ddof = 1 needs 2"):
        deviation([[1.0]], ddof=1)


def test_resampled_seeds_have_the_variance_of_the_seeds():
    rng = np.random.default_rng(1)
    group = np.repeat([0, 1], [5, 3])
    curves = rng.standard_normal((8, 2)) + 10.0 * group[:, None]
    wide = spread(curves, group)
    index = redraw(group, 20_000, rng)
    for k in (0, 1):
        np.testing.assert_allclose(wide[group == k].mean(axis=0), curves[group == k].mean(axis=0), rtol=1e-12)
        drawn = np.var(wide[index][:, group == k], axis=1).mean(axis=0)
        np.testing.assert_allclose(drawn, np.var(curves[group == k], axis=0), rtol=0.02)
        assert set(group[index[:, group == k]].ravel()) == {k}


def test_calming_takes_the_noise_out_of_the_spread_of_sizes_and_keeps_a_real_spread():
    x = np.linspace(0.05, 1, 20)
    still = on_a_grid(x, seeds=4, rng=1)
    factor = calmed(still, np.full(10, L0), L0)
    means = np.stack([normalise(still.loss, still.final, L0)[still.group == p].mean(axis=0) for p in range(8)])
    np.testing.assert_allclose(factor[:, -1], 1.0, rtol=1e-12)
    assert np.std(means * factor, axis=0)[:-1].mean() < 0.6 * np.std(means, axis=0)[:-1].mean()
    apart = on_a_grid(x, seeds=4, rng=1, gamma=2.0)
    np.testing.assert_allclose(calmed(apart, np.full(10, L0), L0), 1.0, atol=0.002)


@published
def test_published_table_of_deviation_and_noise(as_published):
    """CIFAR-5M transformers, 8 sizes x 5 seeds, linear decay: population variance, 201 points, L0 3.132387."""
    at = as_published.dataset.sel(x=[0.2, 0.5, 0.8, 0.95], method="nearest")
    np.testing.assert_allclose(at["delta"], [0.00768, 0.00322, 0.00185, 0.00058], atol=6e-6)
    assert float(at["sigma_mean"][1]) == pytest.approx(0.00891, abs=6e-6)
    np.testing.assert_allclose(at["mean"][:2], [1.6054, 1.2513], atol=6e-5)
    assert as_published.mean_deviation.value == pytest.approx(0.00217, abs=6e-6)
    assert as_published.mean_noise.value == pytest.approx(0.00883, abs=6e-6)
    assert as_published.onset == pytest.approx(0.855, abs=1e-9)
    for value, (low, high) in (
        (as_published.onset, as_published.onset_interval),
        (as_published.mean_deviation.value, as_published.mean_deviation[1:]),
        (as_published.mean_noise.value, as_published.mean_noise[1:]),
    ):
        assert low < value < high
    assert as_published.dataset.attrs["ddof"] == 0
    assert as_published.dataset.attrs["grid"] == "201 points of x, evenly spaced, 0 to 1"


@published
def test_unbiased_variances_move_the_published_onset(logs):
    assert collapse(logs, irreducible=3.132387, ddof=1, replicates=20).onset == pytest.approx(0.885, abs=1e-9)


@published
def test_published_fit_of_the_ends(logs):
    """Converged Huber a .1564, b .1969, L0 3.1334; the early stop printed in the paper has L0 3.132."""
    found = collapse(logs, replicates=1000)
    fit = found.irreducible.fit
    assert (fit.a, fit.b, fit.L0) == pytest.approx((0.1564, 0.1969, 3.1334), abs=5e-4)
    assert fit.converged
    assert fit.starts_agreeing == fit.starts_tried
    assert fit.gradient_norm < 1e-4
    assert fit.low < 3.132 < fit.L0 < fit.high
    assert fit.low == pytest.approx(3.1277, abs=1.5e-3)  # a bootstrap without the correction for five seeds
    assert fit.high == pytest.approx(3.1371, abs=1.5e-3)
    assert float(found.irreducible) == fit.L0


@published
def test_the_published_family_is_cleared(logs, as_published):
    for found in (as_published, collapse(logs, replicates=200)):
        assert found.verdict.startswith("This family is collapsing below its seed noise from 14.5 % of training on")
        assert found.verdict.endswith("No size falls out of the family.")
        assert all(f.ok for f in found.findings)
    assert found.design.exponent == pytest.approx(0.9128, abs=1e-4)  # 1.9128 in compute
    assert np.isnan(found.frontier_gamma.value)
    assert "decays" in found.frontier_gamma.untold


@published
def test_one_published_seed_still_gives_deviation_and_says_what_it_cannot_tell(logs, as_published):
    single = [r for r in iter_runs(logs) if r.seed == 0]
    found = collapse(single, irreducible=3.132387, replicates=100)
    ell = as_published.dataset["ell"].values[as_published.dataset["seed"].values == 0]
    np.testing.assert_allclose(found.dataset["delta"], ell.std(axis=0) / ell.mean(axis=0), rtol=1e-12)
    assert np.isnan([found.onset, *found.onset_interval, found.mean_noise.value]).all()
    assert "one seed per size the seed noise is unknown" in found.verdict
    assert found.irreducible.fit.resampled == "residuals"
    assert found.irreducible.low < 3.132 < found.irreducible.high
    assert found.to_dict()["onset"] is None


def test_an_interval_covers_the_loss_that_was_put_in():
    """30 families of known irreducible loss; a 90 % interval misses more than 8 times with probability 1e-3."""
    hits = 0
    for seed in range(30):
        chosen = on_a_grid(np.array([0.5, 1.0]), rng=100 + seed)
        fit = fit_ends(chosen, SeedBootstrap.of(chosen, 200, 0), level=0.9, replicates=200, rng=0)
        hits += fit.low < L0 < fit.high
    assert hits >= 22


def test_everything_is_stated_and_repeats():
    made = [collapse(family(sizes=SIZES[:4], seeds=2), replicates=50, grid=[0.0, 0.25, 0.5, 1.0]) for _ in range(2)]
    assert json.dumps(made[0].to_dict()) == json.dumps(made[1].to_dict())
    text = made[0].to_dict()
    assert text["conventions"]["grid"] == "4 points of x, given, 0 to 1"
    assert text["conventions"]["interpolation"] == "linear in t"
    assert {"ddof", "irreducible", "horizon", "params", "left_out"} <= set(text["conventions"])
    assert made[0].dataset["ell"].attrs["units"] == "1"
    assert made[0].dataset["horizon"].attrs["units"] == "tokens"
    assert text["level"] == 0.9


def test_runs_timed_in_steps_and_widths_for_sizes():
    t = np.arange(1, 51)
    runs = [
        Run(name=f"{w}", step=t * w, loss=2.0 + 0.1 * (t / 50) ** -0.5 / w, params={}, width=float(w))
        for w in (1, 2, 4)
    ]
    found = collapse(runs, irreducible=2.0, replicates=20)
    assert found.dataset["horizon"].attrs["units"] == "updates"
    assert found.dataset["compute"].attrs["units"] == "arbitrary"
    assert found.dataset["label"].values.tolist() == ["1", "2", "4"]
    assert float(found.dataset["delta"].max()) < 1e-12
    with pytest.raises(InputError, match="run a: neither parameters nor width are known"):
        collapse([Run(name="a", step=t, loss=1.0 / t, params={})])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"grid": 2}, "grid = 2: must be 3 points or more"),
        ({"grid": [0.0, 0.5, 0.9]}, "grid = "),
        ({"grid": [0.0, 0.4, 1.0]}, "one in [0.5, 1)"),
        ({"grid": "many"}, "grid = 'many'"),
        ({"interpolation": "cubic"}, "interpolation = 'cubic': must be one of linear, log"),
        ({"irreducible": -1.0}, "irreducible = -1.0: must be a finite number"),
        ({"irreducible": float("nan")}, "irreducible = nan"),
        ({"ddof": 2}, "ddof = 2: must be 0 or 1"),
        ({"level": 1.0}, "level = 1.0"),
        ({"replicates": 1}, "replicates = 1"),
        ({"horizon": (1.0,)}, "horizon = "),
        ({"horizon": (-1.0, 1.0)}, "horizon = "),
        ({"params": "half"}, "params = 'half'"),
        ({"params": "body"}, "params: the convention body needs the parameters by group"),
        ({}, "irreducible: the family has 3 sizes, and 4 or more are needed"),
    ],
)
def test_a_mistake_is_one_sentence(options, words):
    with pytest.raises(InputError) as caught:
        collapse(family(sizes=SIZES[:3], seeds=1), **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("runs", ["runs.csv", [], 3, [1, 2], {"a": 1}])
def test_what_is_no_family_is_refused(runs):
    with pytest.raises(InputError, match=r"runs = .*: must be a family of measured runs"):
        collapse(runs)


def test_an_irreducible_loss_next_to_the_ends_is_refused():
    runs = family(sizes=SIZES[:2], seeds=5)
    with pytest.raises(InputError, match="too close to the final losses"):
        collapse(runs, irreducible=float(collapse(runs, irreducible=L0, replicates=20).dataset["loss"].min()) - 1e-12)


def test_a_single_run_is_no_family_and_says_so():
    found = collapse(family(sizes=SIZES[:1], seeds=1), irreducible=L0, replicates=20)
    assert found.verdict.startswith("Only one size (1 run) takes part")
    assert np.isnan(found.onset)


def test_interpolating_in_log_time_is_closer_on_sparse_logs():
    sparse = np.append(np.geomspace(0.01, 1.0, 12)[:-1], 1.0)
    runs = runs_of(seeds=1, noisy=False, points=sparse, sizes=SIZES[:4])
    true = (np.linspace(0.05, 1, 20) ** -0.5 + 1.0) / 2.0
    grid = np.linspace(0.05, 1, 20)
    errors = {
        how: np.abs(
            collapse(runs, irreducible=L0, grid=grid, interpolation=how).dataset["mean"].values / true - 1
        ).max()
        for how in ("linear", "log")
    }
    assert errors["log"] < 0.5 * errors["linear"]
    assert errors["log"] < 0.01
    assert place(choose(runs), grid, log=True).loss.shape == (4, 20)
