"""`scalinglaws optimal`: the answer first, the evidence after it, one JSON object, a page."""

import json

import pytest
from typer.testing import CliRunner

from scalinglaws.cli import app
from tests.cases import write_table
from tests.cli.mistakes import check_mistake

ALL = ("optimal", "runs.csv", "--flops", "1e21", "--law", "all", "--bootstrap", "40")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_table(tmp_path / "runs.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_all_laws_print_the_answer_first_then_the_evidence(folder):
    lines = run(*ALL).splitlines()
    assert lines[0].startswith("At 1e21 FLOP: ")
    assert "law gives the answer" in lines[1]
    assert "times the largest run" in lines[2]
    said = "\n".join(lines)
    for title in ("Laws side by side.", "Approaches 1, 2 and 3.", "Published laws.", "parameter "):
        assert f"\n{title}" in said
    assert "40 bootstrap refits" in said
    assert any(line.startswith("hoffmann ") for line in lines)
    assert sum(line.endswith("answer") for line in lines) == 1


def test_json_gives_all_of_it_and_the_page_its_numbers(folder):
    answer = json.loads(run(*ALL, "--json"))
    assert {one["law"] for one in answer["laws"]} >= {"chinchilla", "tied", "kaplan-e"}
    best = answer["optimum"]
    assert best["params_low"][0] < best["params"][0] < best["params_high"][0]
    for key in ("why", "trust", "cautions", "rolling", "about_approaches", "published", "design", "outliers"):
        assert answer[key] is not None


def test_two_budgets_are_two_sentences(folder):
    lines = run("optimal", "runs.csv", "--flops", "1e21", "--flops", "1e20", "--bootstrap", "40").splitlines()
    assert lines[0].startswith("At 1e20 FLOP: ")
    assert lines[1].startswith("At 1e21 FLOP: ")
    assert "only one" in lines[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["optimal", "runs.csv", "--law", "all"], "--flops"),
        (["optimal", "runs.csv", "--law", "every", "--flops", "1e21"], "law = 'every'"),
        (["optimal", "runs.csv", "--flops", "1e21", "--out", "page.pdf"], "page.pdf"),
        (["optimal", "runs.csv", "--flops", "0", "--law", "all"], "flops"),
        (["optimal", "runs.csv", "--flops", "1e21", "--bootstrap", "1"], "replicates"),
        (["optimal", "runs.csv", "--flops", "1e21", "--level", "2"], "level"),
        (["fit", "runs.csv", "--law", "all"], "law = 'all'"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_two(arguments, words, folder, monkeypatch, capsys):
    check_mistake(arguments, words, monkeypatch, capsys)
