"""Held-out runs and budgets, against what was simulated."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scalinglaws.curves import Run, from_runs
from scalinglaws.errors import InputError
from scalinglaws.fitting import Table, fit
from scalinglaws.prediction import optimal, predict_held_out
from tests.fitting.conftest import TRUTH, ladder, second_metric
from tests.naive import fitting as naive


def test_largest_run_is_predicted_without_having_seen_it() -> None:
    table = ladder(0.002, 0)
    held = predict_held_out(table, replicates=200)
    assert held.names == ("14",)
    assert held.fit.table.rows == 14
    assert "14" not in held.fit.table.run
    assert abs(held.relative_error[0]) < 0.02
    assert held.low[0] < held.predicted[0] < held.high[0]
    assert held.extrapolation == pytest.approx(4.0)
    assert bool(held.covered[0]) == (held.low[0] <= table.loss[14] <= held.high[0])


def test_a_wrong_measurement_is_not_covered() -> None:
    table = ladder(0.002, 0)
    loss = table.loss.copy()
    loss[14] *= 1.1
    held = predict_held_out(Table(params=table.params, tokens=table.tokens, loss=loss), replicates=200)
    assert not held.covered[0]
    assert held.relative_error[0] == pytest.approx(0.1, abs=0.02)
    assert "does not cover" in held.summary()


def test_seeds_of_the_largest_run_are_held_out_with_it() -> None:
    """A prediction is not blind that has seen a twin."""
    table = ladder(0.002, 1)
    twice = {name: np.append(values := getattr(table, name), values[-1]) for name in ("params", "tokens", "loss")}
    twice["loss"][-1] *= 1.002
    assert predict_held_out(table, replicates=20).names == ("14",)
    assert predict_held_out(twice, replicates=20).names == ("14", "15")


def test_hold_out_by_name_and_by_size() -> None:
    table = ladder(0.002, 1)
    assert predict_held_out(table, hold_out=["3", "7"], replicates=20).names == ("3", "7")
    assert predict_held_out(table, hold_out="largest-size", replicates=20).names == ("12", "13", "14")
    for wrong in ("elephant", [], ["1", "x"]):
        with pytest.raises(InputError, match="hold_out"):
            predict_held_out(table, hold_out=wrong)
    with pytest.raises(InputError, match="none is left"):
        predict_held_out(table, hold_out=[str(i) for i in range(15)])


def test_a_family_of_curves_gives_what_its_end_points_give() -> None:
    table = ladder(0.002, 2)
    runs = [
        Run(
            name=f"run{i}",
            step=np.array([1, 2]),
            tokens=np.array([0.5, 1.0]) * table.tokens[i],
            loss=np.array([9.0, table.loss[i]]),
            params={"unspecified": table.params[i]},
        )
        for i in range(15)
    ]
    of_family, of_table = (predict_held_out(data, replicates=20) for data in (from_runs(runs), table))
    assert of_family.names == ("run14",)
    assert of_family.predicted == pytest.approx(of_table.predicted)
    assert json.loads(json.dumps(of_family.to_dict()))["names"] == ["run14"]


def test_optimum_with_intervals_and_reach() -> None:
    fitted = fit(ladder(0.002, 3))
    ds = optimal(fitted, [1e19, 1e25], replicates=200)
    truth = naive.optimum(TRUTH, 1e19)
    assert ds.params_low[0] < truth < ds.params_high[0]
    for name in ("params", "tokens", "tokens_per_param", "loss"):
        assert (ds[f"{name}_low"] <= ds[name]).all()
        assert (ds[name] <= ds[f"{name}_high"]).all()
    assert any("times the largest compute" in note for note in json.loads(ds.attrs["notes"]))
    assert json.loads(optimal(fitted, 1e19, replicates=20).attrs["notes"]) == []
    with pytest.raises(InputError, match="flops"):
        optimal(fitted, [1e19, np.nan], replicates=20)


def test_an_attached_bootstrap_is_used() -> None:
    fitted = fit(ladder(0.002, 4)).bootstrap(50, rng=9)
    assert optimal(fitted, 1e19).params_low.item() == fitted.interval("n_opt", flops=1e19)[0]


def test_a_held_out_error_rate() -> None:
    """A law of another column: what was measured, predicted and covered is that column."""
    table = second_metric()
    held = predict_held_out(table, law="error", replicates=100)
    largest = int(np.argmax(table.flops))
    assert held.measured.tolist() == [table.extra["error"][largest]]
    assert held.predicted[0] == pytest.approx(held.measured[0], rel=0.02)
    assert held.low[0] < held.predicted[0] < held.high[0]
