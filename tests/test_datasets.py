"""The shipped families are what their ladders say, small, and show what they are there to show."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import scalinglaws as sl
from scalinglaws.curves import iter_runs
from scalinglaws.errors import InputError
from scalinglaws.training import Ladder, configs_of

NAMES = sl.datasets.names()
load = cache(sl.datasets.load)


def test_what_ships():
    assert NAMES == ["horizons", "ladder", "rates", "schedules", "standard"]
    folder = Path(sl.datasets.recipe("ladder")).parent
    assert sum(path.stat().st_size for path in folder.glob("*.nc")) < 5e6
    assert set(sl.datasets.recipes()) == {*NAMES, "gpu", "gpu-standard"}


@pytest.mark.parametrize("name", NAMES)
def test_runs_are_those_of_the_ladder_and_say_where_they_come_from(name):
    runs = load(name)
    assert configs_of(runs) == {run.name: run for run in Ladder.coerce(name).runs}
    assert set(runs.status.values) == {"finished"}
    assert runs.attrs["command"] == f"scalinglaws train {name}"
    assert len(runs.attrs["corpus_fingerprint"]) == 64
    assert all(runs.attrs[key] for key in ("hardware", "python", "torch", "version"))
    assert json.loads(runs.attrs["config_common"])["corpus"] == "python-stdlib"
    assert sl.datasets.describe(name)


@pytest.mark.parametrize("name", ["ladder", "standard", "schedules", "horizons"])
def test_noise_is_recorded_along_the_runs(name):
    for run in iter_runs(load(name)):
        measured = np.isfinite(run.noise_trace)
        assert measured.sum() >= 5
        assert np.all(run.noise_trace[measured] > 0)
        assert np.isfinite(run.attention_logit_max[measured]).all()
        assert run.timings["update_seconds"] > 0
    assert ("sharpness" in load(name)) == (name == "schedules")


def test_loss_is_a_power_law_of_size_and_tokens():
    """Residuals of the additive law stay near two percent, and the 90 % intervals of both exponents exclude zero."""
    ends = [sl.end_points(load(name), params="non_embedding") for name in ("ladder", "horizons")]
    table = {key: np.concatenate([e[key].values for e in ends]) for key in ("params", "tokens", "loss")}
    fit = sl.fit(table).bootstrap(replicates=100, rng=0)
    residual = np.log(table["loss"] / fit.predict(table["params"], table["tokens"]))
    assert np.sqrt(np.mean(residual**2)) < 0.025
    assert fit.interval("alpha")[0] > 0.03
    assert fit.interval("beta")[0] > 0.03


def test_seeds_differ_by_about_a_percent():
    ends = sl.end_points(load("ladder"))
    spread = [ends.loss.values[ends.width.values == w] for w in np.unique(ends.width)]
    assert all(losses.size == 5 for losses in spread)
    relative = np.sqrt(np.mean([losses.var(ddof=1) / losses.mean() ** 2 for losses in spread]))
    assert 0.002 < relative < 0.025


def test_the_control_collapses_worse():
    mup, control = (sl.collapse(load(name), irreducible=0.0, replicates=50) for name in ("ladder", "standard"))
    assert control.mean_deviation.value > mup.mean_deviation.value


def test_the_rate_transfers_under_mup_alone():
    ds = sl.rate_transfer(load("rates")).dataset
    assert abs(float(ds["slope"].sel(parameterization="mup"))) < 0.15
    assert float(ds["slope"].sel(parameterization="standard")) < -0.8
    regret = ds["regret"].isel(width=-1)
    assert float(regret.sel(parameterization="mup")) < 0.02 < 0.2 < float(regret.sel(parameterization="standard"))


@pytest.mark.parametrize("call", [sl.datasets.load, sl.datasets.recipe, sl.datasets.describe])
def test_another_name_is_refused(call):
    with pytest.raises(InputError, match="must be one of"):
        call("no-such-family")


def test_the_ladders_for_a_gpu_span_a_factor_of_fifty():
    for name, runs in (("gpu", 64), ("gpu-standard", 40)):
        ladder = Ladder.coerce(name)
        size = [12 * run.depth * run.width**2 + 256 * run.width for run in ladder.runs]
        assert len(ladder.runs) == runs
        assert max(size) / min(size) > 50
        assert {run.device for run in ladder.runs} == {"cuda"}


def test_several_families_are_one_study():
    study = sl.datasets.load("ladder", "standard")
    assert study.sizes["run"] == 40 + 16
    assert {str(name).split("/")[0] for name in study["run"].values} == {"ladder", "standard"}
    assert study.attrs["corpus"] == "python-stdlib"
    assert "config_runs" not in study.attrs  # each family has its own
    with pytest.raises(InputError, match="dataset = 'none'"):
        sl.datasets.load("ladder", "none")
    with pytest.raises(InputError, match="one name or more"):
        sl.datasets.load("ladder", "ladder")
