"""What a collapse looks like: figures by their artists, the page, and the command as a user meets it."""

import json
import shlex
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from typer.testing import CliRunner

from scalinglaws.cli import app
from scalinglaws.comparison.collapsing.analysis import collapse
from scalinglaws.curves import iter_runs, save_curves
from scalinglaws.errors import InputError
from scalinglaws.plotting.collapse import (
    deviation_curves,
    draw_collapse,
    end_losses,
    normalised_curves,
    size_differences,
)
from scalinglaws.plotting.style import PREDICTED
from scalinglaws.report.collapse import write_collapse
from tests.cli.mistakes import check_mistake
from tests.comparison.families import L0, SIZES, family


@pytest.fixture(scope="module")
def found():
    return collapse(family(seeds=2, odd=5, fault={"longer": 2.0}), replicates=20)


def write_runs(path):
    rows = ["run,step,tokens,params,seed,schedule,learning_rate,loss"]
    for run in iter_runs(family(seeds=2, sizes=SIZES[::2])):
        rows += [
            f"{run.name},{s},{t:.0f},{run.params['unspecified']:.0f},{run.seed:.0f},linear,{r:.6f},{y:.6f}"
            for s, t, r, y in zip(run.step, run.tokens, run.lr, run.loss, strict=True)
        ]
    path.write_text("\n".join(rows) + "\n")


def test_every_run_is_drawn_in_the_colour_of_its_size(found):
    drawn = normalised_curves(found, ax=Figure().subplots())
    assert len(drawn.curves) == 16
    colours = [to_rgba(line.get_color()) for line in drawn.curves]
    assert colours[0] == colours[1] != colours[2]
    assert len(set(colours)) == 8
    np.testing.assert_array_equal(drawn.mean.get_ydata(), found.dataset["mean"])
    np.testing.assert_array_equal(drawn.curves[0].get_ydata(), found.curves[0])
    assert normalised_curves(found, ax=Figure().subplots(), log=True).mean.axes.get_yscale() == "log"


def test_deviation_noise_and_onset_are_where_the_numbers_are(found):
    drawn = deviation_curves(found, ax=Figure().subplots())
    np.testing.assert_allclose(drawn.delta.get_ydata(), 100 * found.dataset["delta"][:-1])
    np.testing.assert_allclose(drawn.sigma.get_ydata(), 100 * found.dataset["sigma_mean"])
    assert drawn.onset.get_xdata()[0] == pytest.approx(1 - found.onset)
    assert len(drawn.by_size) == 8


def test_the_odd_size_is_drawn_to_be_seen(found):
    drawn = size_differences(found, ax=Figure().subplots())
    assert [line.get_color() == PREDICTED for line in drawn.sizes] == [k == 5 for k in range(8)]
    labels = [t.get_text() for t in drawn.zero.axes.get_legend().get_texts()]
    assert labels == ["4.42e+07: off"]


def test_the_law_of_the_ends_passes_its_points(found):
    drawn = end_losses(found, ax=Figure().subplots())
    x, y = drawn.law.get_data()
    compute, final = np.asarray(drawn.points.get_offsets()).T
    np.testing.assert_allclose(np.interp(np.log(compute), np.log(x), y), final, rtol=1e-3)


def test_every_axis_is_labelled_and_what_is_unknown_is_not_drawn(found):
    for ax in draw_collapse(found).axes:
        assert ax.get_xlabel()
        assert ax.get_ylabel()
    single = collapse(family(seeds=1, sizes=SIZES[:2]), irreducible=L0, replicates=20)
    drawn = deviation_curves(single, ax=Figure().subplots())
    assert drawn.sigma is drawn.onset is None
    assert end_losses(single, ax=Figure().subplots()).law is None


@pytest.mark.parametrize("suffix", ["html", "png", "svg"])
def test_a_collapse_is_one_file_with_its_numbers_beside_it(found, tmp_path, suffix):
    out = tmp_path / f"collapse.{suffix}"
    write_collapse(found, out)
    assert {p.name for p in tmp_path.iterdir()} == {out.name, "collapse.json"}
    assert json.loads((tmp_path / "collapse.json").read_text()) == json.loads(json.dumps(found.to_dict()))
    if suffix == "html":
        page = out.read_text()
        assert "http" not in page.replace("http://www.w3.org", "")
        assert "is off: likely its horizon" in page
        assert page.count("<figure>") == 4
        assert "ddof: 0" in page
    with pytest.raises(InputError, match="out"):
        write_collapse(found, tmp_path / "collapse.pdf")


def test_the_page_of_one_seed_says_unknown(tmp_path):
    write_collapse(collapse(family(seeds=1), replicates=20), tmp_path / "one.html")
    page = (tmp_path / "one.html").read_text()
    assert "nan" not in page.replace("image/svg", "").split("data:")[0]
    assert "unknown" in page


def test_the_example_in_the_help_runs(tmp_path):
    lines = CliRunner().invoke(app, ["collapse", "--help"]).stdout.splitlines()
    (example,) = [line.strip() for line in lines if line.strip().startswith("scalinglaws ")]
    write_runs(tmp_path / "runs.csv")
    program = [sys.executable, "-c", "from scalinglaws.cli import main; main()", *shlex.split(example)[1:]]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "its seed noise from" in done.stdout.splitlines()[0]
    assert {p.name for p in tmp_path.iterdir()} == {"runs.csv", "collapse.html", "collapse.json"}


def test_the_command_as_json_takes_every_option(tmp_path):
    write_runs(tmp_path / "runs.csv")
    arguments = (
        "--json --irreducible 3 --ddof 1 --grid 51 --interpolation log --horizon 0.02,1 --bootstrap 20 --level 0.8"
    )
    more = "--seed 1 --params total --column loss=loss --scale tokens=1.0 --schedule linear"
    result = CliRunner().invoke(app, ["collapse", str(tmp_path / "runs.csv"), *arguments.split(), *more.split()])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["conventions"]["ddof"] == 1
    assert answer["conventions"]["grid"] == "51 points of x, evenly spaced, 0 to 1"
    assert answer["conventions"]["interpolation"] == "linear in log t"
    assert answer["conventions"]["horizon"] == "(N / 0.02)^1 tokens"
    assert (answer["irreducible"]["value"], answer["level"]) == (3.0, 0.8)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["absent.csv"], "absent.csv"),
        (["runs.nc", "--out", "page.pdf"], "out = 'page.pdf'"),
        (["runs.nc", "--horizon", "12"], "--horizon = '12': must be SCALE,EXPONENT"),
        (["runs.nc", "--horizon", "a,b"], "--horizon = 'a': must be a number"),
        (["runs.nc", "--grid", "1"], "grid = 1"),
        (["runs.nc", "--ddof", "3"], "ddof = 3"),
        (["runs.nc", "--irreducible", "9"], "irreducible = 9: must be below every final loss"),
        (["runs.nc"], "irreducible: the family has 2 sizes, and 4 or more are needed"),
        (["runs.nc", "--scale", "flops"], "--scale = 'flops': must be NAME=VALUE"),
        (["runs.nc", "--bootstrap", "0"], "replicates = 0"),
        (["runs.nc", "--schedule", "wsd"], "--schedule = 'wsd': must be one of those of the runs: linear"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_two(arguments, words, tmp_path, monkeypatch, capsys):
    save_curves(family(seeds=1, sizes=SIZES[:2], schedule="linear"), tmp_path / "runs.nc")
    monkeypatch.chdir(tmp_path)
    check_mistake(["collapse", *arguments], words, monkeypatch, capsys)
    assert [p.name for p in tmp_path.iterdir()] == ["runs.nc"]
