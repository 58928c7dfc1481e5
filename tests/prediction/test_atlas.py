"""The atlas: cells that depend on nothing but their own point, wherever they are made."""

import numpy as np
import pytest
import xarray as xr

from scalinglaws._workers import worker_pool
from scalinglaws.errors import InputError
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD, relative_lr
from scalinglaws.prediction.atlas import assemble, atlas, atlas_cell
from scalinglaws.prediction.frontier import frontier
from scalinglaws.symbolic import phase

ALPHA, BETA = [0.1, 0.4, 0.9], [0.2, 0.6, 1.2]
FLOPS = 1e12


@pytest.fixture(scope="module")
def measured():
    return atlas(ALPHA, BETA, flops=FLOPS)


def test_the_result_does_not_depend_on_the_executor(measured):
    with worker_pool(2) as pool:
        assert atlas(ALPHA, BETA, flops=FLOPS, executor=pool).identical(measured)


def test_cells_made_one_by_one_assemble_to_the_same_atlas(measured):
    cells = []
    for a in reversed(ALPHA):
        row = []
        for b in reversed(BETA):
            try:
                row.append(atlas_cell(a, b, flops=FLOPS))
            except InputError as error:
                row.append(str(error))
        cells.append(row[::-1])
    options = {"flops": FLOPS, "ratio": 4, "scale": 0.25, "batch": 1}
    assert assemble(ALPHA, BETA, cells[::-1], **options).identical(measured)


def test_a_cell_is_a_point_of_the_frontier_beside_its_limit(measured):
    for a in ALPHA:
        for b in BETA:
            cell = measured.sel(alpha=a, beta=b)
            if cell["status"].item() != "finished":
                assert 2 * (a + b) <= 1
                continue
            exact = frontier(PLRF(alpha=a, beta=b, d=1, v=4), SGD(lr=relative_lr(0.25)), FLOPS).isel(flops=0)
            assert all(float(cell[name]) == float(exact[name]) for name in ("size_exponent", "loss_exponent", "d_star"))
            assert cell["phase"].item() == phase(a, b).name
            assert float(cell["loss_exponent_derived"]) == phase(a, b).loss_exponent


def test_empty_cells_say_why():
    ds = atlas([0.015], [0.1, 0.5])
    outside, hopeless = ds["status"].values[0].tolist()
    assert "2 (alpha + beta) > 1" in outside
    assert "too small" in hopeless  # a larger model only adds directions that it cannot learn
    assert np.isnan(ds["loss_exponent"]).all()
    assert ds["phase"].values[0].tolist() == ["", "Ib/Ic boundary"]


def test_progress_counts_cells():
    seen = []
    atlas([0.8, 0.9], [0.6], flops=1e6, report=lambda p: seen.append((p.done, p.total)))
    assert seen[-1] == (2, 2)
    assert seen == sorted(seen)


def test_a_store_keeps_the_cells(tmp_path):
    first = atlas([0.8, 0.9], [0.1, 0.6], flops=1e6, store=tmp_path)
    seen = []
    again = atlas([0.8, 0.9], [0.1, 0.6], flops=1e6, store=tmp_path, report=lambda p: seen.append(p.done))
    xr.testing.assert_identical(again, first)
    assert len(list(tmp_path.rglob("*.json"))) == 4


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"alpha": [0.9, 0.8]}, "alpha"),
        ({"beta": []}, "beta"),
        ({"beta": ["x"]}, "beta"),
        ({"flops": 0.0}, "flops"),
        ({"ratio": 1}, "v = 1"),
        ({"scale": 0.0}, "lr"),
        ({"batch": 0}, "batch"),
    ],
)
def test_options_no_cell_accepts_are_refused_at_once(given, words):
    with pytest.raises(InputError, match=words):
        atlas(**({"alpha": [0.9], "beta": [0.6]} | given))
