"""The search for a schedule: an exact optimum of a functional scaling law, its interval, and the defects it reports."""

from __future__ import annotations

import numpy as np
import pytest

from scalinglaws import schedules
from scalinglaws.comparison.path import Path
from scalinglaws.comparison.schedule_laws import ScheduleLaw, Shape, find_schedule_law, fit_schedule, numeric
from scalinglaws.comparison.schedule_laws.search import defects, find_schedule, search_schedule
from scalinglaws.errors import InputError
from tests.comparison.schedules_data import MOMENTUM, MULTI_POWER, PEAK, family, plan

STEPS, BETA, S = 1500, 1.5, 0.5


def _functional(shapes, look):
    """T^-s and the noise sum eta^2 (1 + T - T_k)^-(2 - 1/beta) of arXiv 2509.19189, every rate counted."""
    s, beta = shapes
    columns = np.ones((look.step.size, 3))
    columns[:, 1] = look.tau**-s
    for path, part in look.curves:
        for i, step in enumerate(look.step[part].astype(int)):
            left = path.tau[step] - 0.5 * (path.tau[:step] + path.tau[1 : step + 1])
            columns[part.start + i, 2] = np.sum(path.rate[:step] ** 2 * (1.0 + left) ** -(2.0 - 1.0 / beta))
    return columns


THEORY = ScheduleLaw(
    name="functional, theory",
    formula="L0 + A T^-s + B sum eta^2 K(T - T_k)",
    source="arXiv 2509.19189",
    amplitudes=("L0", "A", "B"),
    shapes=(Shape(name="s", low=0.01, high=5.0), Shape(name="beta", low=1.01, high=9.0)),
    features=numeric(_functional),
    starts=lambda look: np.array([[S, BETA]]),
)


def _optimum(reach):
    """Exact optimum (continuous steps) that travels `reach`: (1 + T - t)^(1/(2 beta)) falls linearly in the step.

    Returns its rates at fractions x, and the ratio A/B for which no other reach is better.
    """
    rise = (1.0 + reach) ** (1.0 / (2.0 * BETA)) - 1.0

    def rate(x):
        return 2.0 * BETA * rise / STEPS * (1.0 + rise * (1.0 - x)) ** (2.0 * BETA - 1.0)

    noise_slope = 2.0 * (2.0 * BETA * rise) / STEPS * (1.0 + reach) ** (1.0 / (2.0 * BETA) - 1.0)
    return rate, noise_slope / (S * reach ** (-S - 1.0))


def test_easy_task_power_decay_of_the_functional_law():
    """s >= 1 - 1/beta: eta ~ (1 - z/N)^(2 beta - 1), up to the cutoff of the kernel at short times."""
    rate, ratio = _optimum(300.0)
    peak = float(rate(0.0))
    found = find_schedule(THEORY, {"L0": 0.0, "A": ratio, "B": 1.0, "s": S, "beta": BETA}, steps=STEPS, peak=peak)
    x = (np.arange(STEPS) + 0.5) / STEPS
    ours = found.schedule(np.arange(STEPS))
    np.testing.assert_allclose(ours / peak, rate(x) / peak, atol=0.03)
    power, straight = (np.mean(np.abs(ours / peak - (1.0 - x) ** e)) for e in (2.0 * BETA - 1.0, 1.0))
    assert power < 0.06 < 0.09 < straight  # the limit of a long run, where the cutoff is far away
    exact = THEORY.predict({"L0": 0.0, "A": ratio, "B": 1.0, "s": S, "beta": BETA}, Path(rate=rate(x)))[0]
    assert found.loss == pytest.approx(exact, rel=1e-3)
    assert found.gain > 0


