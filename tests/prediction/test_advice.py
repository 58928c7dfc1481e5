"""One answer out of many: which law gives it, what is said of trust, and that bad input gets a sentence."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from scalinglaws._numbers import human
from scalinglaws.errors import InputError
from scalinglaws.fitting import Table
from scalinglaws.fitting.laws import find_law, published
from scalinglaws.prediction.advising import advise
from scalinglaws.prediction.advising.choice import choose, contenders
from scalinglaws.prediction.advising.words import trust
from tests.cases import LAW, family, true_loss

THREE = ("chinchilla", "tied", "chinchilla-no-e")


def scattered(loss=true_loss, noise=0.003, rows=60, seed=0):
    """Sizes and horizons over three decades, with heavy-tailed noise."""
    rng = np.random.default_rng(seed)
    n, d = 10 ** rng.uniform(7, 9.5, rows), 10 ** rng.uniform(8.5, 11, rows)
    return Table(params=n, tokens=d, loss=loss(n, d) * np.exp(noise * rng.standard_t(3, rows)))


@pytest.fixture(scope="module")
def advice():
    return advise(scattered(), [1e21, 1e22], laws=THREE, replicates=120)


def optimum(budget):
    return find_law("chinchilla").optimum({k: np.asarray(v) for k, v in LAW.items()}, np.asarray(budget))


def test_the_answer_is_the_usual_law_and_holds_the_truth(advice):
    assert advice.chosen.name == "chinchilla"
    best = advice.optimum
    for i, budget in enumerate((1e21, 1e22)):
        truth = optimum(budget)
        assert best["params_low"][i] < truth.params < best["params_high"][i]
        assert float(best["loss"][i]) == pytest.approx(float(truth.loss), rel=0.005)
    assert advice.sentence.startswith("At 1e21 FLOP: ")
    assert len(advice.sentences) == 2
    assert advice.summary().splitlines()[0] == advice.sentences[0]
    assert advice.fit.draws.noise.size == 120


def test_laws_stand_side_by_side_on_the_same_origins(advice):
    names = [one.name for one in advice.candidates]
    assert sorted(names) == sorted(THREE)
    gaps = [one.difference for one in advice.candidates]
    assert gaps == sorted(gaps)
    assert gaps[0] == 0
    floorless = next(one for one in advice.candidates if one.name == "chinchilla-no-e")
    assert floorless.difference > 50
    assert floorless.error > 3 * advice.chosen.error
    assert "chinchilla-no-e" not in advice.contenders
    mapes = [origin.mape for origin in advice.chosen.rolling.origins]
    assert advice.chosen.error == pytest.approx(np.mean(mapes))


def test_trust_says_how_far_and_what_was_tested(advice):
    reach = 1e22 / advice.fit.table.flops.max()
    assert f"{np.log10(reach):.1f} decades beyond" in advice.trust
    held = sum(int(origin.covered.sum()) for origin in advice.rolling.origins)
    assert f"held {held} of " in advice.trust
    inside = advise(scattered(), 1e18, laws="chinchilla", replicates=60)
    assert "lies within the measured range" in inside.trust
    assert inside.sound
    assert "only one" in inside.why


def test_another_law_must_be_better_on_the_table_and_beyond_it():
    values = {"E": 1.8, "A": 30.0, "alpha": 0.55, "beta": 0.55, "R": 8.0, "k": 0.5}
    skaling = find_law("skaling")
    table = scattered(lambda n, d: skaling.predict(values, n, d), noise=0.001, rows=80)
    found = advise(table, 1e22, laws=["chinchilla", "skaling"], replicates=60)
    usual = next(one for one in found.candidates if one.name == "chinchilla")
    assert found.chosen.name == "skaling"
    assert usual.difference > 10
    assert found.chosen.error < usual.error
    assert f"{usual.difference:.3g} lower" in found.why
    worse = [one for one in found.candidates if one.name == "skaling"]
    kept, why = choose([usual, *(_with_error(one, 2 * usual.error) for one in worse)])
    assert kept is usual
    assert "AICc prefers the skaling law" in why


def _with_error(one, error):
    return replace(one, error=error)


def test_laws_that_disagree_widen_what_should_be_quoted(advice):
    tied = next(one for one in advice.candidates if one.name == "tied")
    far = _moved(tied, 5.0)
    said, sound = trust(advice.chosen, advice.rolling, [advice.chosen, far], advice.level)
    ends = (advice.optimum["params_low"][-1], far.optimum["params_high"][-1])
    assert f"quote {' to '.join(human(float(end)) for end in ends)} for N*" in said
    assert not sound
    assert far.name in [one.name for one in contenders([advice.chosen, far], advice.chosen)]


def _moved(one, factor):
    best = one.optimum.copy(deep=True)
    for name in ("params", "params_low", "params_high"):
        best[name] = best[name] * factor
    return replace(one, optimum=best)


def test_a_design_that_cannot_tell_n_from_d_is_said():
    n = np.geomspace(1e7, 1e9, 24)
    noise = np.exp(0.002 * np.random.default_rng(1).standard_normal(24))
    found = advise({"params": n, "tokens": 20 * n, "loss": true_loss(n, 20 * n) * noise}, 1e21, replicates=40)
    assert any("collinear" in each for each in found.cautions)
    assert found.approaches is None
    assert "only approach 3 is possible" in found.about_approaches[0]


def test_outliers_are_named_and_kept():
    table = scattered(noise=0.001)
    loss = table.loss.copy()
    loss[7] *= 1.2
    spoilt = Table(params=table.params, tokens=table.tokens, loss=loss)
    found = advise(spoilt, 1e21, laws="chinchilla", replicates=40)
    assert found.fit.table.rows == 60
    assert any("7 (+" in each and "none was left out" in each for each in found.cautions)


def test_curves_bring_the_envelope_and_the_numbers_are_json():
    found = advise(family(), 1e21, laws=["chinchilla", "broken"], replicates=40)
    assert found.approaches.envelope is not None
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["law"] == found.chosen.name
    said = float(found.published["params"].sel(name="hoffmann").item())
    assert said == float(published["hoffmann"].optimal(1e21)["params"].item())


def test_few_runs_leave_laws_out_with_a_reason():
    table = scattered(rows=7)
    found = advise(table, 1e21, laws=["chinchilla", "broken"], replicates=40)
    assert [one.name for one in found.candidates] == ["chinchilla"]
    assert "broken law was left out" in found.left_out[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"laws": "moore"}, "law = 'moore'"),
        ({"laws": []}, "laws"),
        ({"laws": "all", "estimator": "median"}, "estimator = 'median': must be one of"),
        ({"laws": ["tied", "tied"]}, "once"),
        ({"laws": "error"}, "error"),
        ({"level": 1.0}, "level"),
        ({"replicates": 1}, "replicates"),
        ({"flops": -1.0}, "flops"),
        ({"data": {"params": [1e7], "tokens": [1e9], "loss": [3.0]}}, "5 free parameters"),
    ],
)
def test_bad_input_is_one_sentence(options, words):
    given = {"data": scattered(), "flops": 1e21, "laws": "chinchilla", "replicates": 40} | options
    with pytest.raises(InputError) as error:
        advise(given.pop("data"), given.pop("flops"), **given)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
