"""Constant rates in the large-d limit: published numbers, the mpmath reference, averages over features."""

import math

import numpy as np
import pytest

from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD, relative_lr
from scalinglaws.theory.constant import ConstantRate
from scalinglaws.theory.curves import RiskCurves
from scalinglaws.theory.limit import feature_limit
from scalinglaws.theory.modes import limit_modes
from scalinglaws.theory.solve import solve
from scalinglaws.theory.stability import critical_lr
from tests.naive import plrf as naive
from tests.theory.cases import PHASES

STEPS = np.array([0, 1, 10, 100, 1000, 10_000])


def rate(model: PLRF, relative: float, batch: int = 1) -> ConstantRate:
    lr = relative / (batch * model.trace)
    return ConstantRate(limit=feature_limit(model), lr=lr, batch=batch, label_noise=model.label_noise)


PUBLISHED = {
    (1, 0.7, 400, 100): (
        0.304425644569,
        0.3234239153,
        [1.13816020, 0.702394189, 0.0581917838, 5.50571092e-3, 8.45158624e-4, 1.15674821e-4],
        [0.102804276, 0.0611943546, 2.77021381e-3, 8.60125034e-5, 2.56629117e-6, 5.43370439e-8],
        [1.13866354, 0.819957011, 0.114255020, 9.70936627e-3, 2.02087968e-3, 9.15655023e-4],
    ),
    (0.7, 0.7, 800, 200): (
        0.170466700451,
        0.2720942828,
        [1.24357033, 0.939244428, 0.146000339, 0.0112373059, 1.58867304e-3, 7.68974188e-5],
        [0.0374872604, 0.0282025594, 4.20209727e-3, 2.19510290e-4, 9.78516034e-6, 9.76811322e-8],
        [1.24702812, 0.989449888, 0.212865928, 0.0221301040, 7.03980050e-3, 4.85757276e-3],
    ),
    (0.4, 1, 800, 200): (
        0.0342433383101,
        0.2519879149,
        [1.19343579, 1.11968072, 0.642787729, 0.0366416572, 2.53347029e-3, 3.24785571e-7],
        None,
        [1.24702812, 1.17813011, 0.728389868, 0.122826990, 0.0753200952, 0.0716468057],
    ),
}


@pytest.mark.parametrize("case", PUBLISHED)
def test_published_forcing_kernel_and_risk(case: tuple[float, float, int, int]) -> None:
    alpha, beta, v, d = case
    lr, norm, forcing, kernel, risk = PUBLISHED[case]
    solver = rate(PLRF(alpha=alpha, beta=beta, d=d, v=v), 0.5)
    assert solver.lr == pytest.approx(lr, rel=1e-11)
    assert solver.kernel_norm == pytest.approx(norm, rel=1e-9)
    curves = solver.curves()
    floor = solver.limit.irreducible
    np.testing.assert_allclose(curves.forcing(STEPS) - floor, forcing, rtol=1e-6, atol=1e-13)
    np.testing.assert_allclose(curves.risk(STEPS), risk, rtol=1e-6)
    np.testing.assert_allclose(curves.forcing(STEPS) + curves.noise(STEPS), curves.risk(STEPS), rtol=1e-12)
    if kernel is not None:
        np.testing.assert_allclose(_kernel(solver, STEPS), kernel, rtol=1e-6)


def _kernel(solver: ConstantRate, steps: np.ndarray) -> np.ndarray:
    modes = limit_modes(solver.limit, 2.0 * solver.centre, 0.0)
    b, lr = solver.batch, solver.lr
    g = 1 - 2 * lr * b * modes.z + lr**2 * b * (b + 1) * modes.z**2
    return np.array([lr**2 * b * (modes.source * g**step).sum().real for step in steps.tolist()])


