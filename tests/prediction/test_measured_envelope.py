"""Approach 1 on measured curves, against a loop over runs and budgets."""

from __future__ import annotations

import numpy as np
import pytest

from scalinglaws.curves import Run, end_points, from_runs, iter_runs
from scalinglaws.errors import InputError
from scalinglaws.prediction.measured import envelope
from tests.cases import LAW, true_loss
from tests.naive import isoflop as naive

EXPONENT = LAW["beta"] / (LAW["alpha"] + LAW["beta"])


def curves(sizes=17, *, ratios=(200.0,), lr=None, excess=0.0, points=80, status="finished"):
    """Whole curves that follow the law; `excess` is added while the learning rate has not decayed."""
    runs = []
    for n in np.geomspace(1e7, 1e9, sizes):
        for ratio in ratios:
            step = np.unique(np.geomspace(1, 10_000, points).astype(np.int64))
            share = step / step[-1]
            tokens = share * n * ratio
            heat = 0.5 * (1 + np.cos(np.pi * share))
            loss = true_loss(n, tokens) * (1 + excess * heat)
            rate = {None: None, "cosine": heat, "constant": np.ones(step.size)}[lr]
            runs.append(
                Run(
                    name=f"{n:.3g}-{ratio:g}",
                    step=step,
                    loss=loss,
                    tokens=tokens,
                    lr=rate,
                    params={"unspecified": n},
                    status=status,
                )
            )
    return from_runs(runs)


def test_winners_are_those_of_a_loop():
    runs = curves(7, lr="constant")
    found = envelope(runs, points=390)
    plain = [(sum(r.params.values()), 6 * sum(r.params.values()) * r.tokens, r.loss) for r in iter_runs(runs)]
    low, high = min(c[0] for _, c, _ in plain), max(c[-1] for _, c, _ in plain)
    budgets = np.exp(np.linspace(np.log(low), np.log(high), 390))[1:-1]  # the ends belong to one curve each
    best = naive.best_curves(plain, budgets)
    expected = {f"{c:.9e}": plain[k][0] for c, k in zip(budgets, best, strict=True) if k is not None}
    assert {f"{c:.9e}": n for c, n in zip(found.flops, found.params, strict=True)} == pytest.approx(expected)
    flops, sizes = np.array([float(c) for c in expected]), np.array(list(expected.values()))
    assert found.params_line.exponent == pytest.approx(naive.line(flops, sizes, np.ones(flops.size))[0], rel=1e-6)


def test_exponents_of_a_dense_ladder():
    found = envelope(curves(33, lr="constant", points=200))
    assert found.params_line.exponent == pytest.approx(EXPONENT, abs=0.01)
    assert found.tokens_line.exponent == pytest.approx(1 - EXPONENT, abs=0.01)
    assert found.warnings == ()
    assert found.params * found.tokens * 6 == pytest.approx(found.flops, rel=1e-6)


def test_one_long_cosine_is_called_out():
    found = envelope(curves(lr="cosine", excess=0.02))
    assert len(found.warnings) == 1
    assert "would decay later" in found.warnings[0]
    honest = envelope(curves(lr="constant"))
    assert float(found.params_line.at(1e20)) < 0.97 * float(honest.params_line.at(1e20))  # favours small models


def test_unknown_schedules_with_one_horizon_are_doubtful():
    assert "one long decaying schedule" in envelope(curves()).warnings[0]
    assert envelope(curves(ratios=(20.0, 60.0, 200.0))).warnings == ()


def test_end_points_of_several_horizons_are_curves():
    runs = curves(17, ratios=np.geomspace(1, 300, 12), lr="cosine", excess=0.05)
    found = envelope(end_points(runs))
    assert found.params_line.exponent == pytest.approx(EXPONENT, abs=0.02)
    assert found.warnings == ()


def test_seeds_of_a_size_are_averaged():
    table = end_points(curves(9, ratios=np.geomspace(1, 300, 8)))
    once = {name: table[name].values for name in ("params", "tokens", "loss")}
    twice = {name: np.concatenate([v, v]) for name, v in once.items()}
    twice["loss"] = np.concatenate([once["loss"] * 1.001, once["loss"] * 0.999])
    one, two = envelope(once), envelope(twice)
    assert two.params_line.exponent == pytest.approx(one.params_line.exponent, rel=1e-9)


def test_runs_that_did_not_finish_are_not_followed():
    good, bad = curves(9, lr="constant"), curves(9, ratios=(100.0,), lr="constant", status="diverged")
    from scalinglaws.curves import join

    assert len(envelope(join([good, bad])).curves) == 9


def test_what_is_no_curve_is_refused():
    n = np.geomspace(1e7, 1e9, 6)
    with pytest.raises(InputError, match="two horizons"):
        envelope({"params": n, "tokens": 20 * n, "loss": true_loss(n, 20 * n)})
    short = [
        Run(name=str(i), step=np.array([5]), loss=np.array([3.0]), tokens=np.array([1e9]), params={"unspecified": v})
        for i, v in enumerate(n)
    ]
    with pytest.raises(InputError, match="two observations"):
        envelope(from_runs(short))
    with pytest.raises(InputError, match="no envelope can be followed"):
        envelope(curves(3, ratios=(1.0,), lr="constant"))
    with pytest.raises(InputError, match="points"):
        envelope(curves(9), points=1)
