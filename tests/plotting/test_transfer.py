from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from scalinglaws.comparison.transfer import rate_transfer
from scalinglaws.plotting.transfer import coordinate_changes, draw_coordinates, draw_transfer, rate_curves
from scalinglaws.report.transfer import write_transfer
from tests.comparison.test_transfer import run, sweep


def test_one_curve_and_one_mark_for_each_width():
    runs = sweep({32: 0.01, 64: 0.008}, name="mup")
    runs[-1] = run(64, 0.064, 9.0, name="mup", status="diverged")
    ax = Figure().subplots()
    drawn = rate_curves(rate_transfer(runs), "mup", ax=ax)
    assert len(drawn.curves) == len(drawn.best) == 2
    assert np.isnan(drawn.curves[1].get_ydata()[-1])  # what diverged is no point of the curve, but a cross
    assert drawn.best[0].get_xdata() == pytest.approx([0.01])
    assert drawn.kept is not None
    assert "learning rate" in ax.get_xlabel()
    assert "nats/token" in ax.get_ylabel()


def test_written_with_its_numbers(tmp_path):
    found = rate_transfer(sweep({32: 0.01, 64: 0.01}, name="mup") + sweep({32: 0.01, 64: 0.005}, name="standard"))
    assert len(draw_transfer(found).axes) == 2
    write_transfer(found, tmp_path / "t.svg")
    assert (tmp_path / "t.svg").stat().st_size > 1000
    assert '"slope": ' in (tmp_path / "t.json").read_text()


def test_coordinates():
    change = np.ones((2, 1, 1, 2))
    ds = xr.Dataset(
        {"change": (("width", "seed", "update", "layer"), change), "slope": (("update", "layer"), np.zeros((1, 2)))},
        {"width": [32, 64], "update": [3], "layer": ["mlp 1", "logits"]},
        {"parameterization": "mup"},
    )
    drawn = coordinate_changes(ds, ax=Figure().subplots())
    assert [line.get_label() for line in drawn.layers] == ["mlp 1: +0.00", "logits: +0.00"]
    assert len(draw_coordinates([ds, ds]).axes) == 2
