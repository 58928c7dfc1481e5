"""Equations (11), (13), (14) and (16) of arXiv 2507.02119: the flow, and its limits with measured orders."""

import numpy as np
import pytest

from scalinglaws import schedules
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD, relative_lr
from scalinglaws.theory import dynamics
from tests.naive.dynamics import flow, flow_with_feedback

H, W, SIGMA = np.array([1.0, 0.3, 0.02]), np.array([1.0, -2.0, 3.0]), np.array([2.0, 0.5, 0.3])
MODES = dynamics.quadratic(H, W, SIGMA)
FLOW = MODES.as_flow()


def order(errors: list[float], factor: float) -> float:
    """Exponent with which errors fall when a parameter falls by `factor` each time."""
    return float(np.polyfit(np.arange(len(errors)), np.log(errors), 1)[0] / -np.log(factor))


def test_flow_is_equation_11() -> None:
    """Two rates, jumping inside the run; the memory integral by quadrature on each side of the jump."""
    schedule = schedules.two_stage(0.1, 900, at=300, rate=0.3)
    ds = dynamics.integrate(FLOW, schedule, [0, 100, 300, 400, 900])
    for tau, loss in zip(ds["tau"].values, ds["loss"].values, strict=True):
        early = flow(H, W, lambda k, s: SIGMA[k], lambda s: 0.1, min(tau, 30.0))
        if tau > 30.0:
            before = early - flow(H, W, lambda k, s: 0.0, lambda s: 0.0, 30.0)
            late = flow(H, W, lambda k, s: SIGMA[k], lambda s: 0.03, tau - 30.0)
            quiet = flow(H, W, lambda k, s: 0.0, lambda s: 0.0, tau - 30.0)
            grown = 0.25 * 0.1 * SIGMA * -np.expm1(-2 * H * 30.0)  # equation (13) is exact at a constant rate
            assert before == pytest.approx(grown.sum(), rel=1e-9)
            kept = (grown * np.exp(-2 * H * (tau - 30.0))).sum()
            early = flow(H, W, lambda k, s: 0.0, lambda s: 0.0, tau) + kept + late - quiet
        assert loss == pytest.approx(early, rel=1e-8)


@pytest.mark.parametrize("drive", [(0.1, 1.0, 1.0), (0.1, 1.0, 0.0), (1.0, 0.0, 0.0)])
def test_flow_equals_an_ordinary_differential_equation(drive: tuple[float, float, float]) -> None:
    """Every kind of feedback under a cosine, by a general-purpose solver."""
    modes = dynamics.NoiseModel(
        rates=H,
        initial=0.5 * H * W**2,
        source=H**2,
        floor=0.1,
        drive=dynamics.Drive(*drive),
        own=1.0,
        quantity="loss",
        flow=True,
    )
    end, steps = 2000, [1, 10, 100, 500, 1999, 2000]
    ds = dynamics.integrate(modes, schedules.cosine(0.4, end), steps, batch=2, rtol=1e-11)
    lr = lambda t: 0.2 * (1.0 + np.cos(np.pi * t / end))  # noqa: E731
    slow = flow_with_feedback(H, 0.5 * H * W**2, H**2, drive, 1.0, lr, 2.0, steps)
    np.testing.assert_allclose(ds["forcing"], slow[:, 0], rtol=1e-8)
    np.testing.assert_allclose(ds["noise"], slow[:, 1], rtol=1e-8)


def test_flow_keeps_the_time_of_the_steps() -> None:
    """The rate of an update stands in the middle of its step, so that tau is the sum of the rates."""
    steps = [0, 1, 10, 37, 38, 500, 999, 1000, 1200]
    for schedule in (
        schedules.linear(0.1, 1000, warmup=37),
        schedules.wsd(0.1, 1000),
        schedules.eight_one_one(0.1, 1000),
    ):
        for modes in (MODES, FLOW):
            tau = dynamics.integrate(modes, schedule, steps)["tau"].values
            np.testing.assert_allclose(tau, schedule.tau(steps), rtol=1e-9)


