"""The named models: published numbers, direct quadrature, gradients drawn at random, and simulated runs."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from scalinglaws import schedules
from scalinglaws.errors import InputError
from scalinglaws.models import PLRF, GaussianLeastSquares
from scalinglaws.optimizers import SGD, BatchSchedule, relative_lr
from scalinglaws.simulation import simulate_many
from scalinglaws.steps import log_steps
from scalinglaws.theory import dynamics
from scalinglaws.theory.dynamics.functional import power_law_sums
from tests.naive.dynamics import energies, functional
from tests.theory.cases import PHASES

FITTED = Path(__file__).parents[2] / ".." / "shared" / "data" / "nqs" / "fitted_nqs.json"
README = {"p": 1.117, "q": 0.588, "P": 3.581, "Q": 0.936, "e_irr": 0.449, "R": 4.283, "r": 1.485}
END = 1500
SCHEDULES = {
    "constant": schedules.constant(0.5),
    "linear": schedules.linear(0.6, END),
    "cosine": schedules.cosine(0.6, END),
    "wsd": schedules.wsd(0.5, END, decay=0.3),
    "two_stage": schedules.two_stage(0.6, END, at=700, rate=0.2),
    "warmup": schedules.cosine(0.7, END, warmup=200),
}


@pytest.mark.parametrize("phase", ["Ia", "II", "IVa"])
def test_mean_of_simulated_runs(phase: str) -> None:
    """Within four standard errors at every recorded step, under every schedule; a batch that jumps under half."""
    alpha, beta = PHASES[phase]
    model, steps = PLRF(alpha=alpha, beta=beta, d=40, v=160), log_steps(END, 5)
    batches = [1, BatchSchedule((0, 400), (1, 4))]
    opts = [SGD(relative_lr(shape), batches[i % 2]) for i, shape in enumerate(SCHEDULES.values())]
    runs = simulate_many([(model, opt) for opt in opts], steps, rngs=[7] * len(opts), replicates=250, workers=1)
    expected = dynamics.sweep(dynamics.plrf(model, rng=7), opts, steps)
    for name, ds, curve in zip(SCHEDULES, runs, expected, strict=True):
        risk = ds["risk"].values
        error = risk.std(axis=0, ddof=1) / np.sqrt(risk.shape[0])
        assert np.all(abs(risk.mean(axis=0) - curve) < 4 * error), name
        assert np.median(error / curve) < 0.06, name  # the comparison says something


def test_ornstein_uhlenbeck() -> None:
    """h = 0.5, lr = 0.1, Sigma = 2: stationary, and after 50 steps from w^2 = 1."""
    still, moved = dynamics.quadratic([0.5], [0.0], [2.0]), dynamics.quadratic([0.5], [1.0], [2.0])
    stationary = 0.1 * 2.0 / (4.0 - 2.0 * 0.1 * 0.5)
    assert dynamics.integrate(still, 0.1, [10_000])["loss"].item() == pytest.approx(stationary, rel=1e-12)
    assert dynamics.integrate(still.as_flow(), 0.1, [10_000])["loss"].item() == pytest.approx(0.05, rel=1e-9)
    assert dynamics.integrate(moved, 0.1, [50])["loss"].item() == pytest.approx(0.0524586, abs=1e-7)
    assert dynamics.integrate(moved.as_flow(), 0.1, [50])["loss"].item() == pytest.approx(0.0513476, abs=1e-7)


def test_covariance_of_sampled_gradients() -> None:
    """Tr Sigma = (P Tr K + |K w|^2) / B with P = 2 L, from mini-batches of Gaussian features."""
    rng = np.random.default_rng(0)
    spectrum, target, noise, batch = np.array([1.0, 0.5, 0.1]), np.array([0.6, -0.4, 0.3]), 0.2, 3
    modes = dynamics.plrf(GaussianLeastSquares(spectrum, target, noise))
    draws = 200_000
    features = rng.standard_normal((draws, batch, 3)) * np.sqrt(spectrum)
    residual = features @ (-target / np.sqrt(spectrum)) + np.sqrt(noise) * rng.standard_normal((draws, batch))
    gradient = (residual[..., None] * features).mean(axis=1)
    squares = ((gradient - gradient.mean(axis=0)) ** 2).sum(axis=1)
    error = squares.std(ddof=1) / np.sqrt(draws)
    exact = float(modes.gradient_noise_trace(modes.initial, batch))
    assert abs(squares.mean() - exact) < 4 * error
    assert error < 0.01 * exact


def test_trace_along_the_curve_from_exact_moments() -> None:
    """Check 18 on the way: the mean over runs of (P Tr K + |K w|^2) / B, every moment in plain loops."""
    model = GaussianLeastSquares([1.0, 0.3, 0.05], [1.0, -0.5, 0.4], label_noise=0.1)
    modes, schedule, steps = dynamics.plrf(model), schedules.cosine(0.4, 800), [0, 5, 300, 799]
    ds = dynamics.integrate(modes, schedule, steps, batch=2)
    lr = lambda t: float(schedule(t))  # noqa: E731
    slow = np.array(energies(modes.rates, modes.initial, modes.source, modes.drive, 1.0, lr, lambda t: 2, steps))
    risk = 0.1 + slow[:, 0] + slow[:, 1]
    np.testing.assert_allclose(ds["noise_trace"], (risk * 1.35 + slow[:, 2]) / 2, rtol=1e-9)


def test_published_example_of_the_noisy_quadratic_system() -> None:
    modes = dynamics.noisy_quadratic(64_000_000, **README)
    assert dynamics.integrate(modes, 1.999, [10_000], batch=2048)["loss"].item() == pytest.approx(2.4319861, abs=1e-7)


@pytest.mark.skipif(not FITTED.exists(), reason="needs the published fit")
def test_published_fit_of_the_noisy_quadratic_system() -> None:
    modes = dynamics.noisy_quadratic(64_000_000, **json.loads(FITTED.read_text(encoding="utf-8")))
    assert dynamics.integrate(modes, 1.999, [135_200], batch=9134)["loss"].item() == pytest.approx(2.3215929, abs=1e-7)


@pytest.mark.parametrize("q", [0.588, 1.3, 2.5])
def test_compressed_directions_equal_all_of_them(q: float) -> None:
    """Rates and batches in pieces, every direction and step in plain loops."""
    size, steps = 2000, [0, 1, 30, 100, 180]
    modes = dynamics.noisy_quadratic(size, **(README | {"q": q}))
    schedule = schedules.stages(1.9, 180, at=[40, 120], rates=[0.5, 0.1])
    batch = BatchSchedule((0, 90), (4, 32))
    n = np.arange(1.0, size + 1.0)
    eigenvalue, noise = README["Q"] * n**-q, README["R"] * n ** -README["r"]
    initial, source = 0.5 * README["P"] * n ** -README["p"], 0.5 * eigenvalue * noise
    lr, sizes = (lambda t: float(schedule(t))), (lambda t: int(batch(t)))
    slow = np.array(energies(eigenvalue, initial, source, (1.0, 0.0, 0.0), 0.0, lr, sizes, steps))
    ds = dynamics.integrate(modes, schedule, steps, batch=batch)
    np.testing.assert_allclose(ds["forcing"], slow[:, 0], rtol=1e-9)
    np.testing.assert_allclose(ds["noise"], slow[:, 1], rtol=1e-9)
    np.testing.assert_allclose(ds["noise_trace"], noise.sum() / batch(steps), rtol=1e-9)
    tail = 0.5 * README["P"] * (np.arange(size + 1.0, 10**6) ** -README["p"]).sum()
    tail += 0.5 * README["P"] * (10**6 - 0.5) ** (1 - README["p"]) / (README["p"] - 1)
    assert ds["floor"].item() == pytest.approx(README["e_irr"] + tail, rel=1e-9)


def test_a_noisy_quadratic_system_needs_a_finite_initial_loss() -> None:
    with pytest.raises(InputError, match=r"p = 1.0: must exceed 1"):
        dynamics.noisy_quadratic(1000, **(README | {"p": 1.0}))
    with pytest.raises(InputError, match=r"size = 0: must be an integer"):
        dynamics.noisy_quadratic(0, **README)
    with pytest.raises(InputError, match=r"R = -1.0: must be a finite number"):
        dynamics.noisy_quadratic(1000, **(README | {"R": -1.0}))


@pytest.mark.parametrize("rtol", [1e-6, 1e-10, 1e-12])
@pytest.mark.parametrize("exponents", [(0.1, 1.9), (0.3, 1.75), (1.5, 1.2), (3.0, 1.01)])
def test_power_laws_as_sums_of_exponentials(exponents: tuple[float, ...], rtol: float) -> None:
    times = np.concatenate([[0.0], np.geomspace(1e-3, 1e9, 300)])
    x, weights = power_law_sums(exponents, 1e9, rtol)
    for a, w in zip(exponents, weights, strict=True):
        error = np.exp(-np.multiply.outer(times, x)) @ w * (1.0 + times) ** a - 1.0
        assert abs(error).max() < rtol


@pytest.mark.parametrize(("s", "beta", "label_noise"), [(0.5, 2.0, 0.0), (0.3, 4.0, 0.5), (1.5, 1.5, 1.0)])
def test_functional_law_equals_its_integral(s: float, beta: float, label_noise: float) -> None:
    """Two stages of the rate and of the batch, at different steps, by quadrature of the memory."""
    law = dynamics.functional(s, beta, label_noise=label_noise, size=100.0)
    schedule, batch = schedules.two_stage(0.5, 4000, at=1000, rate=0.1), BatchSchedule((0, 2000), (2, 8))
    steps = [0, 1, 500, 1000, 1001, 1900, 4000]
    ds = dynamics.integrate(law, schedule, steps, batch=batch)
    floor = 100.0 ** (-s * beta) + 0.5 * label_noise
    for step, loss in zip(steps, ds["loss"].values, strict=True):
        edges = [0, *(edge for edge in (1000, 2000) if edge < step), step]
        pieces = [((b - a) * float(schedule(a)), float(schedule(a)), float(batch(a))) for a, b in pairwise(edges)]
        assert loss - floor == pytest.approx(functional(s, beta, label_noise, pieces), rel=2e-9)


def test_functional_law_of_a_constant_rate_settles_at_its_power_laws() -> None:
    """Late: (lr t)^-s plus noise of order lr sigma^2 / B, here with K integrating to 1 / (1 - 1/beta)."""
    law = dynamics.functional(0.5, 2.0, label_noise=1.0, horizon=1e13)
    loss = dynamics.integrate(law, 0.01, [10**14], batch=10)["noise"].item()
    assert loss == pytest.approx(0.001 / (1 - 1 / 2.0), rel=1e-4)
