"""Numbers of Besiroglu et al. (2024) and of Hoffmann et al. (2022), each at a stated tolerance."""

from __future__ import annotations

import numpy as np
import pytest

from scalinglaws.fitting import Fit, Table, fit
from scalinglaws.fitting.estimators import estimator
from scalinglaws.fitting.laws import find_law

LAW = find_law("chinchilla")


def close(fitted: Fit, **expected: tuple[float, float]) -> None:
    for name, (value, tolerance) in expected.items():
        assert fitted.params[name] == pytest.approx(value, abs=tolerance), name


def certified(fitted: Fit) -> None:
    assert fitted.converged
    assert fitted.gradient_norm < 1e-6
    assert fitted.starts.agreeing == fitted.starts.tried
    assert fitted.warnings == ()


def test_huber_240(epoch240: Table) -> None:
    fitted = fit(epoch240)
    assert epoch240.rows == 240
    close(fitted, alpha=(0.34731, 2e-5), beta=(0.36717, 2e-5), E=(1.81722, 5e-5), A=(477.83, 0.3), B=(2143.4, 3))
    assert fitted.objective == pytest.approx(1.01827402e-3, rel=1e-7)
    certified(fitted)


def test_l1_240(epoch240: Table) -> None:
    fitted = fit(epoch240, estimator="l1")
    expected = {"A": 482.0061, "B": 2085.436, "E": 1.816864, "alpha": 0.3478131, "beta": 0.3658542}
    for name, value in expected.items():
        assert fitted.params[name] == pytest.approx(value, rel=1e-5), name
    assert fitted.objective == pytest.approx(1.12949465, rel=1e-7)
    certified(fitted)
    # A minimum of absolute values passes through as many points as there are parameters.
    assert int(np.sum(np.abs(fitted.residuals()) < 1e-12)) == 5


def test_huber_245(epoch245: Table) -> None:
    fitted = fit(epoch245)
    close(fitted, alpha=(0.349313, 5e-5), beta=(0.453049, 5e-5), E=(1.89134, 5e-5))
    assert fitted.objective == pytest.approx(1.82601052e-3, rel=1e-6)
    certified(fitted)


def test_log_l2_240(epoch240: Table) -> None:
    fitted = fit(epoch240, estimator="log-l2")
    close(fitted, alpha=(0.360253, 1e-5), beta=(0.405883, 1e-5), E=(1.86455, 1e-5))
    assert fitted.objective == pytest.approx(0.01146189, rel=1e-6)
    certified(fitted)


def test_l2_240(epoch240: Table) -> None:
    fitted = fit(epoch240, estimator="l2")
    close(fitted, alpha=(0.3576151, 1e-6), beta=(0.4276206, 1e-6), E=(1.8828136, 1e-6))
    assert fitted.objective == pytest.approx(0.0832038, rel=1e-6)
    certified(fitted)


def test_huber_of_other_thresholds(epoch240: Table) -> None:
    narrow, wide = fit(epoch240, delta=1e-4), fit(epoch240, delta=1e-2)
    assert narrow.objective == pytest.approx(1.11779e-4, rel=1e-5)
    assert wide.objective == pytest.approx(4.69622e-3, rel=1e-5)
    close(narrow, alpha=(0.34741, 1e-5), beta=(0.36539, 1e-5))
    close(wide, alpha=(0.35442, 1e-5), beta=(0.38154, 1e-5))


def test_l2_of_small_budgets(epoch240: Table) -> None:
    """Open-Athena's scalefit: rows below 1e21 FLOP, N in millions and D in billions."""
    few = epoch240.take(epoch240.flops < 1e21)
    fitted = fit(few, estimator="l2")
    assert few.rows == 217
    close(fitted, E=(1.9051, 1e-4), alpha=(0.3511, 1e-4), beta=(0.4587, 1e-4))
    assert fitted.params["A"] / 1e6 ** fitted.params["alpha"] == pytest.approx(4.0005, abs=1e-4)
    assert fitted.params["B"] / 1e9 ** fitted.params["beta"] == pytest.approx(1.0509, abs=1e-4)
    assert fitted.objective == pytest.approx(0.062414, abs=1e-6)


PUBLISHED = {
    # The unrounded parameters are known to eight digits only, which moves the objective by a few 1e-8 of itself.
    "unrounded": (np.exp(0.5267228), np.exp(6.0073404), np.exp(6.0179186), 0.33917084, 0.2849083),
    "rounded": (1.69, 406.4, 410.7, 0.34, 0.28),
}


@pytest.mark.parametrize(
    ("name", "value", "tolerance"),
    [("unrounded", 0.00123116256, 1e-7), ("rounded", 0.00412100914, 1e-8)],
)
def test_objective_of_published_laws(epoch240: Table, name: str, value: float, tolerance: float) -> None:
    law = dict(zip(LAW.parameters, PUBLISHED[name], strict=True))
    predicted = LAW.predict(law, epoch240.params, epoch240.tokens)
    assert estimator("huber").objective(predicted, epoch240.loss) == pytest.approx(value, rel=tolerance)


def test_objective_of_besiroglu(epoch240: Table, epoch245: Table) -> None:
    """The published point is the L1 optimum; four digits of it are not enough to reproduce its objective."""
    law = fit(epoch240, estimator="l1").params
    for table, value, tolerance in ((epoch240, 0.00101864471, 1e-7), (epoch245, 0.00193090, 1e-6)):
        predicted = LAW.predict(law, table.params, table.tokens)
        assert estimator("huber").objective(predicted, table.loss) == pytest.approx(value, rel=tolerance)


def test_bootstrap_240(epoch240: Table) -> None:
    """Standard errors of Besiroglu et al.; the Monte Carlo error of 4000 replicates is about 1 %."""
    draws = fit(epoch240).bootstrap(4000, kind="pairs", rng=1).draws
    assert draws is not None
    assert draws.converged == 1.0
    errors = draws.standard_errors()
    assert errors["alpha"] == pytest.approx(0.0154, rel=0.05)
    assert errors["beta"] == pytest.approx(0.0206, rel=0.05)
    assert errors["E"] == pytest.approx(0.0257, rel=0.05)
    alpha, beta = draws.values["alpha"], draws.values["beta"]
    assert np.std(beta / (alpha + beta)) == pytest.approx(0.0200, rel=0.05)
    low, high = draws.interval("E", 0.95)
    assert (low, high) == (pytest.approx(1.769, abs=0.003), pytest.approx(1.871, abs=0.003))


def test_large_budget(epoch240: Table) -> None:
    best = fit(epoch240, estimator="l1").optimal(5.88e23)
    assert best.params.item() == pytest.approx(7.313e10, rel=1e-3)
    assert best.tokens.item() == pytest.approx(1.340e12, rel=1e-3)
    assert best.tokens_per_param.item() == pytest.approx(18.33, rel=1e-3)
    assert np.log(fit(epoch240, estimator="l1").optimal([1e22, 1e23]).params).diff("flops").item() / np.log(
        10
    ) == pytest.approx(0.51264, rel=1e-4)


def test_hoffmann_closed_form() -> None:
    hoffmann = {k: np.asarray(v) for k, v in {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}.items()}
    best = LAW.optimum(hoffmann, np.array([1e23, 1e24]))
    assert best.tokens[1] == pytest.approx(4.035834749563681e12, rel=1e-9)
    assert np.log10(best.params[1] / best.params[0]) == pytest.approx(0.4516129032258, rel=1e-9)
    assert np.log10(best.tokens[1] / best.tokens[0]) == pytest.approx(0.5483870967742, rel=1e-9)
