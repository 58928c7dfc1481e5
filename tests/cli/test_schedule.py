"""The forecast of a schedule as a user meets it."""

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from scalinglaws.cli import app
from scalinglaws.curves import iter_runs
from tests.cli.mistakes import check_mistake
from tests.comparison.schedules_data import MOMENTUM, family, plan

PLANS = {"cosine": plan("cosine:floor=0.1"), "wsd": plan("wsd:0.2"), "stage": plan("stages:at=[0.4],rates=[0.3]")}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Three curves in a CSV with recorded rates, as a user has them."""
    path = tmp_path_factory.mktemp("runs") / "runs.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["run", "step", "lr", "val_loss"])
        for run in iter_runs(family("momentum", MOMENTUM, PLANS, noise=1e-3, every=100)):
            rates = PLANS[run.name](run.step)
            rows.writerows((run.name, int(s), lr, y) for s, lr, y in zip(run.step, rates, run.loss, strict=True))
    return path


def run(*arguments):
    result = CliRunner().invoke(app, ["schedule", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_answer_comes_first_with_its_interval_and_the_other_laws(table, tmp_path):
    out = tmp_path / "forecast.html"
    fitted = ["--fit", "cosine", "--fit", "wsd"]
    said = run(table, "--predict", "linear", "--law", "momentum", *fitted, "--bootstrap", 10, "--out", out)
    lines = said.splitlines()
    assert lines[0].startswith("all runs: linear over 3.00k updates at peak rate 0.0003 ends at loss ")
    assert "90 % interval, momentum law" in lines[0]
    for law in ("multi-power", "functional", "tau-power"):
        assert any(line.startswith(law) for line in lines)
    assert "converged" in said
    page = out.read_text()
    assert "data:image/svg+xml" in page
    assert lines[0].split("ends at loss ")[1][:6] in page


def test_the_forecast_is_near_the_truth_and_json_holds_the_curve(table):
    answer = json.loads(run(table, "--predict", "linear", "--law", "momentum", "--bootstrap", 20, "--json"))
    (forecast,) = answer["forecasts"]
    truth = family("momentum", MOMENTUM, {"linear": plan("linear")})["loss"].values[-1]
    low, high = forecast["interval"]
    assert low <= truth <= high
    assert forecast["loss"] == pytest.approx(truth, rel=5e-3)  # a warm-up of 200 updates, recorded every 100
    assert forecast["curve"]["loss"][-1] == forecast["loss"]
    assert forecast["fit"]["runs"] == ["cosine", "wsd", "stage"]
    assert np.all(np.diff(forecast["curve"]["step"]) > 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--predict", "zigzag"], "schedule = 'zigzag'"),
        (["--predict", "wsd:2"], "decay"),
        (["--predict", "linear", "--law", "cubic"], "law = 'cubic'"),
        (["--predict", "linear", "--fit", "nobody"], "nobody"),
        (["--predict", "linear", "--steps", "1"], "steps = 1"),
        (["--predict", "linear", "--level", "1"], "level = 1"),
        (["--predict", "linear", "--bootstrap", "1"], "replicates = 1"),
        (["--predict", "linear", "--out", "x.gif"], "out = 'x.gif'"),
    ],
)
def test_mistakes_are_one_sentence(table, options, words, monkeypatch, capsys):
    check_mistake(["schedule", str(table), *options], words, monkeypatch, capsys)
