from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scalinglaws.curves import from_runs, iter_runs, load_curves, save_curves
from scalinglaws.curves.schema import TIMINGS
from scalinglaws.training import plan, train
from scalinglaws.training.throughput import Clock
from tests.training.conftest import untimed


def test_a_run_says_how_fast_it_went(tiny):
    config = replace(tiny, measure_batches=2, sharpness_points=2)
    ds, p = train(config), plan(config)
    value = {name: float(ds[name][0]) for name in TIMINGS}
    assert all(v > 0 for v in value.values())
    assert value["tokens_per_second"] == pytest.approx(p.tokens / value["update_seconds"])
    share = p.training_flops / value["update_seconds"] / value["peak_flops"]
    assert value["model_flops_utilization"] == pytest.approx(share)
    assert ds["peak_flops"].attrs["units"] == "FLOP/s"


def test_laps_are_told_apart(monkeypatch):
    now = iter([0.0, 1.0, 3.0, 10.0, 10.5])
    monkeypatch.setattr("time.perf_counter", lambda: next(now))
    clock = Clock({"update": 5.0})
    clock.lap("update")
    clock.lap("evaluation")
    clock.start()
    clock.lap("update")
    assert (clock.seconds["update"], clock.seconds["evaluation"]) == (6.5, 2.0)


def test_seconds_of_an_interrupted_run_add_up(tiny, tmp_path):
    said = []

    def stop(progress):
        said.append(progress)
        if len(said) == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny, out=tmp_path, report=stop, checkpoint_every=0.0)
    kept = 19 * 64 / said[18].tokens_per_second  # what the last checkpoint holds, to a few microseconds
    ds = train(tiny, out=tmp_path)
    assert float(ds.update_seconds[0]) > kept
    assert float(ds.tokens_per_second[0]) == pytest.approx(24 * 64 / float(ds.update_seconds[0]))
    assert said[18].utilization == pytest.approx(
        said[18].tokens_per_second * sum(plan(tiny).flops_per_token.values()) / float(ds.peak_flops[0])
    )


def test_a_family_may_hold_runs_without_timings(tiny, tmp_path):
    timed, plain = next(iter_runs(train(tiny))), replace(next(iter_runs(train(tiny))), name="plain", timings={})
    ds = from_runs([timed, plain])
    assert np.isfinite(ds.tokens_per_second.values).tolist() == [True, False]
    assert [dict(run.timings) for run in iter_runs(ds)] == [dict(timed.timings), {}]
    save_curves(ds, tmp_path / "f.nc")
    assert load_curves(tmp_path / "f.nc").identical(ds)
    assert "tokens_per_second" not in from_runs([plain])
    assert untimed(ds).identical(untimed(from_runs([replace(timed, timings={}), plain])))