def test_published_risk_at_batch_8() -> None:
    model = PLRF(alpha=0.4, beta=1, d=200, v=800)
    solver = ConstantRate(limit=feature_limit(model), lr=0.0342433383101, batch=8, label_noise=0.0)
    expected = [0.770752905, 0.137782993, 0.0778158160, 0.0723936936, 0.0723911916]
    np.testing.assert_allclose(solver.curves().risk(STEPS[1:]), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("alpha", "d", "ratio", "batch", "steps"),
    [
        (0.3, 100, 4, 1, (1, 10, 10**6)),
        (1.5, 100, 2, 1, (1, 10**4)),
        (0.7, 10**5, 10, 8, (10**3, 10**11)),
        (1.0, 10**9, 4, 1, (10**7, 10**16)),
    ],
)
def test_against_mpmath(alpha: float, d: int, ratio: int, batch: int, steps: tuple[int, ...]) -> None:
    betas = (0.3, 0.7, 1.2)
    reference = naive.deterministic(alpha, betas, d, ratio * d, 0.5, batch, steps)
    for beta in betas:
        risk = rate(PLRF(alpha=alpha, beta=beta, d=d, v=ratio * d), 0.5, batch).curves().risk(np.array(steps))
        np.testing.assert_allclose(risk, reference[beta], rtol=1e-8)


@pytest.mark.parametrize(
    ("alpha", "beta", "step", "ratio"),
    [(1, 0.7, 10**3, 1.00042), (1, 0.7, 10**4, 0.99737), (1, 1.5, 10**3, 1.00346), (1, 1.5, 10**4, 0.99973)],
)
def test_asymptotic_forcing(alpha: float, beta: float, step: int, ratio: float) -> None:
    """F / (F_pp + F_ac) with the closed-form constants, in continuous time, where those are derived."""
    model = PLRF(alpha=alpha, beta=beta, d=10**5, v=10**6)
    solver = rate(model, 0.5)
    x, half = 2 * solver.lr * step, 1 / (2 * alpha)
    pure = half * math.gamma(beta / alpha - half + 1) * x ** (-(1 + beta / alpha) + half)
    c_beta = float(np.sum(np.arange(1.0, 1e6 + 1) ** (-2 * beta)))
    continuous = c_beta * half / model.d * math.gamma(1 - half) * x ** (-1 + half)
    curve = solver.curves().forcing
    forcing = (curve.weight * np.exp(curve.q * step)).sum().real - solver.limit.irreducible
    assert forcing / (pure + continuous) == pytest.approx(ratio, abs=1e-3)


@pytest.mark.parametrize(("step", "ratio"), [(10**3, 1.00188), (10**4, 1.00019), (10**5, 1.00002)])
def test_asymptotic_kernel(step: int, ratio: float) -> None:
    solver = rate(PLRF(alpha=1.0, beta=0.7, d=10**5, v=10**6), 0.5)
    modes = limit_modes(solver.limit, 2.0 * solver.centre, 0.0)
    decay = 2 * solver.lr * modes.z - 2 * solver.lr**2 * modes.z**2
    kernel = solver.lr**2 * (modes.source * np.exp(-decay * step)).sum().real
    pure = solver.lr**2 * 0.5 * math.gamma(1.5) * (2 * solver.lr * step) ** -1.5
    assert kernel / pure == pytest.approx(ratio, abs=2e-5)
    assert _kernel(solver, np.array([step]))[0] / pure == pytest.approx(1.0, abs=1e-5)  # discrete: closer


@pytest.mark.parametrize("phase", PHASES)
def test_average_over_features_is_the_limit(phase: str) -> None:
    """Mean of the instance curves over features against the curve that draws none, in every phase.

    The limit differs from the mean by O(1/d) of the risk, hence the 2/d beside four standard errors.
    """
    alpha, beta = PHASES[phase]
    model, opt = PLRF(alpha=alpha, beta=beta, d=100), SGD(relative_lr(0.5))
    steps, draws = [1, 10, 100, 1000, 10_000, 10**6], 24
    curves = np.array([solve(model, opt, steps, method="instance", rng=i)["risk"].values for i in range(draws)])
    limit = solve(model, opt, steps)["risk"].values
    error = curves.std(axis=0, ddof=1) / math.sqrt(draws)
    assert np.all(abs(curves.mean(axis=0) - limit) < 4 * error + 2 / model.d * limit)


