"""Runs that lie too high or too low as a whole: whitening against the dense covariance, variances, efficiency."""

from dataclasses import replace

import numpy as np
import pytest

from scalinglaws.comparison.family_laws import FamilyCurves, FamilyRecords, find_family_law, fit_family
from scalinglaws.comparison.family_laws.levels import Levels
from scalinglaws.comparison.path import Path
from scalinglaws.comparison.separable.problem import Problem
from scalinglaws.errors import InputError
from scalinglaws.fitting import estimator

TRUTH = {"E": 1.0, "A": 2.0, "B": 0.5, "a": 0.5, "b": 0.8}


def family(seeds, sizes=(10.0, 20.0, 40.0, 80.0)):
    paths = [Path(rate=np.full(int(20 * n**0.5), 0.1)) for n in sizes for _ in range(seeds)]
    return FamilyCurves.of(paths, np.repeat(sizes, seeds), [np.arange(5, p.rate.size, 3) for p in paths])


def noise_of(curves, rng, level, course):
    """Draw log noise: each run's level with `level(N)`, records round it with `course(N)`, both standard deviations."""
    return (level(curves.size) * rng.standard_normal(curves.size.size))[curves.run] + course(
        curves.N
    ) * rng.standard_normal(curves.run.size)


def test_whitened_squares_are_those_of_the_dense_covariance():
    curves, rng = family(2), np.random.default_rng(0)
    levels = Levels(level=(-3.0, -0.7), course=(-6.0, -0.4), middle=np.exp(-7.5))
    r, jacobian = rng.standard_normal(curves.run.size), rng.standard_normal((curves.run.size, 3))
    same = curves.run[:, None] == curves.run
    covariance = np.exp(-3.0 - 0.7 * np.log(curves.N)) * same + np.diag(np.exp(-6.0 - 0.4 * np.log(curves.N)))
    white = levels.whiten(r, curves)
    assert white @ white == pytest.approx(levels.middle * r @ np.linalg.solve(covariance, r), rel=1e-12)
    whole = levels.whiten(jacobian, curves)
    assert whole.T @ white == pytest.approx(levels.middle * jacobian.T @ np.linalg.solve(covariance, r), rel=1e-11)


def test_variances_are_read_off_residuals():
    """sd N^-1/2 / 2 between runs and N^-1/4 / 50 along them, from 120 seeds a size: within five standard errors."""
    curves = family(120)
    made = noise_of(curves, np.random.default_rng(1), lambda n: 0.5 * n**-0.5, lambda n: 0.02 * n**-0.25)
    levels = Levels.of(made, curves)
    at = np.log(np.unique(curves.size))
    level, course = (constant + slope * at for constant, slope in (levels.level, levels.course))
    assert level == pytest.approx(np.log(0.25) - at, abs=5 * np.sqrt(2 / 120))
    assert course == pytest.approx(np.log(0.0004) - 0.5 * at, abs=5 * np.sqrt(2 / (120 * 20)))
    assert levels.middle == pytest.approx(np.exp(course.mean()))


def test_one_size_and_one_record_a_run():
    curves = FamilyCurves.of([Path(rate=np.full(9, 0.1))] * 3, 10.0, [[9]] * 3)
    levels = Levels.of(np.array([0.1, -0.1, 0.1]), curves)
    assert levels.level[1] == levels.course[1] == 0.0
    assert np.all(np.isfinite(levels.whiten(np.array([0.1, -0.1, 0.1]), curves)))


def test_exact_curves_give_the_parameters_whatever_the_noise():
    curves = family(1)
    loss = find_family_law("monomials").predict(TRUTH, curves)
    fit = fit_family(FamilyRecords(curves=curves, loss=loss), "monomials", noise="levels")
    assert fit.params == pytest.approx(TRUTH, rel=1e-4)


def test_levels_are_the_better_estimate_and_know_their_error():
    """Forty families: exponents scatter several times less, lie at the truth, and as far from it as stated."""
    curves, rng, law = family(4), np.random.default_rng(2), find_family_law("monomials")
    loss = law.predict(TRUTH, curves)
    found, stated = {"records": [], "levels": []}, []
    for _ in range(40):
        made = noise_of(curves, rng, lambda n: 0.3 * n**-0.5, lambda n: 0.003 + 0 * n)
        records = FamilyRecords(curves=curves, loss=loss * np.exp(made))
        for noise, rows in found.items():
            fit = fit_family(records, law, estimator="log-l2", noise=noise, starts=1)
            rows.append(np.log(fit.params["b"] / TRUTH["b"]))
        place = fit.problem.names.index("b")
        stated.append(fit.spread.covariance[place, place])
    plain, weighted = np.array(found["records"]), np.array(found["levels"])
    assert np.mean(weighted**2) < 0.1 * np.mean(plain**2)
    assert abs(weighted.mean()) < 4 * weighted.std() / np.sqrt(40)
    assert np.mean(weighted**2) == pytest.approx(np.mean(stated), rel=0.7)


def test_residuals_and_predictions_are_those_of_the_loss():
    curves, rng = family(3), np.random.default_rng(3)
    made = noise_of(curves, rng, lambda n: 0.3 * n**-0.5, lambda n: 0.003 + 0 * n)
    records = FamilyRecords(curves=curves, loss=find_family_law("monomials").predict(TRUTH, curves) * np.exp(made))
    fit = fit_family(records, "monomials", noise="levels")
    assert fit.residuals() == pytest.approx(np.log(fit.predict(curves) / records.loss), abs=1e-12)
    assert "from run to run" in fit.summary()
    assert fit.to_dict()["noise"] in fit.summary()
    draws = fit.bootstrap(40, rng=0)
    low, high = fit.bootstrap_interval("b", draws)
    assert low < fit.params["b"] < high
    assert high - low == pytest.approx(np.subtract(*fit.interval("b")[::-1]), rel=0.6)


def test_starts_that_differ_in_held_shapes_only_are_one():
    curves = family(1, sizes=(10.0,))
    law = find_family_law("plrf")
    problem = Problem(law=law, look=curves, loss=np.ones(curves.run.size), estimator=estimator("huber", 1e-2), fixed={})
    held = replace(problem, fixed={"s": 1.0, "n0": 1.0, "g": 1.0})
    assert len({start.theta[2:].tobytes() for start in held.starts()}) == len(held.starts()) < len(problem.starts())


def test_unknown_noise_gets_a_sentence():
    records = FamilyRecords(curves=family(1), loss=np.ones(family(1).run.size))
    with pytest.raises(InputError, match="noise = 'seeds': must be one of records, levels"):
        fit_family(records, noise="seeds")
