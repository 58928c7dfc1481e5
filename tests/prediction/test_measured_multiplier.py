"""Effective compute multipliers, against what was put into the losses."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scalinglaws.curves import read_table
from scalinglaws.curves.tokenizers import per_byte
from scalinglaws.errors import InputError
from scalinglaws.prediction.multiplier import compute_multiplier
from tests.cases import LAW

N = np.repeat(np.geomspace(1e7, 1e9, 5), 3)
D = N * np.tile([5.0, 20.0, 80.0], 5)


def recipe(data=1.0, seed=0, noise=1e-3, *, beta=LAW["beta"], floor=LAW["E"], scale=1.0):
    """Losses as if each token were worth `data`."""
    loss = floor + LAW["A"] / N ** LAW["alpha"] + LAW["B"] / (data * D) ** beta
    return {
        "params": N,
        "tokens": D,
        "loss": scale * loss * np.exp(noise * np.random.default_rng(seed).standard_normal(N.size)),
    }


def test_tokens_worth_twice_save_half_of_the_compute():
    exact = compute_multiplier(recipe(noise=0.0), recipe(2.0, noise=0.0), replicates=20)
    assert exact.multiplier == pytest.approx(np.full(5, 2.0), rel=1e-4)
    noisy = compute_multiplier(recipe(), recipe(2.0, 1), replicates=200)
    assert noisy.overall[1] < 2.0 < noisy.overall[2]
    assert np.all((noisy.low < noisy.multiplier) & (noisy.multiplier < noisy.high))
    assert "one number will do" in noisy.sentence
    assert noisy.notes == ()
    back = compute_multiplier(recipe(2.0, 1), recipe(), replicates=20)
    assert back.overall[0] == pytest.approx(1 / noisy.overall[0], rel=0.02)


def test_intervals_cover():
    held = 0
    for seed in range(15):
        found = compute_multiplier(recipe(seed=2 * seed), recipe(2.0, 2 * seed + 1), replicates=100)
        held += found.overall[1] <= 2.0 <= found.overall[2]
    assert held >= 11  # 13.5 expected


def test_a_multiplier_that_grows_is_no_number():
    found = compute_multiplier(recipe(), recipe(0.5, 1, beta=0.4), replicates=200)
    assert found.p_value < 0.1
    assert "one number does not fit" in found.sentence
    assert found.trend[1] > 1.0
    assert np.all(np.diff(found.multiplier) > 0)


def test_a_floor_that_is_never_reached_is_infinite():
    found = compute_multiplier(recipe(floor=2.5), recipe(), [1e18, 1e22], replicates=50)
    assert np.isinf(found.multiplier[-1])
    assert "never reaches" in found.sentence
    assert any("extrapolated" in note for note in found.notes)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["multiplier"][-1] is None


def test_collinear_designs_give_a_result_and_a_warning():
    """D = 20 N in every run: the fits warn, and what cannot be said is no number."""
    n = np.geomspace(1e7, 1e9, 12)
    for seed in range(2):
        shake = np.exp(0.01 * np.random.default_rng(seed).standard_normal((2, 12)))
        tables = [{"params": n, "tokens": 20 * n, "loss": (2 + 400 / n**0.35) * row} for row in shake]
        found = compute_multiplier(*tables, replicates=20)
        assert any("collinear" in note for note in found.notes)
        assert found.sentence
        json.dumps(found.to_dict(), allow_nan=False)


def test_tokenizers_compare_in_bits_per_byte():
    """The same losses of text, one tokenizer with tokens a half longer: per token they are not comparable."""
    one, two = recipe(noise=0.0), recipe(noise=0.0, scale=1.5)
    tables = [per_byte(read_table(one), 4.0), per_byte(read_table(two), 6.0)]
    assert compute_multiplier(*tables, replicates=20).multiplier == pytest.approx(np.ones(5), rel=1e-4)


def test_bad_input_is_refused():
    far = {**recipe(), "params": 1e9 * N}
    with pytest.raises(InputError, match="does not overlap"):
        compute_multiplier(recipe(), far, replicates=20)
    with pytest.raises(InputError, match="level"):
        compute_multiplier(recipe(), recipe(), level=0.0)
    with pytest.raises(InputError, match="flops"):
        compute_multiplier(recipe(), recipe(), [-1.0])
