"""The frontier against brute force over whole sizes, against derived limits, and against a published protocol."""

import math

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from scalinglaws.errors import InputError
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD, relative_lr
from scalinglaws.prediction.frontier import Grid, frontier, optimum
from scalinglaws.prediction.sizes import SizeFamily
from scalinglaws.schedules import cosine
from scalinglaws.steps import log_steps
from scalinglaws.symbolic import phase
from scalinglaws.theory.solve import solve

QUARTER = SGD(lr=relative_lr(0.25))
PHASES = [(0.75, 0.25), (0.4, 0.3), (0.2, 1.0), (0.9, 0.6), (1.0, 1.5), (0.7, 1.0), (0.4, 1.0), (0.27, 0.9)]


def model(alpha, beta):
    return PLRF(alpha=alpha, beta=beta, d=1, v=4)


def interpolated_risk(alpha, beta, d, opt, t_max=1e9):
    """Log risk of one size over log t, by the public solver at whole steps and a spline."""
    steps = log_steps(t_max, 20)
    return CubicSpline(np.log(steps), np.log(solve(PLRF(alpha=alpha, beta=beta, d=d), opt, steps)["risk"].values))


@pytest.mark.parametrize(("alpha", "beta"), [(0.9, 0.6), (0.4, 1.0), (1.4, 0.2)])
def test_no_whole_size_does_better_and_the_best_ones_touch_the_frontier(alpha, beta):
    flops = 1e7
    best = frontier(model(alpha, beta), QUARTER, flops).isel(flops=0)
    centre = float(best["d_star"])
    sizes = np.unique(np.rint(centre * np.exp(np.linspace(-0.5, 0.5, 21))).astype(int))
    log_risk = [float(interpolated_risk(alpha, beta, int(d), QUARTER)(math.log(flops / d))) for d in sizes]
    excess = np.array(log_risk) - math.log(float(best["risk"]))
    assert excess.min() > -1e-5
    # the excess has its minimum, zero, where the frontier says
    parabola = np.polynomial.Polynomial.fit(np.log(sizes / centre), excess, 4).convert()
    assert abs(parabola(0.0)) < 1e-4
    assert abs(parabola.deriv()(0.0)) < 5e-3
    assert float(best["d_star"] * best["steps"]) == pytest.approx(flops)


@pytest.mark.parametrize(("alpha", "beta"), PHASES)
def test_local_exponents_are_the_slopes_of_the_frontier_itself(alpha, beta):
    h = 0.02
    low, here, high = (
        frontier(model(alpha, beta), QUARTER, 1e12 * np.exp([-h, 0.0, h])).isel(flops=i) for i in range(3)
    )
    size = math.log(float(high["d_star"] / low["d_star"])) / (2 * h)
    loss = -math.log(float(high["risk"] / low["risk"])) / (2 * h)
    assert float(here["size_exponent"]) == pytest.approx(size, abs=3e-4)
    assert float(here["loss_exponent"]) == pytest.approx(loss, abs=2e-5)


@pytest.mark.parametrize(("alpha", "beta"), PHASES)
def test_the_stated_error_covers_the_difference_to_a_denser_grid(alpha, beta):
    family = SizeFamily(model(alpha, beta), QUARTER)
    for flops in (1e4, 1e6, 1e9, 1e15):
        here, exact = optimum(family, flops), optimum(family, flops, Grid(nodes=7, per_decade=8, tolerance=1.0))
        assert abs(here.size_exponent - exact.size_exponent) < 3 * here.size_exponent_error + 1e-5
        assert abs(here.loss_exponent - exact.loss_exponent) < 3 * here.loss_exponent_error + 1e-6
        assert here.error < 2e-4


@pytest.mark.parametrize(
    ("alpha", "beta", "tolerance"),
    [(0.75, 0.25, 0.005), (0.9, 0.6, 0.005), (1.0, 1.5, 0.01), (0.7, 1.0, 0.01), (0.4, 0.3, 0.01)],
)
def test_the_last_decade_lands_on_the_derived_exponents(alpha, beta, tolerance):
    limit = phase(alpha, beta)
    last = frontier(model(alpha, beta), QUARTER, [1e20, 1e21])
    np.testing.assert_allclose(last["size_exponent"], limit.size_exponent, atol=tolerance)
    np.testing.assert_allclose(last["loss_exponent"], limit.loss_exponent, atol=tolerance)


