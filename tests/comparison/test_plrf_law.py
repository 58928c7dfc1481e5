"""The solvable model as a law: against its discrete solution, against a plain integrator, its derivatives, recovery."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import scalinglaws as sl
from scalinglaws import schedules
from scalinglaws.comparison.family_laws import FamilyCurves, FamilyRecords, find_family_law, fit_family
from scalinglaws.comparison.family_laws.panels import Panels
from scalinglaws.comparison.path import Path
from scalinglaws.errors import InputError
from scalinglaws.kernels.volterra import follow_panels
from scalinglaws.models import PLRF
from scalinglaws.models.sums import power_sum_nodes, real_sum_nodes
from scalinglaws.optimizers import SGD, relative_lr
from scalinglaws.theory.flow import flow_modes
from scalinglaws.theory.limit import feature_limit

LAW = find_family_law("plrf")
PHASES = [(0.9, 0.25), (0.4, 0.3), (0.18, 0.9), (1.2, 0.8), (0.65, 1.1), (0.42, 0.9), (0.265, 0.9)]
AT = np.unique(np.geomspace(40, 20_000, 30).astype(int))


def curves_of(shape, d, at=AT, batch=2):
    return FamilyCurves.of([Path.of_schedule(shape)], [float(d)], [at], batch=batch)


def values(alpha, beta, s=1.0, n0=1.0, g=1.0):
    return {"E": 0.0, "A": 1.0, "alpha": alpha, "beta": beta, "s": s, "n0": n0, "g": g}


@pytest.mark.parametrize(("alpha", "beta"), PHASES)
def test_small_rates_give_the_discrete_solution(alpha, beta):
    """What is left is of first order in the rate: a fifth of the rate leaves about a fifth."""
    worst = []
    for slower in (1, 5):
        shape, at = schedules.wsd(0.1 / slower, 20_000 * slower), AT * slower
        exact = sl.solve(PLRF(alpha=alpha, beta=beta, d=150), SGD(lr=relative_lr(shape), batch=2), at)["risk"].values
        worst.append(np.abs(LAW.predict(values(alpha, beta), curves_of(shape, 150, at)) / exact - 1.0).max())
    assert worst[0] < 0.02
    assert worst[1] < max(0.35 * worst[0], 2e-5)


@pytest.mark.parametrize("shape", [schedules.linear(0.3, 600), schedules.wsd(0.3, 600, warmup=50)])
def test_panels_against_a_plain_integrator(shape):
    """Given modes, here real ones, dy/dT = -2 z y + source gamma P is solved to the panels' stated accuracy."""
    path, z = Path.of_schedule(shape), np.array([1.0, 0.2, 0.03, 1e-3])
    at = np.array([5, 60, 300, 590, 600])
    panels = Panels.of(path, at)
    initial, floor = np.stack([z, z**2, 0.0 * z, 0.0 * z]), np.array([0.1, 0.0, 0.0, 0.0])
    source = np.stack([0.5 * z**2, 0.0 * z, 0.0 * z])  # the second target is a derivative that leaves noise alone
    modes = (x.astype(complex) for x in (z, initial, source))
    noise = follow_panels(*modes, floor, panels.pace, panels.rate, panels.time)
    mine = panels.between(noise)[:4] + initial @ np.exp(-2.0 * np.multiply.outer(z, panels.at)) + floor[:, None]

    def slope(step, y):
        rate = np.interp(step - 0.5, np.arange(path.steps), path.rate)
        return rate * (-2.0 * z * y + 0.5 * z**2 * rate * (c + y.sum()))

    for target, c in enumerate(floor[:2]):
        found = solve_ivp(slope, (0, 600), initial[target], t_eval=at, rtol=1e-10, atol=1e-14, max_step=0.5)
        np.testing.assert_allclose(mine[target], c + found.y.sum(axis=0), rtol=2e-3)


@pytest.mark.parametrize(("alpha", "beta"), [(0.4, 0.3), (1.2, 0.8), (0.5, 0.5)])
def test_slopes_are_those_of_the_values(alpha, beta):
    curves = curves_of(schedules.linear(0.3, 20_000), 150)
    shapes = np.array([alpha, beta, 1.3, 0.7, 0.9])
    slopes = LAW.features(shapes, curves)[1][:, 1]
    for i, value in enumerate(shapes):
        ends = []
        for sign in (1.0, -1.0):
            moved = shapes.copy()
            moved[i] = value * np.exp(sign * 1e-4)
            ends.append(LAW.features(moved, curves)[0][:, 1])
        quotient, scale = (ends[0] - ends[1]) / (2e-4 * value), np.abs(slopes[:, i]).max()
        np.testing.assert_allclose(quotient, slopes[:, i], atol=1e-6 * scale)


def test_the_limit_is_that_of_whole_sizes_and_smooth_between_them():
    for alpha, beta in PHASES:
        limit, modes = feature_limit(PLRF(alpha=alpha, beta=beta, d=100)), flow_modes(alpha, beta, 100.0)
        np.testing.assert_allclose(modes.floor[0], limit.irreducible, rtol=1e-9)
        np.testing.assert_allclose(
            modes.floor[0] + modes.initial[0].sum().real, limit.resolvent.energy.sum(), rtol=1e-7
        )
    d = 100.0 + np.arange(5) / 4
    floors = np.array([flow_modes(0.8, 0.4, x).floor[0] for x in d])
    assert np.abs(np.diff(floors, 3)).max() < 1e-4 * np.abs(np.diff(floors)).max()


def test_sums_between_integers_continue_those_at_integers():
    for alpha in (0.2, 0.7, 1.5):

        def summed(v, alpha=alpha):
            j, weights, _, _ = real_sum_nodes(v, alpha)
            s = j ** (-2 * alpha)
            return weights @ (s / (s + 100.0 ** (-2 * alpha)))

        exact = []
        for v in (32, 400, 401):
            j, weights = power_sum_nodes(v, alpha)
            exact.append(weights @ (1.0 / (1.0 + (j / 100.0) ** (2 * alpha))))
        np.testing.assert_allclose([summed(v) for v in (32.0, 400.0, 401.0)], exact, rtol=1e-7)
        _, _, ends, slopes = real_sum_nodes(400.0, alpha)
        slope = slopes @ (1.0 / (1.0 + (ends / 100.0) ** (2 * alpha)))
        quotient = (summed(400.0 * np.exp(1e-3)) - summed(400.0 * np.exp(-1e-3))) / 2e-3
        np.testing.assert_allclose(slope, quotient, rtol=1e-6)


def test_parameters_are_recovered_from_exact_curves():
    truth = {"E": 0.2, "A": 1.5, "alpha": 0.9, "beta": 0.6, "s": 2.0, "n0": 0.8, "g": 0.7}
    paths = [Path.of_schedule(schedules.linear(0.3, 400 * k)) for k in (1, 2, 4, 8)]
    curves = FamilyCurves.of(
        paths, [50.0, 100.0, 200.0, 400.0], [np.arange(20, p.steps + 1, p.steps // 20) for p in paths]
    )
    fit = fit_family(FamilyRecords(curves=curves, loss=LAW.predict(truth, curves)), "plrf", starts=1)
    assert fit.converged
    assert {name: fit.params[name] for name in truth} == pytest.approx(truth, rel=2e-3)


def test_fewer_features_than_the_limit_takes_are_refused_by_the_theory():
    with pytest.raises(InputError, match="d = 3"):
        flow_modes(1.0, 0.7, 3.0)
