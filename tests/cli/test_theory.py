"""The commands of the solvable model as a user meets them."""

import json
import shlex
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from scalinglaws.cli import app
from scalinglaws.symbolic import phase
from tests.cli.mistakes import check_mistake


def run(*arguments):
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("command", ["phase", "diagram"])
def test_the_example_in_the_help_runs(command, tmp_path):
    lines = CliRunner().invoke(app, [command, "--help"]).stdout.splitlines()
    (example,) = [line.strip() for line in lines if line.strip().startswith("scalinglaws ")]
    program = [sys.executable, "-c", "from scalinglaws.cli import main; main()", *shlex.split(example)[1:]]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    if command == "diagram":
        assert {p.name for p in tmp_path.iterdir()} == {"diagram.html", "diagram.nc"}


def test_the_card_of_a_point_names_phase_exponents_and_their_expressions():
    card = run("phase", "1.0", "0.7")
    assert card.startswith("Phase II (")
    assert "0.705882" in card
    assert "xi = beta/(alpha + beta)" in card


def test_the_card_as_json_is_one_object():
    card = json.loads(run("phase", "0.7", "-0.1", "--json"))
    assert card["phase"] == "Ia"
    assert card["loss_exponent"] == phase(0.7, -0.1).loss_exponent
    assert card["exact"]["size_exponent"] == "1/(2*alpha + 1)"


def test_a_boundary_says_so():
    assert "continuous" in run("phase", "0.7", "0.7")


def test_a_diagram_as_json_compares_phase_by_phase(tmp_path):
    out = tmp_path / "small.png"
    answer = json.loads(
        run("diagram", "--out", str(out), "--points", "2", "--flops", "1e9", "--workers", "1", "--json")
    )
    assert out.exists()
    assert {row["phase"] for row in answer["phases"]} == {"II/III boundary", "Ia", "Ib", "IVa"}
    assert all(row["loss_largest"] < 0.1 for row in answer["phases"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["phase", "0.2", "0.1"], "2 (alpha + beta) > 1"),
        (["phase", "nan", "0.1"], "alpha = nan"),
        (["diagram", "--out", "diagram.pdf"], "out = 'diagram.pdf'"),
        (["diagram", "--out", "diagram.png", "--points", "0"], "--points = 0"),
        (["diagram", "--out", "diagram.png", "--alpha-max", "-1"], "--alpha-max = -1"),
        (["diagram", "--out", "diagram.png", "--flops", "0"], "flops = 0"),
        (["diagram", "--out", "diagram.png", "--workers", "-1"], "workers = -1"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_two(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    check_mistake(arguments, words, monkeypatch, capsys)
    assert not list(tmp_path.iterdir())