def test_binding_peak_gives_a_plateau_and_a_decay():
    rate, ratio = _optimum(300.0)
    peak = 0.3 * float(rate(0.0))
    values = {"L0": 0.0, "A": 5.0 * ratio, "B": 1.0, "s": S, "beta": BETA}
    found = find_schedule(THEORY, values, steps=STEPS, peak=peak)
    level = found.schedule(np.arange(STEPS)) / peak
    assert level[: STEPS // 3].min() > 0.98
    assert level[-1] < 0.2
    assert np.all(np.diff(level) <= 1e-12)


def test_result_says_how_far_and_how_sure():
    runs = family("multi-power", MULTI_POWER, {n: plan(n, 1200, 100) for n in ("cosine", "constant", "wsd:0.3")}, 3e-4)
    fit = fit_schedule(runs, "multi-power", starts=2)
    result = search_schedule(fit, steps=1200, warmup=100, knots=10, replicates=8)
    assert result.found.loss <= min(result.found.standard.values())
    assert result.gain_low <= result.found.gain * 1.5 + 1e-3
    assert result.gain_low < result.gain_high
    assert 0 < result.distance < 1
    assert result.closest in ("cosine", "constant", "wsd:0.3")
    np.testing.assert_allclose(result.found.schedule(np.arange(100)), PEAK * np.arange(1, 101) / 100, rtol=1e-9)
    longer = search_schedule(fit, steps=2400, warmup=100, peak=2 * PEAK, knots=4, replicates=8)
    assert any("times as long" in caution for caution in longer.cautions)
    assert any("peak rate is 2 times" in caution for caution in longer.cautions)


def test_figure_draws_the_found_schedule_and_what_it_is_compared_with():
    from matplotlib.figure import Figure

    from scalinglaws.plotting.search import schedule_search

    plans = {"cosine": plan("cosine", 600, 50), "constant": plan("constant", 600, 50)}
    fit = fit_schedule(family("convex", {"L0": 3.0, "P": 0.01, "Q": 20.0}, plans, 1e-3, every=20), "convex")
    result = search_schedule(fit, steps=600, warmup=50, floor=0.01, knots=4, replicates=3)
    above, below = Figure().subplots(2, 1)
    drawn = schedule_search(result, fit, axes=(above, below))
    assert drawn.rates[0].get_label() == "found"
    assert {line.get_label() for line in drawn.rates} >= {"found", "cosine", "linear", result.found.best}
    assert drawn.losses[0].get_ydata()[-1] == pytest.approx(result.found.loss, abs=1e-4)


def test_floor_is_kept():
    law = find_schedule_law("convex")
    values = {"L0": 0.0, "P": 0.5, "Q": 0.5}
    found = find_schedule(law, values, steps=200, peak=0.05, floor=0.1, knots=6)
    rates = found.schedule(np.arange(200))
    assert rates.min() >= 0.1 * 0.05 * (1 - 1e-9)
    assert set(found.standard) >= {"cosine", "linear", "wsd:0.2"}
    assert found.standard[found.best] == min(found.standard.values())


def test_momentum_law_rewards_rest_and_ever_higher_rates():
    said = " ".join(defects(find_schedule_law("momentum"), {**MOMENTUM, "C": 40.0, "forget": 1e-3}, plan("wsd:0.1")))
    assert "rests at rate zero" in said
    assert "the higher all rates are" in said


def test_multi_power_law_has_neither_defect():
    assert defects(find_schedule_law("multi-power"), MULTI_POWER, plan("wsd:0.2")) == ()


def test_remembered_rate_law_rewards_rest():
    values = {"L0": 3.0, "alpha": 0.5, "r": 0.16, "c": 140.0, "m": 800.0}
    said = defects(find_schedule_law("remembered-rate"), values, schedules.wsd(PEAK, 3000, decay=0.1))
    assert len(said) == 1
    assert "rests at rate zero" in said[0]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"knots": 1}, "knots = 1"),
        ({"steps": 10}, "steps = 10: must exceed 24"),
        ({"peak": 0.0}, "peak = 0.0: must be positive"),
        ({"floor": 1.0}, "floor = 1.0"),
    ],
)
def test_refuses_what_cannot_be_searched(options, rule):
    with pytest.raises(InputError, match=rule):
        find_schedule(
            THEORY, {"L0": 0, "A": 1, "B": 1, "s": S, "beta": BETA}, **({"steps": 100, "peak": 0.1} | options)
        )
