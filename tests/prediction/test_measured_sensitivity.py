"""Conventions of counting, against closed forms."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scalinglaws.curves import Run, end_points, from_runs
from scalinglaws.errors import InputError
from scalinglaws.fitting import fit
from scalinglaws.prediction.sensitivity import counting_sensitivity
from tests.cases import LAW, true_loss


def runs(*, flops=None, groups=True):
    """Runs whose loss follows LAW in the parameters of the blocks; the embedding is 2000 times their square root."""
    made = []
    for n in np.geomspace(1e7, 1e9, 5):
        for ratio in (5.0, 20.0, 80.0):
            parts = {"embedding": 2000 * n**0.5, "mlp": n} if groups else {"unspecified": n}
            made.append(
                Run(
                    name=f"{n:.3g}-{ratio:g}",
                    step=np.array([1]),
                    tokens=np.array([n * ratio]),
                    loss=np.array([true_loss(n, n * ratio)]),
                    params=parts,
                    flops_per_token={} if flops is None else flops(n),
                )
            )
    return from_runs(made)


def test_six_nd_is_the_fit_of_those_end_points():
    table = counting_sensitivity(runs(), [1e20, 1e22])
    for name in ("total", "non_embedding", "body"):
        best = fit(end_points(runs(), params=name)).optimal([1e20, 1e22])
        row = table.sel(convention=f"{name}, 6ND")
        assert row.params.values == pytest.approx(best.params.values, rel=1e-6)
        assert row.tokens.values == pytest.approx(best.tokens.values, rel=1e-6)
        assert row.loss.values == pytest.approx(best.loss.values, rel=1e-9)
    assert float(table.size_exponent.sel(convention="body, 6ND")) == pytest.approx(0.37 / 0.72, abs=1e-4)
    # A shrinking share of embeddings makes N grow slower than the blocks do.
    assert float(table.size_exponent.sel(convention="total, 6ND")) < 0.37 / 0.72 - 0.01
    assert "do not record" in json.loads(table.attrs["notes"])[0]


def test_exact_counts_move_the_exponent_as_the_closed_form_says():
    """C = k N^p D gives a = beta/(alpha + p beta)."""
    power = 0.9
    table = counting_sensitivity(runs(flops=lambda n: {"mlp": 40.0 * n**power}), 1e22)
    row = table.sel(convention="body, recorded")
    assert float(row.size_exponent) == pytest.approx(LAW["beta"] / (LAW["alpha"] + power * LAW["beta"]), abs=1e-4)
    assert 40 * row.params.item() ** power * row.tokens.item() == pytest.approx(1e22, rel=1e-6)


def test_groups_left_out_are_one_row_each():
    counted = {"mlp": 6.0, "scores": 1.0, "head": 2.0}
    table = counting_sensitivity(runs(flops=lambda n: {k: v * n for k, v in counted.items()}), 1e21)
    rows = {name: table.sel(convention=f"body, {name}").params.item() for name in ("recorded", "without-scores", "6ND")}
    a = float(table.size_exponent.sel(convention="body, recorded"))
    assert rows["recorded"] == pytest.approx(rows["6ND"] * (6 / 9) ** a, rel=1e-4)
    assert rows["without-scores"] == pytest.approx(rows["6ND"] * (6 / 8) ** a, rel=1e-4)
    assert table.sizes["convention"] == 12


def test_what_is_not_recorded_is_said():
    table = counting_sensitivity(runs(groups=False), 1e21)
    assert table["convention"].values.tolist() == ["total, 6ND"]
    notes = json.loads(table.attrs["notes"])
    assert any(note.startswith("N as body:") for note in notes)
    bent = counting_sensitivity(runs(flops=lambda n: {"mlp": 6 * n * (1 + np.log10(n / 1e8) ** 2)}), 1e21)
    assert any("off a power of N" in note for note in json.loads(bent.attrs["notes"]))


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="flops"):
        counting_sensitivity(runs(), -1.0)
    with pytest.raises(InputError, match="no way to count"):
        counting_sensitivity(runs().isel(run=[0, 1], obs=[0, 1]), 1e21)
