import json
import math
import tracemalloc

import numpy as np
import pytest

from scalinglaws import schedules
from scalinglaws._random import restore
from scalinglaws.errors import InputError
from scalinglaws.models import PLRF, GaussianLeastSquares, from_dict
from scalinglaws.optimizers import SGD, relative_lr
from scalinglaws.steps import log_steps
from scalinglaws.theory.limit import feature_limit
from scalinglaws.theory.solve import solve
from tests.theory.cases import PHASES

MODEL = PLRF(alpha=1.0, beta=0.7, d=100)
PARTS = ("irreducible", "pure_point", "absolutely_continuous", "noise")
RATES = {"constant": SGD(relative_lr(0.5), 2), "cosine": SGD(relative_lr(schedules.cosine(0.5, 3000)), 2)}


@pytest.mark.parametrize("method", ["deterministic", "instance"])
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("phase", PHASES)
def test_components_add_up(method: str, rate: str, phase: str) -> None:
    model = PLRF(*PHASES[phase], d=100, label_noise=0.01)
    ds = solve(model, RATES[rate], [0, 1, 30, 1000, 3000], method=method, rng=0, components=True)
    total = sum(ds[name] for name in PARTS)
    np.testing.assert_allclose(total, ds["risk"], rtol=1e-12)
    assert ds["pure_point"].values[0] > 0
    assert np.all(np.diff(ds["pure_point"].values) <= 0)
    assert ds["noise"].values[0] == pytest.approx(0.0, abs=1e-12)


def test_components_are_the_terms_of_the_four_term_estimate() -> None:
    """Phase III, d <= r <= d^(2 alpha): F_pp, F_ac, F_0 by their closed forms, noise by K_pp / (lr B)."""
    alpha, beta, d = 1.0, 1.5, 10**6
    model = PLRF(alpha=alpha, beta=beta, d=d)
    ds = solve(model, SGD(relative_lr(0.1)), [10**4, 10**8], components=True)
    lr, half = 0.1 / model.trace, 1 / (2 * alpha)
    x = 2 * lr * ds["step"].values.astype(float)
    pure = half * math.gamma(beta / alpha - half + 1) * x ** (-(1 + beta / alpha) + half)
    continuous = float(np.sum(np.arange(1.0, 1e6) ** (-2 * beta))) * half / d * math.gamma(1 - half) * x ** (half - 1)
    kernel = lr * half * math.gamma(2 - half) * x ** (half - 2)
    assert ds["irreducible"].item() == pytest.approx(feature_limit(model).irreducible, rel=1e-14)
    assert ds["pure_point"].values[0] == pytest.approx(pure[0], rel=0.02)
    assert ds["absolutely_continuous"].values[1] == pytest.approx(continuous[1], rel=0.02)
    amplified = 1 / (1 - model.trace * lr / 2) ** 2
    assert ds["noise"].values[0] == pytest.approx(amplified * kernel[0] * initial_sum(model, lr), rel=0.08)


def initial_sum(model: PLRF, lr: float) -> float:
    """sum_r F_pp(r) * lr: what the noise kernel is multiplied with, to leading order in lr."""
    j = np.arange(1.0, 1e6)
    return float(np.sum(j ** (-2 * model.beta) / (2 - 2 * lr * j ** (-2 * model.alpha))))


def test_dataset_describes_itself() -> None:
    ds = solve(MODEL, SGD(0.1, 4), log_steps(1000, 5, zero=True), method="instance", rng=7)
    assert ds["risk"].dims == ("step",)
    np.testing.assert_allclose(ds["flops"], 100 * 4 * ds["step"])
    np.testing.assert_allclose(ds["lr"], 0.1)
    assert ds["status"].item() == "finished"
    assert from_dict(json.loads(ds.attrs["model"])) == MODEL
    assert SGD.from_dict(json.loads(ds.attrs["optimizer"])) == SGD(0.1, 4)
    again = solve(MODEL, SGD(0.1, 4), ds["step"].values, method="instance", rng=restore(ds.attrs["rng"]))
    np.testing.assert_array_equal(again["risk"], ds["risk"])
    assert "rng" not in solve(MODEL, SGD(0.1), [1]).attrs


def test_zero_rate_stays() -> None:
    for opt in (SGD(0.0), SGD(schedules.cosine(0.0, 10))):
        for method in ("deterministic", "instance"):
            ds = solve(MODEL, opt, [0, 5, 10**9], method=method, rng=0, components=True)
            np.testing.assert_allclose(ds["risk"], MODEL.initial_risk, rtol=1e-12)
            np.testing.assert_allclose(sum(ds[name] for name in PARTS), ds["risk"], rtol=1e-12)


def test_methods_agree_for_a_model_without_randomness() -> None:
    model = GaussianLeastSquares([1.0, 0.5, 0.1], [1.0, 1.0, 1.0], 0.1)
    one, two = (solve(model, SGD(0.2), [0, 5, 50], method=m) for m in ("deterministic", "instance"))
    np.testing.assert_array_equal(one["risk"], two["risk"])


def test_square_features_have_an_instance() -> None:
    ds = solve(PLRF(1.0, 0.7, 30, 30), SGD(0.1), [0, 10], method="instance", rng=0, components=True)
    assert ds["irreducible"].item() == 0.0
    np.testing.assert_allclose(sum(ds[name] for name in PARTS), ds["risk"], rtol=1e-12)


@pytest.mark.parametrize("phase", PHASES)
def test_risk_is_smooth_in_size_and_time(phase: str) -> None:
    """No seams: second differences of log risk over log d and log t stay small from 1e3 to 1e12."""
    alpha, beta = PHASES[phase]
    steps = log_steps(1e12, per_decade=4)[20:]
    sizes = [int(10 ** (k / 2)) for k in range(6, 25)]
    curves = [solve(PLRF(alpha, beta, d), SGD(relative_lr(0.5)), steps)["risk"].values for d in sizes]
    bends = np.log(np.array(curves))
    assert abs(np.diff(bends, 2, axis=0)).max() < 2.0
    assert abs(np.diff(bends, 2, axis=1)).max() < 1.0
    assert np.all(np.diff(bends, axis=1) <= 1e-12)


def test_memory_at_very_large_size() -> None:
    model = PLRF(alpha=1.0, beta=0.7, d=10**12)
    tracemalloc.start()
    ds = solve(model, SGD(relative_lr(0.5)), log_steps(1e15, per_decade=14), components=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
    assert np.isfinite(ds["risk"]).all()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: solve(MODEL, SGD(0.1), [1], method="exact"), "method = 'exact': must be one of"),
        (lambda: solve(MODEL, SGD(0.1), [3, 2]), "must be strictly increasing"),
        (lambda: solve("PLRF", SGD(0.1), [1]), "model = 'PLRF': must be a PLRF or a GaussianLeastSquares"),
        (lambda: solve(MODEL, 0.1, [1]), "opt = 0.1: must be an SGD"),
        (lambda: solve(PLRF(1.0, 0.7, 10, 10), SGD(0.1), [1]), "v = 10: must exceed d = 10"),
        (
            lambda: solve(PLRF(1.0, 0.7, 10**5), SGD(0.1), [1], method="instance"),
            "more than 268435456 entries",
        ),
        (lambda: solve(MODEL, SGD(0.1), [1], method="instance", rng="x"), "rng = 'x'"),
    ],
)
def test_bad_input_is_one_sentence(call: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as error:
        call()  # type: ignore[operator]
    assert "\n" not in str(error.value)
