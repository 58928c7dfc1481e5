"""Phase diagrams by their artists: colours are the exponents, lines the derived boundaries, names in their regions."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from scalinglaws.errors import InputError
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD, relative_lr
from scalinglaws.plotting.phases import draw_atlas, frontier_curves, phase_diagram
from scalinglaws.prediction.atlas import atlas
from scalinglaws.prediction.frontier import frontier
from scalinglaws.report.diagram import agreement_by_phase, write_diagram
from scalinglaws.symbolic import phase


@pytest.fixture(scope="module")
def measured():
    return atlas([0.15, 0.4, 0.9], [0.2, 0.7, 1.2], flops=1e9)


def test_every_phase_is_named_inside_its_region_and_every_boundary_lies_on_its_curve():
    drawn = phase_diagram(ax=Figure().subplots())
    assert set(drawn.names) == {"Ia", "Ib", "Ic", "II", "III", "IVa", "IVb"}
    for name, text in drawn.names.items():
        assert phase(*text.get_position()).name == name
    assert len(drawn.boundaries) == 10
    for key, line in drawn.boundaries.items():
        points = np.concatenate([path.vertices for path in line.get_paths()])
        if key == "studied":
            np.testing.assert_allclose(2 * points.sum(axis=1), 1.0, atol=1e-6)
            continue
        one, other = key.split("/")
        for a, b in points[:: max(1, len(points) // 20)]:
            near = [(a + x, b + y) for x in (-0.02, 0.02) for y in (-0.02, 0.02)]
            around = {phase(*p).name.split(" ")[0] for p in near if p[0] > 0 and sum(p) > 0.51}
            assert {one, other} & set("/".join(around).split("/"))


def test_the_colours_of_an_atlas_are_its_values(measured):
    drawn = phase_diagram(measured["loss_exponent"], ax=Figure().subplots())
    shown = np.ma.filled(drawn.mesh.get_array(), np.nan).reshape(3, 3)
    np.testing.assert_array_equal(shown, measured["loss_exponent"].values.T)
    assert drawn.colorbar is not None


def test_the_atlas_has_derived_measured_and_difference_for_both_exponents(measured):
    figure = draw_atlas(measured)
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert len(titles) == 6
    assert titles[0].startswith("derived")
    assert titles[1] == "measured at 1e9 flops"
    assert titles[2] == "measured minus derived"


def test_frontier_points_lie_under_every_curve():
    ds = frontier(PLRF(alpha=0.9, beta=0.6, d=1, v=4), SGD(lr=relative_lr(0.25)), [1e6, 1e8, 1e10])
    ax = Figure().subplots()
    drawn = frontier_curves(ds, ax=ax)
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    for x, y in np.asarray(drawn.optima.get_offsets()):
        for curve in drawn.curves:
            flops, risk = curve.get_data()
            if flops[0] <= x <= flops[-1]:
                assert np.exp(np.interp(np.log(x), np.log(flops), np.log(risk))) >= y * (1 - 1e-3)
    with pytest.raises(InputError, match="two budgets"):
        frontier_curves(ds.isel(flops=[0]), ax=ax)


def test_an_unknown_exponent_is_refused():
    with pytest.raises(InputError, match="loss_exponent"):
        phase_diagram(exponent="eta", ax=Figure().subplots())


@pytest.mark.parametrize("suffix", ["html", "png", "svg"])
def test_a_diagram_is_one_file_with_its_numbers_beside_it(measured, tmp_path, suffix):
    import xarray as xr

    out = tmp_path / f"diagram.{suffix}"
    write_diagram(measured, out)
    assert out.stat().st_size > 10_000
    with xr.open_dataset(out.with_suffix(".nc"), engine="h5netcdf") as kept:
        np.testing.assert_array_equal(kept["loss_exponent"], measured["loss_exponent"])
    if suffix == "html":
        page = out.read_text()
        assert "http" not in page.replace("http://www.w3.org", "")
        assert "<td>II</td>" in page


def test_agreement_counts_every_finished_cell(measured):
    rows = agreement_by_phase(measured)
    assert sum(row.cells for row in rows) == int((measured["status"] == "finished").sum())
    with pytest.raises(InputError, match="out"):
        write_diagram(measured, "diagram.pdf")