@pytest.mark.parametrize("modes", [MODES, dynamics.plrf(PLRF(alpha=1.0, beta=0.7, d=30, label_noise=0.1), rng=0)])
def test_flow_is_the_limit_of_small_rates_at_equal_tau(modes: dynamics.NoiseModel) -> None:
    """First order in lr for the forcing; the noise itself is of order lr, so its error is of the second."""
    forcing, noise = [], []
    for steps in (1000, 2000, 4000, 8000):
        schedule = schedules.cosine(20.0 / steps, steps)
        sgd, sde = (dynamics.integrate(m, schedule, [steps // 2]) for m in (modes, modes.as_flow()))
        assert sgd["tau"].item() == pytest.approx(sde["tau"].item(), rel=1e-5)
        forcing.append(abs(sgd["forcing"] - sde["forcing"]).item())
        noise.append(abs(sgd["noise"] - sde["noise"]).item())
    assert order(forcing, 2.0) == pytest.approx(1.0, abs=0.1)
    assert order(noise, 2.0) == pytest.approx(2.0, abs=0.2)


def test_equation_13_when_the_schedule_is_slow() -> None:
    """Error of first order in the relative change of the rate over a mode's memory; exact at a constant rate."""
    errors = []
    for steps in (10_000, 20_000, 40_000, 80_000):
        ds = dynamics.integrate(FLOW, schedules.linear(0.1, steps), [steps // 2])
        slow = dynamics.slow_noise(ds["lr"].values, ds["tau"].values, H, SIGMA)
        errors.append(abs(ds["noise"].values / slow - 1).item())
    assert order(errors, 2.0) == pytest.approx(1.0, abs=0.1)
    assert errors[-1] < 0.02
    ds = dynamics.integrate(FLOW, 0.1, [10, 1000])
    np.testing.assert_allclose(ds["noise"], dynamics.slow_noise(0.1, ds["tau"].values, H, SIGMA), rtol=1e-8)


def test_equation_14_after_the_start_is_forgotten() -> None:
    """Equation (13) tends to (14) like e^(-2 h tau) of the slowest mode."""
    ds = dynamics.integrate(FLOW, 0.1, [1000, 2000, 4000])
    late = dynamics.late_noise(0.1, ds["noise_trace"].values)
    left = (late - ds["noise"].values) / (0.25 * 0.1 * SIGMA[-1])
    np.testing.assert_allclose(left, np.exp(-2 * H[-1] * ds["tau"].values), rtol=1e-5, atol=1e-8)


def test_equation_16_transfers_between_schedules_at_equal_tau() -> None:
    """From a constant rate to a slow linear decay, noise of constant covariance: alpha = 1/4, first order."""
    errors = []
    for steps in (20_000, 40_000, 80_000):
        schedule = schedules.linear(0.1, steps)
        target = dynamics.integrate(FLOW, schedule, [3 * steps // 4])
        at = round(target["tau"].item() / 0.1)
        reference = dynamics.integrate(FLOW, 0.1, [at])
        guess = dynamics.transfer(reference["loss"], reference["lr"], target["lr"], target["noise_trace"])
        shift = abs(target["loss"].values - reference["loss"].values).item()
        errors.append(abs(guess - target["loss"].values).item() / shift)
        full = dynamics.full_transfer(
            reference["loss"], reference["lr"], reference["noise_trace"], target["lr"], target["noise_trace"]
        )
        np.testing.assert_allclose(full, guess, rtol=1e-12)  # the same where the covariance is constant
    assert order(errors, 2.0) == pytest.approx(1.0, abs=0.15)
    assert errors[-1] < 0.03


def test_equation_16_in_random_features() -> None:
    """Noise that feeds back: a risk moves by twice alpha, and alpha tends to 1/4 with the rate, from above.

    Keeping the change of the covariance (equation 15) leaves a smaller error of the same order here.
    """
    model = PLRF(alpha=1.0, beta=0.7, d=30, label_noise=0.1)
    modes, errors, full_errors = dynamics.plrf(model, rng=0), [], []
    for scale in (0.08, 0.04, 0.02, 0.01):
        steps = int(5e4 / scale)
        target = dynamics.integrate(modes, SGD(relative_lr(schedules.linear(scale, steps))), [steps // 2])
        reference = dynamics.integrate(modes, scale / model.trace, [round(target["tau"].item() / scale * model.trace)])
        noises = [(ds["lr"].item(), ds["noise_trace"].item()) for ds in (reference, target)]
        (lr, trace), (target_lr, target_trace) = noises
        moved = 0.5 * (target["risk"].item() - reference["risk"].item())
        errors.append(moved / dynamics.transfer(0.0, lr, target_lr, target_trace, alpha=1.0).item() - 0.25)
        full = dynamics.full_transfer(0.0, lr, trace, target_lr, target_trace, alpha=1.0)
        full_errors.append(moved / full.item() - 0.25)
    assert order(errors, 2.0) == pytest.approx(1.0, abs=0.15)
    assert order(full_errors, 2.0) == pytest.approx(1.0, abs=0.15)
    assert 0.0 < full_errors[-1] < errors[-1] < 0.004


def test_steps_differ_from_their_flow_where_rates_are_large() -> None:
    """The square of lr z matters: this is why the default is the difference equation."""
    modes = dynamics.quadratic([1.0], [0.0], [1.0])
    sgd, sde = (dynamics.integrate(m, 1.0, [1000])["loss"].item() for m in (modes, modes.as_flow()))
    assert sgd == pytest.approx(0.5)
    assert sde == pytest.approx(0.25)
