from __future__ import annotations

import json

import numpy as np
import pytest

from scalinglaws.comparison.transfer import rate_transfer
from scalinglaws.curves import Run, from_runs
from scalinglaws.errors import InputError

RATES = np.geomspace(0.001, 0.064, 7)


def sweep(best, *, name="", curvature=0.1, rates=RATES, seeds=1):
    """Runs whose final loss is a parabola in log rate with its vertex at best[width]."""
    return [
        run(w, r, 2.0 + curvature * np.log(r / b) ** 2 + 1.0 / w, name=name, seed=s)
        for w, b in best.items()
        for r in rates
        for s in range(seeds)
    ]


def run(width, rate, loss, *, name="", seed=0, status="finished", initial=5.0):
    losses = np.array([initial, loss])
    return Run(
        name=f"{name} {width} {rate} {seed}", step=np.array([0, 9]), loss=losses, params={}, width=width, peak_lr=rate,
        seed=seed, parameterization=name, status=status,
    )  # fmt: skip


def test_the_vertex_of_a_parabola_is_found_exactly():
    found = rate_transfer(sweep({32: 0.01, 64: 0.01, 128: 0.01})).dataset.isel(parameterization=0)
    assert found["best_rate"].values == pytest.approx([0.01] * 3, rel=1e-9)
    assert found["best_loss"].values == pytest.approx([2.0 + 1 / w for w in (32, 64, 128)], rel=1e-12)
    assert float(found["slope"]) == pytest.approx(0.0, abs=1e-9)
    assert found["regret"].values == pytest.approx([0.0] * 3, abs=1e-9)


def test_a_moving_optimum_has_its_slope_and_its_price():
    best = {w: 0.016 * 32 / w for w in (32, 64, 128)}
    found = rate_transfer(sweep(best)).dataset.isel(parameterization=0)
    assert float(found["slope"]) == pytest.approx(-1.0, abs=1e-9)
    price = [0.1 * np.log(w / 32) ** 2 for w in (32, 64, 128)]
    assert found["regret"].values == pytest.approx(price, rel=1e-9, abs=1e-9)


def test_an_optimum_at_an_end_of_the_sweep_is_not_named():
    found = rate_transfer(sweep({32: 0.01, 64: 0.0001}))
    assert np.isnan(found.dataset["best_rate"].values[0, 1])
    assert "not bracketed by the sweep at 1 of 2 widths" in found.verdict
    unknown = rate_transfer(sweep({32: 0.0001, 64: 0.01}))
    assert "nothing can be said" in unknown.verdict


def test_sensitivity_of_wortsman():
    losses = (3.2, 3.0, 2.9, 2.95, 3.3, 7.0, np.nan)
    runs = [
        run(w, r, loss if np.isfinite(loss) else 9.0, initial=10.4, status="finished" if loss < 99 else "diverged")
        for w in (32, 64)
        for r, loss in zip(RATES, losses, strict=True)
    ]
    found = rate_transfer(runs).dataset
    assert found["sensitivity"].values == pytest.approx(np.full((1, 2), 1.7785714), rel=1e-7)
    assert np.isinf(found["loss"].values[0, 0, -1])


def test_parameterizations_are_judged_apart_and_seeds_averaged():
    both = sweep({32: 0.01, 64: 0.01}, name="mup", seeds=2) + sweep({32: 0.016, 64: 0.008}, name="standard")
    found = rate_transfer(from_runs(both))
    assert found.dataset["slope"].sel(parameterization="mup").item() == pytest.approx(0.0, abs=1e-9)
    assert found.dataset["slope"].sel(parameterization="standard").item() == pytest.approx(-1.0, abs=1e-9)
    assert "Under mup" in found.verdict
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["standard"]["slope"] == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (sweep({32: 0.01}), "widths = [32]: must be two or more"),
        (sweep({32: 0.01, 64: 0.01}, rates=RATES[:2]), "must be three or more"),
        (sweep({np.nan: 0.01}), "width = nan: must be known"),
    ],
)
def test_what_cannot_be_judged_is_refused(runs, said):
    with pytest.raises(InputError) as error:
        rate_transfer(runs)
    assert said in str(error.value)
