"""Damaged runs, each handled by its rule: spikes, holes, restarts, other logging, early stops, divergence."""

import json
from dataclasses import replace

import numpy as np
import pytest

from scalinglaws.comparison.collapsing.analysis import collapse
from scalinglaws.comparison.collapsing.damage import repair, spikes
from scalinglaws.curves import read_curves
from scalinglaws.errors import InputError
from tests.comparison.families import L0, SIZES, one_run, runs_of

FOUR = SIZES[::2]


@pytest.fixture(scope="module")
def clean():
    return collapse(runs_of(seeds=2, sizes=FOUR), irreducible=L0, replicates=20)


def damaged(change, index=3):
    """The family of `clean` with one run changed."""
    runs = runs_of(seeds=2, sizes=FOUR, schedule="linear")
    runs[index] = change(runs[index])
    return collapse(runs, irreducible=L0, replicates=20)


def left_out(found):
    return json.loads(found.dataset.attrs["left_out"])


def with_loss(run, change):
    loss = run.loss.copy()
    change(loss)
    return replace(run, loss=loss)


def test_a_spike_that_comes_back_is_cut_out_and_named(clean):
    def spike(loss):
        loss[150:153] += [0.3, 0.5, 0.2]

    found = damaged(lambda r: with_loss(r, spike))
    assert not left_out(found)
    np.testing.assert_allclose(found.dataset["ell"], clean.dataset["ell"], rtol=2e-4)
    finding = next(f for f in found.findings if f.check == "damage")
    assert not finding.ok
    assert "run 1/1: a loss spike of" in finding.sentence
    assert "3 observations between steps" in finding.sentence


def test_a_spike_at_the_end_leaves_the_run_out():
    def spike(loss):
        loss[-2:] += 0.2

    found = damaged(lambda r: with_loss(r, spike))
    assert "in a spike" in left_out(found)["1/1"]
    assert found.dataset.sizes["run"] == 7


@pytest.mark.parametrize("shape", ["steep", "rising", "noisy", "stairs", "short"])
def test_what_is_no_spike_is_left_alone(shape):
    rng = np.random.default_rng(0)
    x = np.linspace(0.01, 1, 300)
    curve = {
        "steep": 3 + 5 * np.exp(-300 * x),
        "rising": 3 + 0.2 * x,
        "noisy": 3 * (1 + 0.02 * rng.standard_normal(300)),
        "stairs": np.round(3 + x**-0.5, 1),
        "short": np.array([5.0, 4.0, 3.5, 3.4]),
    }[shape]
    assert not spikes(curve).any()


def test_every_single_spike_inside_is_found_alone():
    curve = 3.0 + np.linspace(0.01, 1, 120) ** -0.5
    for i in range(10, 115):
        hurt = curve.copy()
        hurt[i] *= 1.05
        assert np.flatnonzero(spikes(hurt)).tolist() == [i]


def test_missing_losses_are_interpolated_over(clean):
    def holes(loss):
        loss[100:200:3] = np.nan
        loss[120] = np.inf

    found = damaged(lambda r: with_loss(r, holes))
    np.testing.assert_allclose(found.dataset["ell"], clean.dataset["ell"], rtol=5e-4)
    assert "observations without a finite loss were dropped" in found.findings[1].sentence


def test_a_loss_that_stops_being_finite_leaves_the_run_out():
    def end(loss):
        loss[-3:] = np.nan

    assert left_out(damaged(lambda r: with_loss(r, end))) == {"1/1": "its loss stops being finite: it diverged"}


@pytest.mark.parametrize("status", ["partial", "diverged"])
def test_unfinished_runs_are_left_out_and_named(status):
    found = damaged(lambda r: replace(r, status=status))
    assert left_out(found) == {"1/1": f"it is {status}"}
    assert f"left out: run 1/1, it is {status}" in found.findings[0].sentence
    assert not found.findings[0].ok


def test_a_run_that_stops_early_is_left_out_and_a_longer_one_too():
    def cut(run):
        return replace(run, **{k: getattr(run, k)[:-40] for k in ("step", "loss", "tokens", "lr")})

    runs = runs_of(seeds=3, sizes=FOUR)
    runs[4] = cut(runs[4])
    found = collapse(runs, irreducible=L0, replicates=20)
    assert list(left_out(found)) == ["1/1"]
    assert left_out(found)["1/1"].startswith("it stops early: it ends at ")
    runs = [cut(r) if k in (3, 4) else r for k, r in enumerate(runs_of(seeds=3, sizes=FOUR))]
    found = collapse(runs, irreducible=L0, replicates=20)
    assert list(left_out(found)) == ["1/2"]
    assert left_out(found)["1/2"].startswith("it goes on: ")


def test_an_early_stop_of_the_only_run_of_a_size_shows_in_the_horizon_law():
    runs = [one_run(n, name=f"{k}", longer=0.6 if k == 2 else 1.0) for k, n in enumerate(SIZES)]
    found = collapse(runs, irreducible=L0, replicates=20)
    assert found.design.horizon == {2: pytest.approx(0.6, abs=1e-3)}
    finding = next(f for f in found.findings if f.check == "horizons")
    assert not finding.ok
    assert "size 1.81e+07 has 0.6 times" in finding.sentence


def test_other_logging_does_not_move_the_curves(clean):
    rough = [
        one_run(n, name=f"{k}", points=np.append(np.geomspace(1e-3, 1, 40 + 20 * k)[:-1], 1.0))
        for k, n in enumerate(FOUR)
    ]
    grid = np.linspace(0.05, 1, 96)
    found = collapse(rough, irreducible=L0, grid=grid, interpolation="log", replicates=20)
    exact = (grid**-0.5 + 1) / 2
    np.testing.assert_allclose(found.dataset["ell"], np.tile(exact, (4, 1)), rtol=2e-3)


