"""The library of published laws: their numbers, objectives on the data, and what they say of a budget."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from scalinglaws.errors import InputError
from scalinglaws.fitting import Table, fit
from scalinglaws.fitting.laws import LAWS
from scalinglaws.fitting.laws.library import published

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"


@pytest.mark.parametrize(
    ("name", "objective", "tolerance"),
    [
        ("hoffmann", 0.00123116256, 1e-7),  # known to eight digits
        ("hoffmann-rounded", 0.00412100914, 1e-8),
        ("besiroglu-l1", 0.00101864471, 1e-7),
        ("besiroglu-huber", 0.00101827402, 1e-8),
    ],
)
def test_objectives_on_the_reconstructed_points(epoch240: Table, name: str, objective: float, tolerance: float) -> None:
    assert published[name].compare(epoch240) == pytest.approx(objective, rel=tolerance)


def test_refitted_entries_are_what_a_fit_finds(epoch240: Table) -> None:
    for name, estimator in (("besiroglu-huber", "huber"), ("besiroglu-l1", "l1")):
        fitted = fit(epoch240, estimator=estimator)
        for key, value in published[name].params.items():
            assert value == pytest.approx(fitted.params[key], rel=1e-6), (name, key)
    order = list(published.compare(epoch240))
    assert order[0] == "besiroglu-huber"
    assert order.index("hoffmann") < order.index("hoffmann-rounded")
    # The printed digits are those of the absolute values, but for E.
    for key in ("A", "B", "alpha", "beta"):
        digits = 2 if key in "AB" else 4
        near = published["besiroglu-l1"].params[key]
        assert published["besiroglu"].params[key] == pytest.approx(near, abs=1.01 * 10.0**-digits)


def test_what_each_says_at_the_compute_of_gopher() -> None:
    """Hoffmann rounded 92.8 and unrounded 59.04 tokens per parameter; Besiroglu 17.91 (Huber) and 18.33."""
    said = published.at(5.88e23)
    ratio = dict(zip(said["name"].values.tolist(), said.tokens_per_param.values[:, 0], strict=True))
    expected = {"hoffmann-rounded": 92.8, "hoffmann": 59.04, "besiroglu-huber": 17.91, "besiroglu-l1": 18.33}
    for name, value in expected.items():
        assert ratio[name] == pytest.approx(value, rel=1e-3), name
    assert ratio["muennighoff"] == pytest.approx(19.613, rel=1e-3)  # alpha = beta: the same at every budget
    assert said["counts"].sel(name="kaplan").item() == "non-embedding"
    assert not said.inside.any()
    assert published["besiroglu-l1"].optimal([1e20, 1e24]).inside.values.tolist() == [True, False]


@pytest.mark.parametrize(
    ("name", "corpus", "params", "error"),
    [
        ("gadre-c4", "c4_original", 6.9e9, 4.2952),
        ("gadre-redpajama", "rpj", 1.4e9, 0.7103),
        ("gadre-redpajama", "rpj", 6.9e9, 0.7320),
        ("gadre-refinedweb", "rw_original", 6.9e9, 1.6193),
    ],
)
def test_gadre_predicts_the_large_runs_as_published(name: str, corpus: str, params: float, error: float) -> None:
    path = DATA / "gadre2024" / "gadre_104.csv"
    if not path.exists():
        pytest.skip("the data of Gadre et al. are not beside the checkout")
    with path.open() as file:
        rows = [r for r in csv.DictReader(file) if r["train_dataset"] == corpus]
    row = max((r for r in rows if abs(float(r["params"]) / params - 1) < 0.05), key=lambda r: float(r["tokens"]))
    measured = float(row["loss_c4_val"])
    predicted = published[name].predict(float(row["params"]), float(row["tokens"])).item()
    assert 100 * abs(predicted / measured - 1) == pytest.approx(error, abs=5e-4)


def test_gadre_in_its_own_form() -> None:
    """L = E + (a M^eta + b M^-eta) C^-eta with the paper's a 141, b 190, eta .121, E 1.51 on C4."""
    law, n, d = published["gadre-c4"], 4e8, 8e9
    eta, m, c = law.params["alpha"] / 2, d / n, 6 * n * d
    a, b = law.params["A"] * 6**eta, law.params["B"] * 6**eta
    assert (a, b, eta) == pytest.approx((141.3, 189.5, 0.1212), rel=1e-3)
    expected = law.params["E"] + (a * m**eta + b * m**-eta) * c**-eta
    assert law.predict(n, d).item() == pytest.approx(expected, rel=1e-12)


def test_kaplan_and_repetition_by_hand() -> None:
    n, d = 1e8, 1e10
    by_hand = ((6.4e13 / n) ** (0.076 / 0.103) + 1.8e13 / d) ** 0.103
    assert published["kaplan"].predict(n, d).item() == pytest.approx(by_hand, rel=1e-12)
    law = published["muennighoff"]
    once, four = law.predict(n, d), law.predict(n, 4 * d, unique_tokens=d)
    fresh = law.predict(n, 4 * d)
    assert fresh < four < once


def test_published_repetition_law_on_its_runs() -> None:
    path = DATA / "datablations" / "muennighoff_182.csv"
    if not path.exists():
        pytest.skip("the data of Muennighoff et al. are not beside the checkout")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    column = {k: [float(r[k]) for r in rows] for k in ("params", "tokens", "unique_tokens", "val_loss")}
    extra = {"unique_tokens": column["unique_tokens"]}
    table = Table(params=column["params"], tokens=column["tokens"], loss=column["val_loss"], extra=extra)
    assert published["muennighoff"].compare(table) == pytest.approx(0.0158259353, rel=1e-6)


def test_every_entry_is_complete() -> None:
    for name, law in published.items():
        assert law.name == name
        assert law.law.name in LAWS
        assert set(law.params) == set(law.law.parameters)
        assert "arXiv" in law.source
        assert law.estimator
        assert law.data
        assert law.counts in ("total", "non-embedding", "as reported")
        assert json.loads(json.dumps(law.to_dict()))["name"] == name
        best = law.optimal(1e21)
        assert best.params.item() * best.tokens.item() * 6 == pytest.approx(1e21, rel=1e-9)
        near = [law.predict(best.params.item() * f, best.tokens.item() / f).item() for f in (0.9, 1.0, 1.1)]
        assert near[1] == min(near)
        assert best.loss.item() == pytest.approx(near[1], rel=1e-9)


def test_unknown_names_and_bad_budgets_are_refused() -> None:
    with pytest.raises(InputError, match="must be one of hoffmann"):
        published["chinchilla"]
    assert "chinchilla" not in published
    with pytest.raises(InputError, match="flops"):
        published.at(-1.0)
    with pytest.raises(InputError, match="names"):
        published.at(1e21, [])
    with pytest.raises(InputError, match="n = "):
        published["hoffmann"].predict(np.nan, 1e9)
