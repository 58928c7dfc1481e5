"""The bias of approach 2 without noise: twelve published numbers, and what is left after correcting for it."""

from __future__ import annotations

import numpy as np
import pytest

from scalinglaws.errors import InputError
from scalinglaws.fitting import fit
from scalinglaws.fitting.laws import CHINCHILLA, find_law
from scalinglaws.prediction.measured import corrected, isoflop, isoflop_bias
from scalinglaws.prediction.measured.bias import least_along
from scalinglaws.prediction.measured.slices import cut
from tests.naive import isoflop as naive

HOFFMANN = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
WIDTHS = (2, 4, 8, 16)
# Czech et al. (2026): error of D*(1e24) in percent for sweeps of these half-widths, 15 points, 5 budgets.
PUBLISHED = {
    "chinchilla": (HOFFMANN, 1.0, (-0.326938, -1.301125, -2.902905, -5.100245)),
    "unequal": (
        {**HOFFMANN, "alpha": 0.465, "beta": 0.155},
        1.0,
        (-1.674748, -6.497779, -13.910419, -23.116308),
    ),
    "off centre": (
        {"E": 1.69, "A": 400.0, "B": 400.0, "alpha": 0.31, "beta": 0.31},
        3.0,
        (3.974244, 3.471818, 2.645165, 1.509792),
    ),
}
CASES = [(name, k, value) for name, (_, _, row) in PUBLISHED.items() for k, value in zip(WIDTHS, row, strict=True)]


def best_tokens(law, values, flops):
    return law.optimum({k: np.asarray(v) for k, v in values.items()}, np.asarray(flops)).tokens


def sweep(values, width, centre=1.0, *, law=CHINCHILLA, points=15, noise=0.0, seed=0):
    c = np.repeat(np.geomspace(1e17, 1e21, 5), points)
    d = centre * best_tokens(law, values, c) * np.tile(np.geomspace(1 / width, width, points), 5)
    n = c / (6 * d)
    clean = law.predict(values, n, d)
    return {"params": n, "tokens": d, "loss": clean * np.exp(noise * np.random.default_rng(seed).standard_normal(75))}


def error_of(found, law, values, flops=1e24):
    return float(100 * (found.tokens.at(flops) / best_tokens(law, values, flops) - 1))


@pytest.mark.parametrize(("surface", "width", "expected"), CASES)
def test_twelve_published_biases(surface, width, expected):
    values, centre, _ = PUBLISHED[surface]
    found = isoflop(sweep(values, width, centre), extrapolate=True)
    assert error_of(found, CHINCHILLA, values) == pytest.approx(expected, abs=1e-5)
    predicted = isoflop_bias(found, (CHINCHILLA, values), 1e24)
    assert 100 * predicted.tokens_bias.item() == pytest.approx(expected, abs=1e-5)
    # The bias is the same at every budget, so that the exponent is exact.
    assert found.tokens.exponent == pytest.approx(values["alpha"] / (values["alpha"] + values["beta"]), abs=1e-10)
    assert predicted.attrs["tokens_exponent_bias"] == pytest.approx(0.0, abs=1e-10)
    assert np.ptp(isoflop_bias(found, (CHINCHILLA, values)).params_bias.values) < 1e-9


def test_size_and_tokens_err_in_opposite_directions():
    found = isoflop(sweep(HOFFMANN, 8))
    bias = isoflop_bias(found, (CHINCHILLA, HOFFMANN), 1e24)
    assert (1 + bias.params_bias.item()) * (1 + bias.tokens_bias.item()) == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_right_surface_corrects_exactly(width):
    data = sweep(HOFFMANN, width)
    assert abs(error_of(corrected(isoflop(data), fit(data)), CHINCHILLA, HOFFMANN)) < 1e-5


def test_a_wrong_surface_still_corrects_most():
    """Losses of a coupled law, corrected by the surface of a plain one that does not pass through them."""
    law = find_law("skaling")
    values = {"E": 1.7, "A": 300.0, "R": 3.0, "alpha": 0.45, "beta": 0.42, "k": 0.74}
    for width in (4, 8, 16):
        data = sweep(values, width, law=law)
        fitted = fit(data)
        assert np.abs(fitted.residuals()).max() > 1e-5  # the surface is wrong indeed
        plain = isoflop(data)
        truth = best_tokens(law, values, plain.flops)
        found = (plain, corrected(plain, fitted))
        before, after = (np.array([b.tokens for b in f.budgets]) / truth - 1 for f in found)
        assert np.abs(after).mean() < 0.4 * np.abs(before).mean()


def test_noise_does_not_undo_the_correction():
    """The mean error over noisy tables is bias; corrected, it is within what the noise of the mean allows."""
    errors = []
    for seed in range(20):
        data = sweep(HOFFMANN, 8, noise=5e-4, seed=seed)
        plain = isoflop(data)
        errors.append([error_of(f, CHINCHILLA, HOFFMANN) for f in (plain, corrected(plain, fit(data)))])
    mean, spread = np.mean(errors, axis=0), np.std(errors, axis=0) / np.sqrt(20)
    assert mean[0] == pytest.approx(-2.9029, abs=4 * spread[0])
    assert mean[0] < -4 * spread[0]
    assert abs(mean[1]) < 4 * spread[1]
    assert abs(mean[1]) < 0.4 * abs(mean[0])


@pytest.mark.parametrize("method", ["cubic", "akima"])
def test_other_curves_have_less_bias(method):
    data = sweep(HOFFMANN, 8)
    assert abs(error_of(isoflop(data, method=method), CHINCHILLA, HOFFMANN)) < 0.5
    assert abs(error_of(corrected(isoflop(data, method=method), fit(data)), CHINCHILLA, HOFFMANN)) < 1e-5


def test_minimum_along_a_slice_is_that_of_golden_section():
    """Also where the compute of the slice is not 6 N D."""
    from scalinglaws.fitting import Table

    c, n = 1e19, np.geomspace(1e7, 1e9, 9)
    d = c / (9 * n**1.05)
    table = Table(params=n, tokens=d, flops=np.full(9, c), loss=np.full(9, 3.0))
    (each,) = cut(table)
    found = least_along(CHINCHILLA, {k: np.array([v]) for k, v in HOFFMANN.items()}, each)[0]

    def loss(x):
        tokens = c / (9 * np.exp(1.05 * x))
        return 406.4 / np.exp(0.34 * x) + 410.7 / tokens**0.28

    assert found == pytest.approx(naive.golden(loss, np.log(1e5), np.log(1e11)), abs=1e-6)


def test_a_surface_without_a_minimum_corrects_nothing():
    data = sweep(HOFFMANN, 4)
    flat = fit(data, fixed={"B": 0.0})
    with pytest.raises(InputError, match="must have one inside"):
        corrected(isoflop(data), flat)
