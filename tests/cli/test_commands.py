"""The command line as a user meets it: examples in --help work, answers are right, mistakes are one sentence."""

import json
import shlex
import signal
import subprocess
import sys
import time

import pytest
import torch
from typer.testing import CliRunner

from scalinglaws.cli import app, main
from tests.cases import LAW, TINY_LADDER, write_table
from tests.cli.mistakes import check_mistake

COMMANDS = ("train", "fit", "optimal", "report", "demo")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_table(tmp_path / "runs.csv")
    (tmp_path / "ladder.toml").write_text(TINY_LADDER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def example(command):
    lines = CliRunner().invoke(app, [command, "--help"]).stdout.splitlines()
    found = [line.strip() for line in lines if line.strip().startswith("scalinglaws ")]
    assert len(found) == 1
    return shlex.split(found[0])[1:]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_in_the_help_runs(command, folder):
    program = "from scalinglaws.cli import main; main()"
    arguments = [sys.executable, "-c", program, *example(command)]
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_fit_recovers_the_law_and_its_json_is_one_object(folder):
    answer = json.loads(run("fit", "runs.csv", "--json", "--bootstrap", "100"))
    assert answer["params"]["alpha"] == pytest.approx(LAW["alpha"], abs=0.05)
    low, high = answer["intervals"]["alpha"]
    assert low < LAW["alpha"] < high
    assert answer["converged"]


def test_optimal_prints_the_answer_first(folder):
    first = run("optimal", "runs.csv", "--flops", "1e20", "--bootstrap", "100").splitlines()[0]
    assert first.startswith("At 1e20 FLOP:")
    answer = json.loads(run("optimal", "runs.csv", "--flops", "1e20", "--bootstrap", "100", "--json"))
    best = answer["optimum"]
    assert best["params_low"][0] < best["params"][0] < best["params_high"][0]
    assert 6 * best["params"][0] * best["tokens"][0] == pytest.approx(1e20)


def test_drop_highest_leaves_out_the_worst_runs(folder):
    assert json.loads(run("fit", "runs.csv", "--json", "--bootstrap", "50", "--drop-highest", "2"))["rows"] == 13


def test_train_resumes_to_the_same_family(folder):
    run("train", "ladder.toml", "--out", "runs", "--workers", "1")
    before = {p.name: p.stat().st_mtime_ns for p in (folder / "runs").glob("width*.nc")}
    out = json.loads(run("train", "ladder.toml", "--out", "runs", "--workers", "1", "--json"))
    assert len(out["runs"]) == len(before) == 9
    assert {p.name: p.stat().st_mtime_ns for p in (folder / "runs").glob("width*.nc")} == before


def test_train_says_how_fast_it_went(folder):
    header = run("train", "ladder.toml", "--out", "runs", "--workers", "1").splitlines()[1]
    assert header.split()[-2:] == ["tokens/s", "MFU"]


def test_one_run_on_each_device(folder):
    run("train", "ladder.toml", "--out", "runs", "--devices", "cpu:0,cpu:1")  # one CPU by two names
    assert len(list((folder / "runs").glob("width*.nc"))) == 9


def test_a_dry_run_says_the_cost_and_writes_nothing(folder):
    before = sorted(folder.iterdir())
    answer = json.loads(run("train", "ladder.toml", "--dry-run", "--flops-per-second", "1e9", "--json"))
    assert len(answer["runs"]) == 9
    assert answer["seconds"] == pytest.approx(answer["flops"] / 1e9)
    assert all(entry["memory"] > 0 for entry in answer["runs"])
    text = run("train", "ladder.toml", "--dry-run").splitlines()
    assert text[0].startswith("9 runs, ")
    assert "measured here" in text[1]
    assert sorted(folder.iterdir()) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_ladder_for_gpus_can_be_planned_where_there_is_none(folder):
    (folder / "gpu.toml").write_text(
        TINY_LADDER.replace("[common]", '[common]\ndevice = "cuda"\nprecision = "bfloat16"')
    )
    text = run("train", "gpu.toml", "--dry-run")
    assert "no CUDA device here" in text
    assert "--flops-per-second" in text
    answer = json.loads(run("train", "gpu.toml", "--dry-run", "--workers", "8", "--flops-per-second", "1e12", "--json"))
    assert answer["elapsed"] < answer["seconds"]


def test_tuning_recommends_a_way_to_use_the_cores(folder):
    answer = json.loads(run("train", "ladder.toml", "--tune", "--json"))
    assert answer["best"] == answer["ways"][0]
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit", "absent.csv"], "absent.csv"),
        (["fit", "runs.csv", "--estimator", "median"], "estimator = 'median'"),
        (["fit", "runs.csv", "--law", "moore"], "law = 'moore'"),
        (["fit", "runs.csv", "--column", "loss"], "--column"),
        (["fit", "runs.csv", "--column", "loss=nothing"], "nothing"),
        (["fit", "runs.csv", "--drop-highest", "99"], "--drop-highest = 99"),
        (["fit", "runs.csv", "--level", "2"], "level"),
        (["fit", "runs.csv", "--as", "poem"], "kind = 'poem'"),
        (["optimal", "runs.csv"], "--flops"),
        (["optimal", "runs.csv", "--flops", "-1"], "flops"),
        (["report", "runs.csv", "--hold-out", "nobody"], "nobody"),
        (["train", "absent.toml"], "absent.toml"),
        (["train", "runs.csv"], "TOML"),
        (["train", "ladder.toml", "--workers", "-1"], "--workers = -1"),
        (["train", "ladder.toml", "--devices", "cuda:0"], "described for cpu"),
        (["train", "ladder.toml", "--flops-per-second", "1e9"], "--flops-per-second"),
        (["train", "ladder.toml", "--dry-run", "--flops-per-second", "0"], "flops_per_second = 0.0"),
        (["train", "ladder.toml", "--dry-run", "--workers", "-1"], "--workers = -1"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_two(arguments, words, folder, monkeypatch, capsys):
    check_mistake(arguments, words, monkeypatch, capsys)


def test_an_unknown_option_is_exit_code_two(folder, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["scalinglaws", "fit", "runs.csv", "--sigma", "3"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2


def test_interrupted_training_says_that_it_can_go_on_and_does(folder):
    (folder / "long.toml").write_text(TINY_LADDER.replace("[640, 1280, 2560]", "[60000]"))
    command = [sys.executable, "-c", "from scalinglaws.cli import main; main()", "train", "long.toml", "--out", "long"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    kept = folder / "long"
    deadline = time.monotonic() + 120
    while not any(kept.glob("*.ckpt")) and not any(kept.glob("*.nc")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    # Not always the last line: the standard library's process pool may complain of a pipe that closed under it.
    assert any("interrupted" in line for line in said.splitlines())
    run("train", "long.toml", "--out", "long", "--workers", "2")
    assert (kept / "family.nc").exists()