@pytest.mark.parametrize(("alpha", "beta"), [(0.2, 1.0), (0.4, 1.0)])
def test_phases_of_slow_convergence_move_monotonically_towards_their_limit(alpha, beta):
    limit = phase(alpha, beta)
    local = frontier(model(alpha, beta), QUARTER, np.geomspace(1e12, 1e21, 10))
    for name in ("size_exponent", "loss_exponent"):
        distance = abs(local[name].values - getattr(limit, name))
        assert np.all(np.diff(distance) < 0)
        assert distance[-1] < 1e-3


def test_phase_ivb_is_off_by_the_gap_times_the_share_of_what_depends_on_size_alone():
    """With three power laws, one of them a power of d alone, eta - eta_limit = gap * (share of that one).

    At the optimum the steps are far too few to reach the edge of the spectrum, so that F_0, F_ac and the edge's part of
    the noise kernel, lr (Tr K^2 - sum over all j of j^(-4 alpha)), all are constant in t and fall as d^(-2 alpha).
    Their share falls as flops^-gap, a factor of ten in 33 decades.
    """
    alpha, beta = 0.27, 0.9
    limit = phase(alpha, beta)
    gap = dict(limit.gaps)["F_0"]
    local = frontier(model(alpha, beta), QUARTER, [1e15, 1e33, 1e42, 1e45, 1e48])
    measured = local["loss_exponent"].values
    np.testing.assert_allclose(measured, [0.315, 0.312, 0.308, 0.307, 0.305], atol=0.001)
    for i in (1, 2):
        here = PLRF(alpha=alpha, beta=beta, d=round(float(local["d_star"][i])))
        parts = solve(here, QUARTER, [int(local["steps"][i])], components=True).isel(step=0)
        edge = here.trace**2 / here.d - here.data_dimension ** (1 - 4 * alpha) / (4 * alpha - 1)
        alone = parts["irreducible"] + parts["absolutely_continuous"] + 0.25 / here.trace * edge
        share = float(alone / parts["risk"])
        assert measured[i] - limit.loss_exponent == pytest.approx(gap * share, rel=0.004)


TABLE = {  # (loss, size) exponents for d* in each of three windows
    (0.75, 0.25): [(0.3928, 0.4069), (0.3979, 0.4022), (0.3994, 0.4006)],
    (0.7, 0.3): [(0.4039, 0.4271), (0.4119, 0.4207), (0.4150, 0.4181)],
    (0.4, 0.3): [(0.1790, 0.5083), (0.1909, 0.5003), (0.1962, 0.4985)],
    (0.2, 1.0): [(0.1652, 0.5583), (0.1918, 0.5798), (0.2113, 0.5898)],
    (0.9, 0.6): [(0.6471, 0.4153), (0.6551, 0.4072), (0.6597, 0.4031)],
    (1.0, 1.5): [(0.7694, 0.5136), (0.7558, 0.5046), (0.7515, 0.5012)],
    (0.7, 1.0): [(0.6582, 0.5499), (0.6523, 0.5327), (0.6457, 0.5164)],
    (0.7, 0.7): [(0.6121, 0.5039), (0.6263, 0.5026), (0.6337, 0.5036)],
    (1.0, 1.0): [(0.7571, 0.4830), (0.7527, 0.4923), (0.7508, 0.4976)],
    (0.4, 1.0): [(0.4301, 0.6407), (0.4444, 0.6360), (0.4352, 0.6142)],
    (0.27, 1.0): [(0.2617, 0.6004), (0.2906, 0.6160), (0.3068, 0.6146)],
    (0.5, 0.7): [(0.4809, 0.5664), (0.5019, 0.5601), (0.5096, 0.5513)],
}
WINDOWS = [(2e2, 2e3), (2e3, 2e4), (2e4, 4e5)]
HALF = SGD(lr=relative_lr(0.5))


def window_slopes(flops, d_star, risk):
    """Slopes of straight lines through the optima whose size lies in each window."""
    out = []
    for low, high in WINDOWS:
        inside = (d_star > low) & (d_star < high)
        x = np.log(flops[inside])
        out.append((-np.polyfit(x, np.log(risk[inside]), 1)[0], np.polyfit(x, np.log(d_star[inside]), 1)[0]))
    return np.array(out)


