"""Theory against measurement as a user meets it: the page, the numbers beside it, the command."""

import json

import pytest
from typer.testing import CliRunner

import scalinglaws as sl
from scalinglaws import schedules
from scalinglaws.cli import app
from scalinglaws.curves import save_curves
from scalinglaws.errors import InputError
from scalinglaws.report import analyse, paragraph, write_report
from scalinglaws.report.comparison import compare, write_comparison
from tests.cli.mistakes import check_mistake


@pytest.fixture(scope="module")
def runs():
    shape = schedules.linear(0.3, 300)
    sizes = [24, 36, 48, 72, 96]
    return sl.model_family(1.0, 0.7, sizes=sizes, horizon=(300, 0.7), schedule=shape, seeds=None, points=12)


@pytest.fixture(scope="module")
def found(runs):
    return compare(runs, laws=("chinchilla", "monomials"), starts=1)


def test_the_page_says_phase_exponents_and_who_predicts_best(found, tmp_path):
    write_comparison(found, tmp_path / "compare.html")
    page = (tmp_path / "compare.html").read_text()
    assert page.count("<img") == 2
    for words in ("Which phase are the runs in?", "theory at the fit", "chinchilla", "Left out: size"):
        assert words in page
    told = json.loads((tmp_path / "compare.json").read_text())
    assert told["placement"]["phase"] == found.placement.phase
    with pytest.raises(InputError, match=r"must end in .html"):
        write_comparison(found, tmp_path / "compare.png")


@pytest.mark.slow  # another fit of the model
def test_the_report_of_curves_has_the_phase_and_that_of_a_table_says_why_not(runs, tmp_path):
    whole = analyse(runs, replicates=20, theory=True)
    write_report(whole, tmp_path / "report.html")
    assert "Which phase are the runs in?" in (tmp_path / "report.html").read_text()
    assert whole.comparison.placement.sentence in paragraph(whole)
    table = analyse(sl.end_points(runs), replicates=20, theory=True)
    assert table.comparison is None
    assert "cannot be placed" in table.about_comparison


@pytest.mark.slow  # three descents
def test_the_command_prints_the_placement_and_the_contest(runs, tmp_path):
    save_curves(runs, tmp_path / "runs.nc")
    command = ["compare", str(tmp_path / "runs.nc"), "--law", "chinchilla", "--leave-out", "size"]
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "compare.html"), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert set(told) == {"placement", "contest", "page"}
    assert (tmp_path / "compare.html").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["absent.nc"], "absent.nc"),
        (["runs.nc", "--law", "moore"], "law = 'moore'"),
        (["runs.nc", "--leave-out", "luck"], "luck"),
        (["runs.nc", "--level", "2"], "level"),
        (["runs.nc", "--out", "page.pdf"], "must end in .html"),
    ],
)
def test_mistakes_of_the_command(runs, tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    save_curves(runs, tmp_path / "runs.nc")
    check_mistake(["compare", *arguments], words, monkeypatch, capsys)