@pytest.mark.parametrize(
    ("alpha", "beta", "v", "d", "mean", "error", "limit"),
    [
        (0.7, 0.7, 1600, 400, 1.370e-3, 0.020e-3, 1.3641e-3),
        (0.4, 1, 1600, 400, 3.181e-2, 0.061e-2, 3.1680e-2),
        (0.75, 0.25, 1000, 100, 4.281e-2, 0.070e-2, 4.2358e-2),
    ],
)
def test_mean_irreducible_risk(
    alpha: float, beta: float, v: int, d: int, mean: float, error: float, limit: float
) -> None:
    model = PLRF(alpha=alpha, beta=beta, d=d, v=v)
    exact = feature_limit(model).irreducible
    assert exact == pytest.approx(limit, rel=2e-4)
    assert abs(mean - exact) < 3 * error
    draws = np.array([model.instance(i).irreducible for i in range(6)])
    assert abs(draws.mean() - exact) < 4 * draws.std(ddof=1) / math.sqrt(6) + 2 / d * exact


@pytest.mark.parametrize(("alpha", "batch"), [(1.0, 1), (0.4, 64), (0.2, 1), (0.7, 4)])
@pytest.mark.parametrize("factor", [0.1, 0.9, 0.999, 1.001, 1.1, 3.0])
def test_around_the_threshold_against_the_plain_recursion(alpha: float, batch: int, factor: float) -> None:
    """The contour's own F(r) and K(r), put through the discrete Volterra equation step by step."""
    model = PLRF(alpha=alpha, beta=0.7, d=300, label_noise=0.05)
    lr = factor * critical_lr(model, batch)
    solver = ConstantRate(limit=feature_limit(model), lr=lr, batch=batch, label_noise=0.05)
    # Beyond the edge the kernel's own exponentials grow faster than the kernel: compare fewer steps.
    steps = np.arange(60 if solver.kernel_norm < math.inf else 16)
    curves: RiskCurves = solver.curves()
    forcing, kernel = curves.forcing(steps), _kernel(solver, steps)
    risk: list[float] = []
    for r in steps.tolist():
        risk.append(forcing[r] + sum(kernel[r - 1 - s] * risk[s] for s in range(r)))
    np.testing.assert_allclose(curves.risk(steps), risk, rtol=2e-9)


@pytest.mark.parametrize("method", ["deterministic", "instance"])
@pytest.mark.parametrize("factor", [0.9995, 1.0, 1.0005])
def test_at_the_threshold_itself(method: str, factor: float) -> None:
    """Neither 1 / (1 - ||K||) nor its cancellation is seen: the risk is continuous in the rate."""
    model = PLRF(alpha=0.7, beta=0.7, d=200, label_noise=0.05)
    lr = critical_lr(model, 2, method=method, rng=0)
    steps = [0, 1, 30, 300]
    risk = {f: solve(model, SGD(f * lr, 2), steps, method=method, rng=0)["risk"].values for f in (0.998, 1.002)}
    here = solve(model, SGD(factor * lr, 2), steps, method=method, rng=0)
    assert here["status"].item() == ("finished" if factor < 1 else "diverged")
    initial = model.initial_risk if method == "deterministic" else risk[0.998][0]
    assert here["risk"].values[0] == pytest.approx(initial, rel=1e-9)
    weight = (factor - 0.998) / 0.004
    between = risk[0.998] ** (1 - weight) * risk[1.002] ** weight
    np.testing.assert_allclose(here["risk"].values, between, rtol=4e-3)


def test_curves_settle_where_they_must() -> None:
    model = PLRF(alpha=0.7, beta=0.7, d=400, label_noise=0.1)
    solver = rate(model, 0.5)
    final = (solver.limit.irreducible + 0.1) / (1 - solver.kernel_norm)
    assert solver.curves().risk(np.array([10**17]))[0] == pytest.approx(final, rel=1e-12)


def test_infinite_data_dimension_is_the_limit_of_large_ones() -> None:
    steps = np.array([10, 10**5, 10**10])
    infinite = rate(PLRF(alpha=1.0, beta=0.7, d=1000, v=math.inf), 0.5).curves().risk(steps)
    large = rate(PLRF(alpha=1.0, beta=0.7, d=1000, v=10**15), 0.5).curves().risk(steps)
    np.testing.assert_allclose(infinite, large, rtol=1e-8)
