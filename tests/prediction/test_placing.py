"""Placement on the phase diagram: region, probabilities, exponents, and what it says when it cannot be sure."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from scipy.optimize import minimize_scalar
from scipy.stats import norm as normal
from scipy.stats import t as student

import scalinglaws as sl
from scalinglaws import schedules
from scalinglaws.comparison.family_laws import FamilyCurves, FamilyRecords, find_family_law, fit_family
from scalinglaws.comparison.path import Path
from scalinglaws.errors import InputError
from scalinglaws.plotting import draw_placement
from scalinglaws.prediction.placing import Placement, doubts, region
from scalinglaws.prediction.placing.metric import Metric
from scalinglaws.prediction.placing.region import plane_of

SCALES = {"s": 1.0, "n0": 1.0, "g": 1.0}


def fitted(alpha, beta, spread, seed=0):
    """Curves of the law itself with whole-run offsets, three seeds of four sizes, its scales known."""
    paths = [Path.of_schedule(schedules.linear(0.3, 300 * k)) for k in (1, 2, 4, 8) for _ in range(3)]
    sizes = [50.0 * k for k in (1, 2, 4, 8) for _ in range(3)]
    curves = FamilyCurves.of(paths, sizes, [np.arange(30, p.steps + 1, p.steps // 15) for p in paths])
    truth = {"E": 0.0, "A": 1.0, "alpha": alpha, "beta": beta} | SCALES
    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, spread, len(paths))[curves.run] + rng.normal(0.0, 0.3 * spread, curves.run.size)
    loss = find_family_law("plrf").predict(truth, curves) * np.exp(noise)
    return fit_family(FamilyRecords(curves=curves, loss=loss), "plrf", fixed=SCALES, starts=2)


@pytest.fixture(scope="module")
def sharp():
    return sl.place(fit=fitted(1.0, 0.75, 0.003))


def test_a_sharp_placement_names_the_phase_and_theorys_exponents(sharp):
    assert sharp.phase == sl.phase(1.0, 0.75).name == "II"
    assert sharp.probabilities["II"] > 0.95
    assert sum(sharp.probabilities.values()) == pytest.approx(1.0)
    for name, truth in (("alpha", 1.0), ("beta", 0.75), ("loss_exponent", sl.phase(1.0, 0.75).loss_exponent)):
        low, high = sharp.interval(name, level=0.99)
        assert low <= truth <= high
        assert high - low < 0.2
    assert sharp.interval("alpha", level=0.5)[0] > sharp.interval("alpha", level=0.9)[0]


@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_intervals_are_those_of_the_profile(sharp, name):
    """At its ends, refits with the other of alpha and beta at its best have risen to Student's t, squared."""
    fit, metric = sharp.fit, Metric.of(sharp.fit)
    place, width = ("alpha", "beta").index(name), float(np.sqrt(metric.covariance.max()))

    def risen(other, end):
        step = np.insert([other], place, np.log(end / fit.params[name]))
        values = {n: float(fit.params[n] * np.exp(x)) for n, x in zip(("alpha", "beta"), step, strict=True)}
        refit = replace(fit.problem, fixed={**SCALES, **values}).solve(fit.theta[:2])
        return metric.statistic(refit.objective - fit.objective, step)

    for end in sharp.interval(name):
        least = minimize_scalar(risen, bounds=(-4 * width, 4 * width), args=(end,), method="bounded")
        assert least.fun == pytest.approx(student.ppf(0.95, metric.dof) ** 2, rel=0.05)
    assert sharp.interval(name)[0] < getattr(sharp, name) < sharp.interval(name)[1]


def parabola(tilt, dof=1e9):
    """A placement where T^2 is a parabola of (alpha, beta) about (1, 0.5), correlated as told."""
    alpha, beta = np.linspace(0.5, 1.5, 81), np.linspace(0.1, 0.9, 81)
    x, y = (alpha[:, None] - 1.0) / 0.1, (beta - 0.5) / 0.1
    distance = (x**2 - 2.0 * tilt * x * y + y**2) / (1.0 - tilt**2)
    known = np.where(beta > 0.45, alpha[:, None] * beta, np.nan)
    cells = {"distance": (("alpha", "beta"), distance), "loss_exponent": (("alpha", "beta"), known)}
    region = xr.Dataset(cells, {"alpha": alpha, "beta": beta}, {"dof": dof})
    return SimpleNamespace(region=region, level=0.9, alpha=1.0, beta=0.5, loss_exponent=0.5)


@pytest.mark.parametrize("tilt", [0.0, 0.9])
def test_intervals_of_a_parabola_are_those_of_its_normal(tilt):
    placed = parabola(tilt)
    for level in (0.5, 0.9):
        reach = 0.1 * normal.ppf(0.5 + 0.5 * level)
        assert Placement.interval(placed, "alpha", level=level) == pytest.approx((1.0 - reach, 1.0 + reach), abs=1.5e-3)
        assert Placement.interval(placed, "beta", level=level) == pytest.approx((0.5 - reach, 0.5 + reach), abs=1.5e-3)


