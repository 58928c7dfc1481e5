"""Given the features: the secular equation against the recursion, and both against plain loops."""

import numpy as np
import pytest

from scalinglaws import schedules
from scalinglaws.models import PLRF, GaussianLeastSquares
from scalinglaws.optimizers import SGD, BatchSchedule, relative_lr
from scalinglaws.theory.modes import instance_modes
from scalinglaws.theory.secular import instance_curves
from scalinglaws.theory.solve import solve
from scalinglaws.theory.stability import critical_lr
from scalinglaws.theory.stepping import recursion
from tests.naive import plrf as naive
from tests.theory.cases import PHASES, power_law

STEPS = [0, 1, 10, 100, 1000, 10_000, 100_000]


@pytest.mark.parametrize(
    ("case", "batch", "lr", "label_noise", "expected"),
    [
        (
            (1, 0.7, 100),
            1,
            0.305813408892563,
            0.0,
            [
                1.138657250802,
                0.8138734137292,
                0.1047905216250,
                5.697875711517e-3,
                3.269284862393e-4,
                1.311858247373e-5,
                4.854801041e-9,
            ],
        ),
        (
            (1, 0.7, 100),
            1,
            0.305813408892563,
            1e-3,
            [
                1.139657250802,
                0.8149746345599,
                0.1061405380454,
                7.136968616e-3,
                1.792006276e-3,
                1.485882097e-3,
                1.473794753e-3,
            ],
        ),
        (
            (0.7, 0.7, 200),
            4,
            0.178217151951244,
            0.0,
            [None, 0.5694369319139, 0.04143398636782, 2.287336253e-3, 7.207417063e-5],
        ),
        (
            (0.4, 1, 200),
            1,
            0.0500166588799343,
            0.0,
            [None, 1.147569881654, 0.5615004475779, 0.02188776275528, 7.253930398e-4],
        ),
    ],
)
def test_published_curves(
    case: tuple[float, float, int], batch: int, lr: float, label_noise: float, expected: list[float | None]
) -> None:
    model = power_law(*case, label_noise)
    risk = solve(model, SGD(lr, batch), STEPS[: len(expected)])["risk"].values
    for found, value in zip(risk, expected, strict=True):
        if value is not None:
            assert found == pytest.approx(value, rel=1e-9 if value < 1e-2 else 1e-10)


def test_published_kernel_norm_and_limit() -> None:
    model = power_law(1, 0.7, 100, 1e-3)
    lr = 0.5 / model.trace
    norm = np.sum(lr * model.spectrum / (2 - 2 * lr * model.spectrum))
    assert norm == pytest.approx(0.321477509857, rel=1e-11)
    risk = solve(model, SGD(lr), [10**15])["risk"].item()
    assert risk == pytest.approx(1e-3 / (1 - norm), rel=1e-12)
    assert risk == pytest.approx(1.47379475e-3, rel=5e-6)  # published after 1e5 steps, 3e-6 above the limit


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(("batch", "factor"), [(1, 0.5), (16, 0.98), (4, 1.05)])
def test_exponentials_equal_the_recursion(phase: str, batch: int, factor: float) -> None:
    model = PLRF(*PHASES[phase], d=120, label_noise=1e-3)
    one, lr = model.instance(1), factor * critical_lr(model, batch, method="instance", rng=1)
    steps = np.array([0, 1, 2, 5, 30, 100, 1000, 20_000] if factor < 1 else [0, 1, 2, 5, 30, 100])
    risk, forcing, _ = recursion(instance_modes(one), SGD(lr, batch).resolve(model), steps)
    curves = instance_curves(one, lr, batch)
    np.testing.assert_allclose(curves.risk(steps), risk, rtol=1e-10)
    np.testing.assert_allclose(curves.forcing(steps), forcing, rtol=1e-10)


def test_recursion_equals_plain_loops_under_schedules() -> None:
    model = PLRF(alpha=0.7, beta=0.7, d=12, label_noise=0.1)
    opt = SGD(schedules.wsd(0.2, 90, warmup=10, cooldown="sqrt"), BatchSchedule((0, 40), (1, 3)))
    steps = [0, 1, 9, 10, 11, 39, 40, 41, 72, 89, 90, 120]
    one, resolved = model.instance(0), opt.resolve(model)
    expected = naive.moments(
        one.eigenvalues.tolist(),
        (one.rho**2).tolist(),
        one.irreducible,
        lambda t: float(resolved.rate(t)),
        lambda t: int(resolved.batch_at(t)),
        steps,
    )
    found = solve(model, opt, steps, method="instance", rng=0)["risk"].values
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_very_late_times_with_decay_rates_below_rounding() -> None:
    """Eigenvalues down to 1e-24: one minus the decay per step is 1 in floating point."""
    model = GaussianLeastSquares([1.0, 1e-12, 1e-18, 1e-24], [1.0, 1e-3, 1e-4, 1e-5])
    steps = np.array([10**6, 10**12, 10**17, 10**18])
    risk = solve(model, SGD(0.1), steps)["risk"].values
    # the first mode has died; the others neither feel noise nor each other beyond 1e-12
    alone = np.exp(-0.2 * np.multiply.outer(steps.astype(float), [1e-12, 1e-18, 1e-24])) @ [1e-6, 1e-8, 1e-10]
    amplified = 1 / (1 - 0.1 / (2 - 0.2))  # the settled first mode multiplies slow risk by 1/(1 - ||K||)
    np.testing.assert_allclose(risk[1:], amplified * alone[1:], rtol=1e-9)


def test_repeated_zero_and_folded_eigenvalues() -> None:
    """Equal eigenvalues merge, zero ones stay, and two may share a decay rate: lambda and 1/lr - lambda."""
    lr = 0.5
    model = GaussianLeastSquares([0.75, 0.75, 0.25, 0.25, 0.1, 0.0], [1.0, 2.0, 1.0, 0.5, 0.1, 3.0], 0.2)
    steps = [0, 1, 7, 50, 1000]
    one = model.instance()
    expected = naive.moments(one.eigenvalues.tolist(), (one.rho**2).tolist(), 0.2, lambda _: lr, lambda _: 1, steps)
    np.testing.assert_allclose(solve(model, SGD(lr), steps)["risk"].values, expected, rtol=1e-12)


def test_one_parameter_and_tiny_weights() -> None:
    steps = [0, 3, 100]
    for spectrum, target in (([2.0], [1.0]), ([1.0, 1e-160], [1.0, 1.0]), ([1e-9], [1.0])):
        model = GaussianLeastSquares(spectrum, target, 0.3)
        expected = naive.moments(spectrum, [t * t for t in target], 0.3, lambda _: 0.3, lambda _: 1, steps)
        np.testing.assert_allclose(solve(model, SGD(0.3), steps)["risk"].values, expected, rtol=1e-12)


def test_relative_rate_uses_the_expected_trace_on_instances_too() -> None:
    model = PLRF(alpha=0.4, beta=1.0, d=60)
    relative = solve(model, SGD(relative_lr(0.5), 2), [10], method="instance", rng=0)
    absolute = solve(model, SGD(0.25 / model.trace, 2), [10], method="instance", rng=0)
    assert relative["risk"].item() == pytest.approx(absolute["risk"].item(), rel=1e-13)
