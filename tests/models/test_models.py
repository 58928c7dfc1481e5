import json
import math
import tracemalloc

import mpmath as mp
import numpy as np
import pytest

from scalinglaws.errors import InputError
from scalinglaws.models import PLRF, GaussianLeastSquares, from_dict
from scalinglaws.models.plrf import MAX_ENTRIES


@pytest.mark.parametrize(("d", "v"), [(30, 120), (30, 31), (30, 30), (1, 5), (100, 100)])
def test_instance_is_the_svd_of_the_features(d: int, v: int) -> None:
    model = PLRF(alpha=0.8, beta=0.6, d=d, v=v, label_noise=0.25)
    one = model.instance(3)
    j = np.arange(1.0, v + 1.0)
    a = j[:, None] ** -0.8 * model.features(3)
    c = j**-1.4
    u, s, _ = np.linalg.svd(a, full_matrices=False)
    np.testing.assert_allclose(one.eigenvalues, s**2, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(one.rho**2, (u.T @ c) ** 2, atol=1e-12)
    assert one.irreducible == pytest.approx(0.25 + np.sum((c - u @ (u.T @ c)) ** 2), abs=1e-13)
    assert one.initial_risk == pytest.approx(model.initial_risk, rel=1e-12)
    assert np.all(np.diff(one.eigenvalues) <= 0)
    assert one.eigenvalues.flags.writeable is False


def test_irreducible_risk_has_no_cancellation() -> None:
    """irreducible / initial is below 1e-8 here: a difference of squares would lose eight digits."""
    d, v = 20, 60
    model = PLRF(alpha=3.0, beta=3.5, d=d, v=v)
    one = model.instance(0)
    w = model.features(0)
    with mp.workdps(60):
        a = mp.matrix(d, d)
        c = [mp.mpf(j) ** mp.mpf("-6.5") for j in range(1, v + 1)]
        rows = [[mp.mpf(j) ** -3 * mp.mpf(x) for x in row] for j, row in enumerate(w.tolist(), start=1)]
        for i in range(d):
            for k in range(d):
                a[i, k] = mp.fsum(row[i] * row[k] for row in rows)
        b = mp.matrix([mp.fsum(row[i] * cj for row, cj in zip(rows, c, strict=True)) for i in range(d)])
        x = mp.lu_solve(a, b)
        exact = mp.fsum(cj**2 for cj in c) - mp.fsum(b[i] * x[i] for i in range(d))
    assert exact < 1e-8
    assert one.irreducible == pytest.approx(float(exact), rel=1e-10)


def test_same_rng_same_features_and_reproducible() -> None:
    model = PLRF(alpha=1.0, beta=0.7, d=20)
    np.testing.assert_array_equal(model.instance(7).rho, model.instance(np.random.SeedSequence(7)).rho)
    assert not np.array_equal(model.instance(7).rho, model.instance(8).rho)


def test_features_have_variance_one_over_d() -> None:
    w = PLRF(alpha=1.0, beta=0.7, d=200, v=1000).features(0)
    assert w.shape == (1000, 200)
    assert abs(w.var() * 200 - 1) < 5 * math.sqrt(2 / w.size)


def test_trace_is_the_mean_trace_of_the_covariance() -> None:
    """E tr K = sum_j j^(-2 alpha) exactly."""
    model = PLRF(alpha=0.7, beta=0.7, d=50, v=100)
    traces = np.array([model.instance(i).eigenvalues.sum() for i in range(60)])
    assert abs(traces.mean() - model.trace) < 4 * traces.std(ddof=1) / math.sqrt(60)
    assert model.trace == pytest.approx(np.sum(np.arange(1.0, 101.0) ** -1.4), rel=1e-13)


def test_infinite_data_dimension() -> None:
    model = PLRF(alpha=1.0, beta=0.7, d=100, v=math.inf)
    assert model.trace == pytest.approx(math.pi**2 / 6, rel=1e-13)
    huge = PLRF(alpha=1.0, beta=0.7, d=100, v=10**15)
    assert model.initial_risk == pytest.approx(huge.initial_risk, rel=1e-13)
    assert PLRF.from_dict(json.loads(json.dumps(model.to_dict()))) == model


def test_round_trips_and_hashes() -> None:
    for model in (
        PLRF(alpha=1.0, beta=0.7, d=100, label_noise=0.1),
        GaussianLeastSquares([0.25, 1.0], [1.0, -2.0], label_noise=0.5),
    ):
        again = from_dict(json.loads(json.dumps(model.to_dict())))
        assert again == model
        assert hash(again) == hash(model)
    assert PLRF(alpha=1, beta=0.7, d=100).v == 400
    assert GaussianLeastSquares([1.0], [1.0]) != GaussianLeastSquares([1.0], [1.1])


def test_least_squares_sorts_and_keeps_pairs() -> None:
    one = GaussianLeastSquares([0.25, 1.0], [3.0, -2.0], label_noise=0.5).instance()
    np.testing.assert_array_equal(one.eigenvalues, [1.0, 0.25])
    np.testing.assert_array_equal(one.rho, [2.0, -3.0])
    assert one.initial_risk == 13.5


def test_instance_memory_is_one_copy_of_the_features() -> None:
    model = PLRF(alpha=1.0, beta=0.7, d=200, v=10_000)
    tracemalloc.start()
    model.instance(0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * (10_000 * 201 + 8 * 200**2) * 1.3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"alpha": 0.0, "beta": 0.7, "d": 10}, "alpha = 0.0: must be > 0"),
        ({"alpha": math.nan, "beta": 0.7, "d": 10}, "alpha = nan: must be a finite number"),
        ({"alpha": "1", "beta": 0.7, "d": 10}, "alpha = '1': must be a finite number"),
        ({"alpha": 1.0, "beta": 0.7, "d": 10, "v": 9}, "d = 10: must not exceed v = 9"),
        ({"alpha": 1.0, "beta": 0.7, "d": 10.5}, "d = 10.5: must be an integer >= 1"),
        ({"alpha": 1.0, "beta": 0.7, "d": 10, "label_noise": -1.0}, "label_noise = -1.0: must be >= 0"),
        ({"alpha": 1.0, "beta": -0.6, "d": 10, "v": math.inf}, "must exceed 1 for v = infinity"),
        (
            {"alpha": 0.4, "beta": 0.7, "d": 10, "v": math.inf},
            "2 alpha = 0.8: must exceed 1 for v = infinity",
        ),
    ],
)
def test_plrf_refuses(arguments: dict[str, float], sentence: str) -> None:
    with pytest.raises(InputError, match="=") as error:
        PLRF(**arguments)  # type: ignore[arg-type]
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_plrf_refuses_features_that_do_not_fit() -> None:
    for v in (10**12, math.inf):
        with pytest.raises(InputError, match=f"more than {MAX_ENTRIES} entries"):
            PLRF(alpha=1.0, beta=0.7, d=1000, v=v).instance(0)


@pytest.mark.parametrize(
    ("spectrum", "target", "sentence"),
    [
        ([1.0, math.nan], [1.0, 1.0], "spectrum = .*must be finite numbers"),
        ([1.0, -0.1], [1.0, 1.0], "spectrum = .*must be >= 0"),
        ([0.0, 0.0], [1.0, 1.0], "spectrum = .*must have a positive eigenvalue"),
        ([1.0, 0.5], [1.0], "target = .*must have the shape of spectrum"),
        ([[1.0]], [1.0], "spectrum = .*one-dimensional"),
        (["a"], [1.0], "spectrum = .*must be an array of numbers"),
    ],
)
def test_least_squares_refuses(spectrum: list[float], target: list[float], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        GaussianLeastSquares(spectrum, target)