def test_an_interval_counts_known_phases_only_and_holds_the_fit():
    placed = parabola(0.0)
    low, high = Placement.interval(placed, "loss_exponent", level=0.9)
    assert high == pytest.approx(0.5 + 0.1 * normal.ppf(0.95) * np.hypot(1.0, 0.5), rel=0.02)
    assert low == pytest.approx(0.46 * (1.0 - 0.1 * np.sqrt(normal.ppf(0.95) ** 2 - 0.16)), rel=0.02)
    placed.alpha = 2.0  # beyond the grid
    assert Placement.interval(placed, "alpha")[1] == 2.0


def bounded(fit, low, high):
    """The same fit with n0 free between two ends, refitted."""
    law = fit.law
    shapes = tuple(replace(s, low=low, high=high) if s.name == "n0" else s for s in law.shapes)
    law = replace(law, shapes=shapes, limits=lambda curves: {})
    return fit_family(fit.records, law, fixed={"s": 1.0, "g": 1.0}, starts=2)


def test_a_scale_that_pushes_against_its_bound_leaves_the_phase_undecided(sharp):
    fit = bounded(sharp.fit, 1.5, 3.0)
    assert "n0" in fit.at_bounds
    placed = sl.place(fit=fit)
    assert placed.phase == "undecided"
    assert any("n0 ended on a bound of the law's range" in sentence for sentence in placed.warnings)


def test_a_bound_that_is_not_felt_does_no_harm(sharp):
    """The same placement, told that alpha ended on a bound: nothing pushes there."""
    placed = sl.place(fit=replace(sharp.fit, at_bounds=("E", "alpha")))
    assert placed.phase == "II"
    assert not any("bound of the law's range" in sentence for sentence in placed.warnings)


def test_endless_features_are_said(sharp):
    fewest = float(sharp.fit.records.curves.size.max()) / 1e12
    endless = replace(sharp.fit, at_bounds=("n0",), params={**sharp.fit.params, "n0": fewest})
    assert "more features than matter" in doubts._about_size(endless)[0]
    assert not doubts._about_size(sharp.fit)


def with_end(fit, alpha, beta, objective):
    """The fit of a search that also ended elsewhere."""
    theta = fit.theta.copy()
    theta[[fit.problem.names.index(name) for name in ("alpha", "beta")]] = np.log([alpha, beta])
    return replace(fit, ends=(*fit.ends, replace(fit.ends[0], theta=theta, objective=objective)))


def test_another_minimum_that_the_region_cannot_show_leaves_the_phase_undecided(sharp):
    """One in phase III, as far in the objective as half of the region's edge, then three times as far as that."""
    fit, metric = sharp.fit, plane_of(sharp.fit).metric
    step = np.log([0.6 / fit.params["alpha"], 1.2 / fit.params["beta"]])
    for share, phase in ((0.5, "undecided"), (1.5, "II")):
        far = fit.objective + share * metric.unit(step) * metric.quantile(0.9)
        placed = sl.place(fit=with_end(fit, 0.6, 1.2, far))
        assert placed.phase == phase
        said = [sentence for sentence in placed.warnings if "another minimum lies at alpha = 0.60" in sentence]
        assert ("(III)" in said[0]) if phase == "undecided" else not said


class Valleys:
    """An objective with two equal minima, for the lattice alone."""

    fit = SimpleNamespace(
        problem=SimpleNamespace(names=("alpha", "beta")),
        theta=np.zeros(2),
        objective=0.0,
        ends=(
            SimpleNamespace(theta=np.array([6.0, 0.0]), objective=0.0),
            SimpleNamespace(theta=np.array([0.0, 9.0]), objective=5.0),
        ),
    )
    metric = Metric(covariance=np.eye(2), curvature=2.0 * np.eye(2), dof=20.0)
    centre = np.ones(2)

    def inside(self, step):
        return np.exp(np.clip(step, -10.0, 10.0))

    def at(self, step, theta):
        return float(min(step @ step, (step - [6.0, 0.0]) @ (step - [6.0, 0.0]))), theta


def test_the_lattice_finds_both_parts_of_a_region_and_stops_at_its_edge():
    found, whole = region._grown(Valleys(), np.eye(2), 4.0)
    assert whole
    inside = {node for node, statistic in found.items() if statistic <= 4.0}
    disc = {(i, j) for i in range(-2, 3) for j in range(-2, 3) if i * i + j * j <= 4}
    assert inside == disc | {(i + 6, j) for i, j in disc}


def test_a_refit_that_sticks_is_made_again_from_another_side():
    """Beside the fit, a refit that begins there ends far above; one that begins elsewhere does not."""

    class Sticky(Valleys):
        def at(self, step, theta):
            stuck = not theta.any() and tuple(step) == (1.0, 0.0)
            return (900.0 if stuck else super().at(step, theta)[0]), step

    found, _ = region._grown(Sticky(), np.eye(2), 4.0)
    assert found == pytest.approx(region._grown(Valleys(), np.eye(2), 4.0)[0])


def test_the_lattice_says_where_it_was_cut(monkeypatch):
    monkeypatch.setattr(region, "_MOST", 9)
    assert not region._grown(Valleys(), np.eye(2), 4.0)[1]


