"""The page of an optimum: it stands alone, says what the answer says, and draws what the input allows."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from scalinglaws.errors import InputError
from scalinglaws.plotting.advice import size_opinions
from scalinglaws.prediction.advising import advise
from scalinglaws.report.optimal import write_advice
from tests.cases import true_loss
from tests.prediction.test_measured_compare import grid
from tests.report.test_report import Page


@pytest.fixture(scope="module")
def advice():
    return advise(grid(), 1e22, laws=["chinchilla", "tied"], replicates=60)


def test_the_page_stands_alone_and_says_the_answer(advice, tmp_path):
    write_advice(advice, tmp_path / "optimal.html", title="Sizes <for> us")
    page = Page((tmp_path / "optimal.html").read_text())
    assert page.tags.count("img") == 7
    assert all(address.startswith("data:image/svg+xml") for address in page.addresses)
    assert "script" not in page.tags
    assert "Sizes <for> us" in page.words
    for words in (advice.sentence, advice.why, advice.trust, advice.approaches.sentence, "How far to trust it"):
        assert words in page.words
    assert json.loads((tmp_path / "optimal.json").read_text()) == advice.to_dict()


def test_without_isoflop_budgets_the_law_is_drawn_instead(tmp_path):
    n = np.geomspace(1e7, 1e9, 9)
    d = n * np.tile([5.0, 20.0, 80.0], 3)
    noise = np.exp(0.002 * np.random.default_rng(0).standard_normal(9))
    plain = advise({"params": n, "tokens": d, "loss": true_loss(n, d) * noise}, 1e21, laws="tied", replicates=40)
    assert plain.approaches is None
    write_advice(plain, tmp_path / "optimal.html")
    words = Page((tmp_path / "optimal.html").read_text()).words
    assert "Loss along size at fixed compute" in words
    assert "only approach 3 is possible" in words


def test_opinions_are_where_the_numbers_say(advice):
    drawn = size_opinions(advice, ax=Figure().subplots())
    assert set(drawn.bars) == {"chinchilla", "tied", "approach 2 (isoFLOP)", "approach 2 without its bias"}
    best = advice.optimum.isel(flops=-1)
    assert drawn.bars["chinchilla"].lines[0].get_xdata() == pytest.approx([float(best["params"])])
    low, high = drawn.bars["chinchilla"].lines[2][0].get_segments()[0][:, 0]
    assert (low, high) == pytest.approx((float(best["params_low"]), float(best["params_high"])))
    assert drawn.published.get_xdata() == pytest.approx(advice.published["params"].isel(flops=-1).values)


def test_another_suffix_is_refused(advice, tmp_path):
    with pytest.raises(InputError, match=r"must end in \.html"):
        write_advice(advice, tmp_path / "optimal.svg")