def parabola_frontier(alpha, beta):
    """Independent prototype's protocol: a ladder 100 * 2^(k/2), a parabola in log d through the best three."""
    sizes = [round(100 * 2 ** (k / 2)) for k in range(27)]
    curves = [interpolated_risk(alpha, beta, d, HALF, t_max=1e14) for d in sizes]
    u, found = np.log(sizes), []
    for x in np.log(np.geomspace(1e4, 1e22, 361)):
        table = np.array(
            [c(x - ui) if 0 < x - ui < math.log(1e14) else np.inf for c, ui in zip(curves, u, strict=True)]
        )
        k = int(table.argmin())
        if 0 < k < len(sizes) - 1 and np.isfinite(table[k - 1 : k + 2]).all():
            bend, slope, height = np.polyfit(u[k - 1 : k + 2] - u[k], table[k - 1 : k + 2], 2)
            found.append((x, u[k] - slope / (2 * bend), height - slope**2 / (4 * bend)))
    return np.exp(np.array(found).T)


@pytest.mark.parametrize(("alpha", "beta"), TABLE)
def test_exponents_of_small_models_by_the_prototypes_protocol(alpha, beta):
    np.testing.assert_allclose(window_slopes(*parabola_frontier(alpha, beta)), TABLE[alpha, beta], atol=0.005)


@pytest.mark.parametrize(("alpha", "beta"), [(0.75, 0.25), (0.9, 0.6), (0.7, 1.0)])
def test_the_frontier_agrees_with_the_protocol(alpha, beta):
    ds = frontier(model(alpha, beta), HALF, np.geomspace(1e5, 1e17, 49))
    slopes = window_slopes(ds["flops"].values, ds["d_star"].values, ds["risk"].values)
    np.testing.assert_allclose(slopes, TABLE[alpha, beta], atol=0.005)


def test_budgets_from_a_thousand_to_1e30_in_any_order_do_not_influence_each_other():
    budgets = [1e30, 1e3, 1e12]
    ds = frontier(model(0.75, 0.25), QUARTER, budgets)
    assert np.all(np.diff(ds.sortby("flops")["d_star"]) > 0)
    alone = frontier(model(0.75, 0.25), QUARTER, 1e12)
    assert alone.isel(flops=0).equals(ds.isel(flops=2))


def test_ratio_batch_and_rate_rule_are_kept():
    family = SizeFamily(PLRF(alpha=0.4, beta=0.8, d=400, v=1000), SGD(lr=relative_lr(0.2), batch=8))
    sizes = [d for d in family.sizes(4) if 8 <= d <= 10**15]
    assert all(2 * family.at(d).data_dimension == 5 * d for d in sizes)
    best = frontier(family.model, family.opt, 1e9).isel(flops=0)
    d, t = float(best["d_star"]), float(best["steps"])
    assert 8 * d * t == pytest.approx(1e9)
    near = solve(family.at(2 * round(d / 2)), family.opt, [round(t)])["risk"].item()
    assert near == pytest.approx(float(best["risk"]), rel=1e-3)
    endless = frontier(PLRF(alpha=0.9, beta=0.6, d=10, v=math.inf), QUARTER, 1e9)
    assert float(endless["d_star"][0]) == pytest.approx(6362.8, rel=0.3)


def test_a_number_as_rate_is_the_same_for_all_sizes():
    family = SizeFamily(PLRF(alpha=1.0, beta=0.7, d=100), SGD(lr=0.2))
    assert np.isfinite(frontier(family.model, family.opt, 1e9)["risk"]).all()
    with pytest.raises(InputError, match="diverges at d ="):
        frontier(PLRF(alpha=0.3, beta=0.7, d=100), SGD(lr=0.2), 1e12)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"flops": -1.0}, "flops"),
        ({"flops": np.nan}, "flops"),
        ({"flops": 1e60}, "flops"),
        ({"flops": "many"}, "flops"),
        ({"flops": []}, "flops"),
        ({"flops": 1.5}, "too small"),
        ({"opt": SGD(lr=cosine(peak=0.1, steps=100))}, "constant rate"),
        ({"opt": SGD(lr=0.1, batch={0: 1, 10: 2})}, "constant rate"),
        ({"opt": SGD(lr=0.0)}, "lr"),
        ({"opt": "sgd"}, "opt"),
        ({"model": PLRF(alpha=1.0, beta=0.7, d=10, v=10)}, "v = 10"),
        ({"model": "plrf"}, "model"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(changed, words):
    given = {"model": model(1.0, 0.7), "opt": QUARTER, "flops": 1e9} | changed
    with pytest.raises(InputError, match=words) as refused:
        frontier(**given)
    assert len(str(refused.value).splitlines()) == 1