def test_steps_follow_the_objective_where_it_is_no_parabola():
    """Four times as steep along beta as its covariance says: steps half as long."""

    class Steep(Valleys):
        def at(self, step, theta):
            return float(step[0] ** 2 + 4.0 * step[1] ** 2), theta

    lengths = np.linalg.norm(region._steps(Steep(), 9.0), axis=0)
    assert sorted(lengths) == pytest.approx([0.5, 1.0])


def test_a_lower_minimum_than_the_searchs_is_said(sharp):
    """The fit is that with alpha held beside the minimum, taken for free."""
    fit = sharp.fit
    aside = fit_family(fit.records, "plrf", fixed={**SCALES, "alpha": fit.params["alpha"] * 1.01}, starts=1)
    theta = fit.theta.copy()
    theta[fit.problem.names.index("alpha")] += np.log(1.01)
    theta[[0, 1, 3]] = aside.theta
    wrong = replace(fit, theta=theta, params=aside.params, objective=aside.objective)
    placed = sl.place(fit=wrong)
    assert placed.phase == "undecided"
    assert any("lower minimum than the search" in sentence for sentence in placed.warnings)


def test_near_a_boundary_the_phase_is_undecided():
    placed = sl.place(fit=fitted(0.8, 0.79, 0.01))
    assert placed.phase == "undecided"
    assert {"II", "III"} <= {name for name, p in placed.probabilities.items() if p > 0.05}
    assert "undecided" in placed.sentence


def test_the_region_is_the_rise_of_the_refitted_objective(sharp):
    """In units that make its curvature at the fit the inverse of the run-clustered covariance."""
    plane, fit = plane_of(sharp.fit), sharp.fit
    centre = np.array([fit.params["alpha"], fit.params["beta"]])

    def rise(step):
        alpha, beta = (centre * np.exp(step)).tolist()
        held = replace(fit.problem, fixed={**SCALES, "alpha": alpha, "beta": beta})
        return held.solve(fit.theta[:2]).objective - fit.objective

    covariance = fit.spread.covariance[2:, 2:]
    for angle in (0.3, 2.0, 4.0):
        step = np.linalg.cholesky(covariance) @ [np.cos(angle), np.sin(angle)]
        far = float(plane.distance(*(centre * np.exp(2.3 * step))))
        unit = rise(0.05 * step) / 0.05**2
        assert far == pytest.approx(rise(2.3 * step) / unit, rel=0.05)
    assert float(plane.distance(*centre)) == 0.0


@pytest.mark.slow  # most of a minute
def test_the_region_holds_the_truth_as_often_as_it_says():
    """Thirty families with whole-run offsets; a 90 % region must hold at least 21 of them (p = 1e-3 below)."""
    held = 0
    for seed in range(30):
        plane = plane_of(fitted(1.0, 0.6, 0.02, seed=seed))
        held += bool(plane.distance(np.array(1.0), np.array(0.6)) <= plane.metric.quantile(0.9))
    assert 21 <= held <= 30


def test_what_it_says(sharp):
    told = json.loads(json.dumps(sharp.to_dict()))
    assert told["phase"] == "II"
    assert set(told["intervals"]) == {"alpha", "beta", "size_exponent", "loss_exponent"}
    assert "phase II" in sharp.summary()
    assert sharp.why_not == ("a fit was given without its runs",)


def test_measured_exponents_stand_beside_those_of_theory():
    sizes, shape = [24, 36, 48, 72, 96, 144, 192], schedules.linear(0.3, 400)
    runs = sl.model_family(1.0, 0.7, sizes=sizes, horizon=(400, 0.5), schedule=shape, seeds=None, points=15)
    placed = sl.place(runs, fit_family(runs, "plrf", fixed=SCALES, starts=1))
    assert "parametric" in placed.measured["approach"].values
    assert np.isfinite(placed.measured["loss_exponent"].sel(approach="parametric"))
    assert placed.why_not or len(placed.measured["approach"]) > 1


def test_the_figure_holds_region_and_point(sharp):
    drawn = draw_placement(sharp, ax=Figure().subplots())
    assert drawn.point.get_xydata().tolist() == [[sharp.alpha, sharp.beta]]
    assert drawn.region.levels.tolist() == [sharp.region.attrs["quantile"]]
    assert {"Ia", "II", "III"} <= set(drawn.diagram.names)
    assert draw_placement(sharp, whole=False, ax=Figure().subplots()).point is not None


def test_mistakes_get_a_sentence(sharp):
    with pytest.raises(InputError, match="runs = None"):
        sl.place()
    with pytest.raises(InputError, match="level = 2"):
        sl.place(fit=sharp.fit, level=2)
    with pytest.raises(InputError, match=r"level = 0.995: must lie between 0 and 0.99"):
        sharp.interval("alpha", level=0.995)
    with pytest.raises(InputError, match="must be of plrf"):
        sl.place(fit=fit_family(sharp.fit.records, "monomials"))
    with pytest.raises(InputError, match="name = 'gamma'"):
        sharp.interval("gamma")
