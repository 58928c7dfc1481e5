"""The approaches side by side: what each input allows, whether they agree, and why not."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scalinglaws.curves import end_points
from scalinglaws.errors import InputError
from scalinglaws.fitting import Table
from scalinglaws.fitting.laws import find_law
from scalinglaws.prediction.measured import compare_approaches
from tests.cases import LAW, family, true_loss


def grid(noise=0.002, seed=0, *, reach=4.0, points=9, loss=true_loss, budgets=5):
    """isoFLOP slices around the optimum of LAW."""
    c = np.repeat(np.geomspace(1e18, 1e21, budgets), points)
    best = find_law("chinchilla").optimum({k: np.asarray(v) for k, v in LAW.items()}, c).params
    n = best * np.tile(np.geomspace(1 / reach, reach, points), budgets)
    d = c / (6 * n)
    shake = np.exp(noise * np.random.default_rng(seed).standard_normal(c.size))
    return {"params": n, "tokens": d, "loss": loss(n, d) * shake}


def names(result):
    return result.table["approach"].values.tolist()


def test_the_input_decides_which_approaches_run():
    end_only = compare_approaches(grid(), 1e22, replicates=40)
    assert names(end_only) == ["isoflop", "isoflop-corrected", "parametric"]
    assert end_only.envelope is None
    assert any("approach 1 (envelope) is not possible" in note for note in end_only.notes)
    curves = compare_approaches(family(points=40), 1e22, replicates=40)
    assert names(curves) == ["envelope", "envelope-corrected", "parametric"]
    assert any("no isoFLOP slice" in note for note in curves.notes)
    n = np.repeat(np.geomspace(1e7, 3e9, 9), 9)
    d = np.tile(np.geomspace(1e9, 3e11, 9), 9)
    full = compare_approaches(
        {"params": n, "tokens": d, "loss": true_loss(n, d)},
        1e22,
        budgets=np.geomspace(1e18, 1e20, 3),
        tolerance=0.6,
        replicates=40,
    )
    assert names(full) == ["envelope", "envelope-corrected", "isoflop", "isoflop-corrected", "parametric"]
    with pytest.raises(InputError, match="only approach 3 is possible"):
        compare_approaches(end_points(family()).isel(run=[0, 1, 2, 5, 8, 11, 14]))


def test_estimates_are_those_of_the_single_calls():
    from scalinglaws.fitting import fit
    from scalinglaws.prediction.measured import corrected, isoflop

    data = grid()
    both = compare_approaches(data, [1e22, 1e23], replicates=40)
    plain, surface = isoflop(data), fit(data)
    table = both.table
    assert table.sel(approach="isoflop").params.values == pytest.approx(plain.params.at([1e22, 1e23]))
    assert table.sel(approach="isoflop-corrected").params.values == pytest.approx(
        corrected(plain, surface).params.at([1e22, 1e23])
    )
    assert table.sel(approach="parametric").params.values == pytest.approx(surface.optimal([1e22, 1e23]).params.values)
    exponent = surface.params["beta"] / (surface.params["alpha"] + surface.params["beta"])
    assert float(table.size_exponent.sel(approach="parametric")) == pytest.approx(exponent)
    assert bool(((table.params_low < table.params) & (table.params < table.params_high)).all())
    assert table.size_exponent.values + table.tokens_exponent.values == pytest.approx(np.ones(3))


def test_narrow_sweeps_agree_and_wide_ones_differ_by_their_bias():
    narrow = compare_approaches(grid(reach=2.0), 1e22, replicates=100)
    assert " agree: N* at 1e+22 FLOP" in narrow.sentence
    wide = compare_approaches(grid(2e-4, reach=16.0, points=15), 1e22, replicates=100)
    assert "disagree on N*" in wide.sentence
    assert wide.sentence.endswith("they agree.")
    worst = min(d.p_value for d in wide.differences if (d.first, d.second) == ("isoflop-corrected", "parametric"))
    assert worst > 0.02


def test_a_wrong_law_is_found_out():
    """Too large models are worse than any sum of powers: approaches 2 and 3 part, and bias is no excuse."""

    def wall(n, d):
        return true_loss(n, d) * (1 + 0.02 * np.maximum(np.log(n / d / 0.1), 0.0) ** 2)

    data = grid(1e-3, reach=8.0, points=15, loss=wall)
    found = compare_approaches(data, 1e22, method="akima", kind="pairs", replicates=60)
    assert "disagree on N* at 3.16e+19 FLOP" in found.sentence
    assert found.sentence.endswith("they still do.")


def test_agreement_is_not_claimed_or_denied_by_chance():
    """On tables that follow the law, narrow sweeps: disagreement at the 90 % level is rare."""
    verdicts = [
        " agree: " in compare_approaches(grid(0.003, seed, reach=2.0, budgets=4), 1e22, replicates=60).sentence
        for seed in range(10)
    ]
    assert sum(verdicts) >= 7


def test_intervals_cover_the_truth():
    truth = find_law("chinchilla").optimum({k: np.asarray(v) for k, v in LAW.items()}, np.array([1e22])).params[0]
    held = {"isoflop-corrected": 0, "parametric": 0}
    for seed in range(12):
        table = compare_approaches(grid(0.003, seed, budgets=4), 1e22, replicates=60).table
        for name in held:
            row = table.sel(approach=name)
            held[name] += float(row.params_low[0]) <= truth <= float(row.params_high[0])
    assert min(held.values()) >= 8  # 10.8 expected, of 12


def test_draws_are_joint_and_repeatable():
    one, two = (compare_approaches(grid(), 1e22, replicates=40, rng=3) for _ in range(2))
    assert np.array_equal(one.draws["isoflop"].log_n, two.draws["isoflop"].log_n)
    pair = np.corrcoef(one.draws["isoflop"].log_n[:, 0], one.draws["parametric"].log_n[:, 0])[0, 1]
    assert pair > 0.3  # the same noise moves both


@pytest.mark.parametrize("kind", ["residual", "wild", "pairs"])
def test_every_kind_of_bootstrap_spreads_alike(kind):
    table = compare_approaches(grid(points=15), 1e22, kind=kind, replicates=100).table.sel(flops=1e22)
    width = np.log(table.params_high / table.params_low).values
    assert np.all((width > 0.05) & (width < 0.6))


def test_clusters_are_drawn_as_a_whole():
    data = grid(points=15)
    rows = data["params"].size
    table = Table(**data, cluster=np.arange(rows) // 3)
    wide = compare_approaches(table, 1e22, by="cluster", kind="pairs", replicates=60)
    assert wide.draws["parametric"].log_n.shape == (60, 2)


def test_bad_arguments_are_refused_in_a_sentence():
    for options, words in (
        ({"level": 1.5}, "level"),
        ({"replicates": 3}, "replicates"),
        ({"kind": "magic"}, "kind"),
        ({"flops": -1.0}, "flops"),
        ({"law": "nonsense"}, "law"),
    ):
        with pytest.raises(InputError, match=words):
            compare_approaches(grid(), **options)


def test_a_result_is_plain_json():
    data = json.loads(json.dumps(compare_approaches(grid(), 1e22, replicates=40).to_dict(), allow_nan=False))
    assert data["approaches"][0] == "isoflop"
    assert data["differences"][0]["first"] == "isoflop"
