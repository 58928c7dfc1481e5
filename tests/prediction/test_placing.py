"""Placement on the phase diagram: region, probabilities, exponents, and what it says when it cannot be sure."""

import json
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

import scalinglaws as sl
from scalinglaws import schedules
from scalinglaws.comparison.family_laws import FamilyCurves, FamilyRecords, find_family_law, fit_family
from scalinglaws.comparison.path import Path
from scalinglaws.errors import InputError
from scalinglaws.plotting import draw_placement
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
def test_intervals_are_those_of_the_marginal_density(sharp, name):
    other = {"alpha": "beta", "beta": "alpha"}[name]
    marginal = sharp.region["density"].sum(other)
    summed = np.cumsum(marginal.values)
    at = sharp.region[name].values[np.searchsorted(summed, [0.05, 0.95])]
    assert sharp.interval(name, level=0.9) == pytest.approx(tuple(at), abs=1e-12)
    assert sharp.interval(name)[0] < getattr(sharp, name) < sharp.interval(name)[1]


def test_a_scale_on_its_bound_leaves_the_phase_undecided(sharp):
    placed = sl.place(fit=replace(sharp.fit, at_bounds=("E", "n0")))
    assert placed.phase == "undecided"
    assert any("n0 ended on a bound of the law's range" in sentence for sentence in placed.warnings)
    assert sl.place(fit=replace(sharp.fit, at_bounds=("E",))).phase == "II"
    fewest = float(sharp.fit.records.curves.size.max()) / 1e12
    endless = replace(sharp.fit, at_bounds=("n0",), params={**sharp.fit.params, "n0": fewest})
    assert sl.place(fit=endless).phase == "II"
    assert any("more features than matter" in sentence for sentence in sl.place(fit=endless).warnings)


def test_another_minimum_that_the_runs_allow_leaves_the_phase_undecided(sharp):
    """One in phase III, as far in the objective as half of the region's edge, then three times as far as that."""
    fit, plane = sharp.fit, plane_of(sharp.fit)
    theta = fit.theta.copy()
    theta[[fit.problem.names.index(name) for name in ("alpha", "beta")]] = np.log([0.6, 1.2])
    for share, phase in ((0.5, "undecided"), (1.5, "II")):
        far = fit.objective + share * plane.rise * plane.quantile(0.9)
        placed = sl.place(fit=replace(fit, ends=(*fit.ends, replace(fit.ends[0], theta=theta, objective=far))))
        assert placed.phase == phase
        said = [sentence for sentence in placed.warnings if "another minimum lies at alpha = 0.60" in sentence]
        assert ("(III)" in said[0]) if phase == "undecided" else not said


def test_near_a_boundary_the_phase_is_undecided():
    placed = sl.place(fit=fitted(0.8, 0.79, 0.01))
    assert placed.phase == "undecided"
    assert {"II", "III"} <= {name for name, p in placed.probabilities.items() if p > 0.05}
    assert "undecided" in placed.sentence


def test_the_region_is_the_rise_of_the_refitted_objective(sharp):
    """On the explored rays the distance is the rise of the profile objective, in units of the run-clustered spread."""
    plane, fit = plane_of(sharp.fit), sharp.fit
    step = plane.root @ np.array([2.5, 0.0])
    alpha, beta = np.array([fit.params["alpha"], fit.params["beta"]]) * np.exp(step)
    held = replace(fit.problem, fixed={**SCALES, "alpha": float(alpha), "beta": float(beta)})
    rise = held.solve(fit.theta[:2]).objective - fit.objective
    inner = plane.root @ np.array([0.05, 0.0])
    a, b = np.array([fit.params["alpha"], fit.params["beta"]]) * np.exp(inner)
    small = replace(fit.problem, fixed={**SCALES, "alpha": float(a), "beta": float(b)})
    unit = (small.solve(fit.theta[:2]).objective - fit.objective) / 0.05**2
    assert float(plane.distance(alpha, beta)) == pytest.approx(rise / unit, rel=0.15)
    assert float(plane.distance(*np.array([fit.params["alpha"], fit.params["beta"]]))) == 0.0


@pytest.mark.slow  # most of a minute
def test_the_region_holds_the_truth_as_often_as_it_says():
    """Thirty families with whole-run offsets; a 90 % region must hold at least 21 of them (p = 1e-3 below)."""
    held = 0
    for seed in range(30):
        plane = plane_of(fitted(1.0, 0.6, 0.02, seed=seed))
        held += bool(plane.distance(np.array(1.0), np.array(0.6)) <= plane.quantile(0.9))
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
    with pytest.raises(InputError, match="must be of plrf"):
        sl.place(fit=fit_family(sharp.fit.records, "monomials"))
    with pytest.raises(InputError, match="name = 'gamma'"):
        sharp.interval("gamma")
