"""The judgement of a sweep of learning rates as a user meets it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from scalinglaws.cli import app
from scalinglaws.curves import from_runs, save_curves
from tests.cli.mistakes import check_mistake
from tests.comparison.test_transfer import sweep


@pytest.fixture
def family(tmp_path):
    path = tmp_path / "rates.nc"
    moving = {32: 0.016, 64: 0.008, 128: 0.004}
    save_curves(from_runs(sweep(dict.fromkeys(moving, 0.01), name="mup") + sweep(moving, name="standard")), path)
    return path


def test_verdict_picture_and_numbers(family, tmp_path):
    out = tmp_path / "transfer.png"
    said = CliRunner().invoke(app, ["transfer", str(family), "--out", str(out)])
    assert said.exit_code == 0, said.output
    assert "Under standard the best rate moves as width^-1.00 from width 32 to 128" in said.stdout
    assert out.read_bytes().startswith(b"\x89PNG")
    told = CliRunner().invoke(app, ["transfer", str(family), "--json"])
    assert json.loads(told.stdout)["mup"]["best_rate"] == pytest.approx([0.01] * 3)


def test_mistakes_are_sentences(family, monkeypatch, capsys):
    check_mistake(["transfer", str(family), "--out", "x.html"], "must end in .png or .svg", monkeypatch, capsys)
    check_mistake(["train", "no-such-ladder"], "cannot be read", monkeypatch, capsys)