def test_curves_begin_where_they_were_first_logged():
    runs = [one_run(n, name=f"{k}", points=np.linspace(0.2, 1, 100)) for k, n in enumerate(FOUR)]
    found = collapse([*runs[:3], one_run(FOUR[3], name="3")], irreducible=L0, replicates=20)
    ds = found.dataset
    assert ds["ell"].sel(x=slice(0.01, 0.19)).isnull().sum() == 3 * ds["ell"].sel(x=slice(0.01, 0.19)).sizes["x"]
    assert np.isnan(ds["delta"].sel(x=0.1, method="nearest"))
    assert np.isfinite(ds["delta"].sel(x=slice(0.21, 1))).all()


def test_restarted_steps_in_a_file_keep_the_later_record(tmp_path, clean):
    """A run that resumed from step s logs the steps after s twice."""
    rows = ["run,step,tokens,N,seed,loss"]
    for run in runs_of(seeds=2, sizes=FOUR):
        lines = [
            f"{run.name},{s},{t:.0f},{run.params['unspecified']:.6f},{run.seed:.0f},{y!r}"
            for s, t, y in zip(run.step.tolist(), run.tokens.tolist(), run.loss.tolist(), strict=True)
        ]
        if run.name == "1/1":
            wrong = [line.rsplit(",", 1)[0] + ",9.9" for line in lines[100:140]]
            lines = lines[:100] + wrong + lines[100:]
        rows += lines
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(rows) + "\n")
    found = collapse(read_curves(path), irreducible=L0, replicates=20)
    np.testing.assert_allclose(found.dataset["ell"], clean.dataset["ell"], rtol=1e-9)


def test_counts_of_tokens_that_repeat_or_fall():
    run = one_run(SIZES[0])
    again = run.tokens.copy()
    again[50] = again[51]
    done = repair(run, again)
    assert done.clock.size == run.step.size - 1
    assert run.loss[50] not in done.loss
    again[60] = 0.0
    with pytest.raises(InputError, match=r"run 1e\+07: tokens fall from"):
        repair(run, again)


def test_unknown_tokens_fall_back_to_steps():
    run = one_run(SIZES[0])
    some = run.tokens.copy()
    some[7] = np.nan
    done = repair(run, some)
    assert not done.in_tokens
    np.testing.assert_array_equal(done.clock, run.step)


def test_one_run_without_tokens_puts_the_family_in_steps(clean):
    found = damaged(lambda r: replace(r, tokens=None, batch=np.nan))
    assert not left_out(found)
    assert found.dataset["horizon"].attrs["units"] == "updates"
    np.testing.assert_allclose(found.dataset["ell"], clean.dataset["ell"], rtol=1e-9)


def test_what_is_unknown_of_one_run_does_not_set_it_apart(clean):
    found = damaged(lambda r: replace(r, peak_lr=np.nan, schedule="", lr=None))
    np.testing.assert_allclose(found.dataset["ell"], clean.dataset["ell"], rtol=1e-12)


def test_a_log_that_begins_after_half_of_training_is_left_out():
    found = damaged(lambda r: _thin(r, slice(180, None)))
    assert left_out(found)["1/1"].startswith("its log begins at 70.5 % of its horizon")


def test_a_run_too_short_or_not_positive_is_left_out():
    assert "only 3 observations" in left_out(damaged(lambda r: _thin(r, [0, 50, -1])))["1/1"]

    def negative(loss):
        loss[5] = -1.0

    assert "not positive" in left_out(damaged(lambda r: with_loss(r, negative)))["1/1"]


def _thin(run, rows):
    return replace(run, **{k: getattr(run, k)[rows] for k in ("step", "loss", "tokens", "lr")})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: replace(r, schedule="cosine"), "size 1.81e+07: its runs differ in schedule (cosine, linear)"),
        (lambda r: replace(r, peak_lr=2.0), "size 1.81e+07: its runs differ in peak lr (1.0, 2.0)"),
        (lambda r: replace(r, batch=20.0), "size 1.81e+07: its runs differ in batch"),
        (lambda r: replace(r, lr=r.lr**2), "size 1.81e+07: runs 1/0 and 1/1 have other learning rates over x"),
    ],
)
def test_runs_that_differ_in_more_than_their_seed_are_refused(change, words):
    with pytest.raises(InputError) as caught:
        damaged(change)
    assert words in str(caught.value)


def test_nothing_left_is_an_error():
    with pytest.raises(InputError, match="runs: none can take part \\(a: it is partial\\)"):
        collapse([one_run(1e7, name="a", status="partial")], irreducible=0.0)


def test_a_given_horizon_cuts_longer_runs_and_names_shorter_ones(clean):
    """t* = (N / scale)^1 tokens with scale 0.01 is 1e9 tokens at 1e7, the horizon of `longer` = 1."""
    runs = [*runs_of(seeds=1, sizes=FOUR, noisy=False, longer=3.0), one_run(FOUR[1], name="short", longer=0.5)]
    found = collapse(runs, irreducible=L0, horizon=(0.01, 1.0), interpolation="log", replicates=20)
    assert "before its horizon of" in left_out(found)["short"]
    x = found.dataset["x"].values[20:]
    np.testing.assert_allclose(found.dataset["mean"][20:], (x**-0.5 + 1) / 2, rtol=2e-3)
    assert found.dataset.attrs["horizon"] == "(N / 0.01)^1 tokens"
    with pytest.raises(InputError, match="its tokens are unknown"):
        collapse([replace(r, tokens=None, batch=np.nan) for r in runs], irreducible=L0, horizon=(0.01, 1.0))
