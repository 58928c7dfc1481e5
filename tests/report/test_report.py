import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr

from scalinglaws.curves import end_points, from_runs, iter_runs
from scalinglaws.errors import InputError
from scalinglaws.plotting import compute_curves
from scalinglaws.prediction import check_curves, check_table
from scalinglaws.report import analyse, paragraph, write_report
from tests.cases import family


@pytest.fixture(scope="module")
def analysis():
    return analyse(family(), flops=[1e19, 1e21], replicates=200)


class Page(HTMLParser):
    """Collects the tags, the text and the addresses of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.words = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.words += data


def test_the_page_stands_alone_and_says_what_was_found(analysis, tmp_path):
    write_report(analysis, tmp_path / "report.html", title="A <family> & its fit")
    page = Page((tmp_path / "report.html").read_text())
    assert page.tags.count("img") == 4
    assert all(address.startswith("data:image/svg+xml") for address in page.addresses)
    assert "script" not in page.tags
    assert "A <family> & its fit" in page.words
    assert paragraph(analysis) in page.words
    numbers = json.loads((tmp_path / "report.json").read_text())
    assert numbers["held_out"]["predicted"][0] == analysis.held_out.predicted[0]
    assert numbers["fit"]["params"] == dict(analysis.fit.params)
    assert len(numbers["runs"]["loss"]) == 15


def test_the_paragraph_carries_the_analysis_numbers(analysis):
    text = paragraph(analysis)
    held = analysis.held_out
    for value in (held.predicted[0], held.low[0], held.high[0], held.measured[0]):
        assert f"{value:.4f}" in text
    assert ("inside" if held.covered[0] else "outside") + " the interval" in text
    assert held.names[0] in text


def test_a_table_alone_makes_a_report_without_the_curves(analysis, tmp_path):
    from_table = analyse(end_points(family()), flops=[1e19, 1e21], replicates=200)
    assert from_table.curves is None
    assert paragraph(from_table).split("checks")[0] != ""
    assert from_table.fit.params == pytest.approx(dict(analysis.fit.params))
    write_report(from_table, tmp_path / "report.html")
    assert len(re.findall("<img", (tmp_path / "report.html").read_text())) == 3


def test_health_names_the_run_that_breaks_the_order():
    healthy = end_points(family())
    assert all(f.ok for f in check_curves(family()) + check_table(healthy))
    broken = healthy.copy(deep=True)
    worst = int(np.argmin(broken["loss"].values))
    broken["loss"][worst] = float(broken["loss"].max()) * 1.1
    ordered = next(f for f in check_table(broken) if f.check == "ordered")
    assert not ordered.ok
    assert str(broken["run"].values[worst]) in ordered.sentence
    seeds = xr.concat([healthy, healthy.assign(loss=1.02 * healthy["loss"])], "run", data_vars="all")
    assert next(f for f in check_table(seeds) if f.check == "ordered").ok
    narrow = healthy.isel(run=[0, 3, 6])
    assert not next(f for f in check_table(narrow) if f.check == "diverse").ok


def test_a_wrong_level_gets_a_sentence():
    with pytest.raises(InputError, match=r"level = 1\.5"):
        analyse(family(), level=1.5)


def test_a_regression_is_told_in_its_own_unit(tmp_path):
    squared = from_runs(iter_runs(family()), {"loss_unit": "1"})
    analysis = analyse(squared, replicates=50)
    write_report(analysis, tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text())
    pictures = "".join(base64.b64decode(address.partition(",")[2]).decode() for address in page.addresses)
    assert "nats" not in page.words + paragraph(analysis)
    assert "mean squared error" in page.words
    assert "nats" not in pictures
    assert axis_label(compute_curves(squared)) == "held-out loss (mean squared error)"


def axis_label(artists):
    return artists.envelope.axes.get_ylabel()


def test_a_law_without_an_optimum_gets_its_page(tmp_path):
    """A loss that rises with tokens: no data term, no optimal size."""
    size, ratio = np.repeat(np.geomspace(1e4, 1e6, 6), 2), np.tile([5.0, 20.0], 6)
    loss = (0.9 + 110 / size**0.45) * np.exp(0.002 * np.log(ratio))
    columns = {"params": size, "tokens": ratio * size, "flops": 6 * ratio * size**2, "loss": loss}
    table = xr.Dataset({name: ("run", values) for name, values in columns.items()}, {"run": np.arange(12).astype(str)})
    found = analyse(table, replicates=100)
    assert found.fit.params["B"] == 0.0
    assert "The fitted law has no compute-optimal size" in paragraph(found)
    write_report(found, tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text())
    assert "inf" not in page.words.split()
    assert page.tags.count("img") == 3
