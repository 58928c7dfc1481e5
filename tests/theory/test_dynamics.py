"""The integrator: against every step in plain loops, against the exact recursion, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalinglaws import schedules
from scalinglaws.errors import InputError
from scalinglaws.models import PLRF, GaussianLeastSquares
from scalinglaws.optimizers import SGD, BatchSchedule, relative_lr
from scalinglaws.steps import log_steps
from scalinglaws.theory import dynamics
from scalinglaws.theory.dynamics import Drive, NoiseModel
from scalinglaws.theory.modes import instance_modes
from scalinglaws.theory.solve import solve
from scalinglaws.theory.stability import critical_rate
from scalinglaws.theory.stepping import blocks_of_steps, recursion
from tests.naive.dynamics import energies

T = 200_000
SHAPES = {
    "constant": schedules.constant(0.5),
    "warmup": schedules.constant(0.5, warmup=1000),
    "cosine": schedules.cosine(0.5, T, warmup=100),
    "linear": schedules.linear(0.5, T),
    "wsd": schedules.wsd(0.5, T, warmup=37),
    "sqrt": schedules.wsd(0.5, T, cooldown="sqrt"),
    "two_stage": schedules.two_stage(0.5, T, at=10_001, rate=0.05),
    "multicosine": schedules.multicosine(0.5, T),
    "table": schedules.from_table([0, 300, 50_000, 90_000, T], [0.5, 0.1, 0.4, 0.0, 0.0]),
}
BATCHES = {"constant": 1, "ramp": BatchSchedule((0, 1000, 50_000), (1, 4, 16))}
DRIVES = {"risk": Drive(0.1, 1.0, 1.0), "forcing": Drive(0.1, 1.0, 0.0), "constant": Drive(1.0)}


def three_modes(drive: Drive, own: float) -> NoiseModel:
    return NoiseModel(
        rates=[1.0, 0.1, 0.0],
        initial=[1.0, 0.5, 0.25],
        source=[1.0, 0.2, 0.01],
        floor=0.1,
        drive=drive,
        own=own,
        quantity="loss",
        source_trace=2.0,
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch", BATCHES)
def test_blocks_equal_every_step(shape: str, batch: str) -> None:
    """The tolerance holds for what the parameters could still remove, not only for the risk above its floor."""
    model = PLRF(alpha=1.0, beta=0.7, d=60, label_noise=1e-4)
    opt, one = SGD(relative_lr(SHAPES[shape]), BATCHES[batch]), model.instance(0)
    steps = log_steps(2 * T, per_decade=7, zero=True)
    exact, forcing, _ = recursion(instance_modes(one), opt.resolve(model), steps)
    ds = dynamics.integrate(dynamics.plrf(model, rng=0), opt, steps)
    np.testing.assert_allclose(ds["forcing"] + ds["noise"], exact - one.irreducible, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(ds["forcing"], forcing - one.irreducible, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(ds["tau"], np.asarray(opt.resolve(model).schedule.tau(steps)) / model.trace, rtol=1e-9)


@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-8, 1e-10])
def test_the_tolerance_is_kept(rtol: float) -> None:
    model = PLRF(alpha=0.7, beta=0.9, d=60, label_noise=1e-3)
    modes, one = dynamics.plrf(model, rng=1), model.instance(1)
    steps = log_steps(T, per_decade=10, zero=True)
    for name in ("constant", "cosine", "wsd", "two_stage"):
        opt = SGD(relative_lr(SHAPES[name]), 4)
        exact = recursion(instance_modes(one), opt.resolve(model), steps)[0]
        fast = dynamics.sweep(modes, [opt], steps, rtol=rtol)[0]
        assert abs((fast - exact) / (exact - one.irreducible)).max() < rtol


@pytest.mark.parametrize("drive", DRIVES)
@pytest.mark.parametrize("own", [0.0, 1.0])
def test_every_drive_equals_plain_loops(drive: str, own: float) -> None:
    modes = three_modes(DRIVES[drive], own)
    schedule = schedules.wsd(0.9, 1500, warmup=50, decay=0.4)
    batch = BatchSchedule((0, 333, 1100), (2, 5, 3))
    steps = [0, 1, 2, 49, 50, 51, 150, 333, 334, 800, 1111, 1499, 1500, 1600]
    ds = dynamics.integrate(modes, schedule, steps, batch=batch)
    lr, size = (lambda t: float(schedule(t))), (lambda t: int(batch(t)))
    slow = np.array(energies(modes.rates, modes.initial, modes.source, modes.drive, own, lr, size, steps))
    for column, name in ((0, "forcing"), (1, "noise"), (3, "tau")):
        np.testing.assert_allclose(ds[name], slow[:, column], rtol=1e-9)
    noise_drive = modes.drive.constant + slow[:, :2] @ np.array(modes.drive[1:])
    np.testing.assert_allclose(ds["noise_trace"], (own * slow[:, 2] + 2.0 * noise_drive) / batch(steps), rtol=1e-9)
    np.testing.assert_allclose(ds["loss"], 0.1 + slow[:, 0] + slow[:, 1], rtol=1e-9)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    rates=st.lists(st.sampled_from([0.0, 0.01, 0.3, 1.0, 1.2]), min_size=3, max_size=6),
    gaps=st.lists(st.integers(1, 400), min_size=5, max_size=5),
)
def test_any_table_of_rates_equals_plain_loops(rates: list[float], gaps: list[int]) -> None:
    """Jumps, ramps and stretches at rate zero, also where lr z = 1 removes a mode at one stroke."""
    modes = three_modes(DRIVES["constant"], 0.0)
    at = np.cumsum([0, *gaps])[: len(rates)]
    schedule = schedules.from_table(at, rates)
    steps = np.unique(np.concatenate([at, at + 1, at[-1] + np.array([7, 500])]))
    ds = dynamics.integrate(modes, schedule, steps)
    lr = lambda t: float(schedule(t))  # noqa: E731
    slow = np.array(
        energies(modes.rates, modes.initial, modes.source, modes.drive, 0.0, lr, lambda t: 1, steps.tolist())
    )
    np.testing.assert_allclose(ds["forcing"], slow[:, 0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ds["noise"], slow[:, 1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["linear", "cosine", "sqrt", "exponential"])
def test_without_noise_the_forcing_alone_sets_the_error(name: str) -> None:
    """Down to the last digits of modes that are long gone, with one removed almost at a stroke."""
    rates = np.arange(1.0, 41.0) ** -2
    modes = dynamics.quadratic(rates, rates**-0.2, np.zeros(40))
    schedule = {
        "linear": schedules.linear(0.95, 20_000),
        "cosine": schedules.cosine(0.95, 20_000, warmup=500),
        "sqrt": schedules.wsd(0.95, 20_000, cooldown="sqrt"),
        "exponential": schedules.exponential(0.95, 20_000),
    }[name]
    steps = log_steps(20_000, 20, zero=True)
    logs = 2.0 * np.log1p(-np.multiply.outer(schedule(np.arange(20_000)), rates)).cumsum(axis=0)
    exact = np.exp(np.concatenate([np.zeros((1, 40)), logs])[steps]) @ modes.initial
    np.testing.assert_allclose(dynamics.sweep(modes, [schedule], steps)[0], exact, rtol=1e-9)


def test_rates_that_never_repeat_are_done_step_by_step() -> None:
    rng = np.random.default_rng(0)
    schedule = schedules.from_table(np.arange(1001), rng.uniform(0.0, 1.0, 1001))
    modes, steps = three_modes(DRIVES["risk"], 1.0), [10, 500, 1000]
    lr = lambda t: float(schedule(t))  # noqa: E731
    slow = np.array(energies(modes.rates, modes.initial, modes.source, modes.drive, 1.0, lr, lambda t: 2, steps))
    ds = dynamics.integrate(modes, schedule, steps, batch=2)
    np.testing.assert_allclose(ds["noise"], slow[:, 1], rtol=1e-12)


def test_same_as_solve_with_its_own_rng() -> None:
    model, opt = PLRF(alpha=1.0, beta=0.7, d=80), SGD(relative_lr(schedules.cosine(0.5, 5000)), {0: 1, 500: 4})
    exact = solve(model, opt, [0, 10, 5000], method="instance", rng=5)
    ds = dynamics.integrate(dynamics.plrf(model, rng=5), opt, [0, 10, 5000])
    np.testing.assert_allclose(ds["risk"], exact["risk"], rtol=1e-12)
    np.testing.assert_array_equal(ds["samples"], exact["samples"])


def test_a_trillion_steps_at_a_constant_rate() -> None:
    model = GaussianLeastSquares(np.arange(1.0, 101.0) ** -2, np.arange(1.0, 101.0) ** -1.7, label_noise=1e-6)
    steps = log_steps(1e12, per_decade=3)
    exact = solve(model, SGD(0.2), steps)["risk"].values
    np.testing.assert_allclose(dynamics.sweep(dynamics.plrf(model), [0.2], steps)[0], exact, rtol=1e-9)


@pytest.mark.parametrize("rtol", [1e-9, 1e-11])
def test_just_below_the_critical_rate(rtol: float) -> None:
    """Rounding is magnified there; it must neither be mistaken for an error of the blocks nor spoil them."""
    model = PLRF(alpha=1.0, beta=0.7, d=30, label_noise=0.01)
    one, steps = model.instance(0), log_steps(1e12, 3)
    rate = (1.0 - 1e-6) * critical_rate(one.eigenvalues, 1)
    exact = blocks_of_steps(instance_modes(one), SGD(rate).resolve(model), steps)[0]
    np.testing.assert_allclose(dynamics.sweep(dynamics.plrf(one), [rate], steps, rtol=rtol)[0], exact, rtol=1e-8)


@pytest.mark.parametrize("flow", [False, True])
def test_a_sustained_rate_above_the_critical_one_is_data(flow: bool) -> None:
    model = PLRF(alpha=1.0, beta=0.7, d=30)
    modes = dynamics.plrf(model, rng=0)
    edge = critical_rate(model.instance(0).eigenvalues, 1)
    opts = [2.5 * edge, 1e3 * edge, 1e200]  # a flow bears up to twice the critical rate of the steps
    for opt in opts:
        ds = dynamics.integrate(modes.as_flow() if flow else modes, opt, [0, 1, 10, 10**6])
        assert ds["status"].item() == "diverged"
        assert "the rate is too large" in ds.attrs["reason"]
        assert np.all(ds["risk"].values[:2] > 0)
        assert ds["risk"].values[-1] == np.inf
        assert not np.isnan(ds["risk"]).any()
        assert not np.isnan(ds["noise_trace"]).any()


def test_growth_and_recovery_equal_every_step() -> None:
    """A rate above the critical one for a while: the risk rises by orders of magnitude and comes back."""
    model = PLRF(alpha=1.0, beta=0.7, d=30)
    edge = critical_rate(model.instance(0).eigenvalues, 1)
    schedule = schedules.from_table([0, 1000, 1001, 10_000], [1.02 * edge, 1.02 * edge, 0.1 * edge, 0.0])
    steps = log_steps(10_000, 5)
    exact = recursion(instance_modes(model.instance(0)), SGD(schedule).resolve(model), steps)[0]
    ds = dynamics.integrate(dynamics.plrf(model, rng=0), schedule, steps)
    assert exact.max() > 3 * exact[0]
    np.testing.assert_allclose(ds["risk"], exact, rtol=1e-8)
    assert ds["status"].item() == "finished"


def test_rate_zero_stands_still() -> None:
    ds = dynamics.integrate(three_modes(DRIVES["risk"], 1.0), 0.0, [0, 1, 10**9])
    np.testing.assert_array_equal(ds["loss"], np.full(3, 1.85))
    ds = dynamics.integrate(three_modes(DRIVES["risk"], 1.0).as_flow(), 0.0, [0, 1, 10**9])
    np.testing.assert_allclose(ds["loss"], np.full(3, 1.85), rtol=1e-15)


def test_sweep_is_integrate() -> None:
    modes = dynamics.plrf(PLRF(alpha=1.0, beta=0.7, d=40), rng=0)
    opts = [0.1, schedules.linear(0.1, 1000), SGD(relative_lr(0.1), 1), 20.0]
    one_by_one = [dynamics.integrate(modes, opt, [10, 1000])["risk"].values for opt in opts]
    np.testing.assert_array_equal(dynamics.sweep(modes, opts, [10, 1000]), one_by_one)
    assert dynamics.sweep(modes, opts, [10, 1000])[3, 1] == np.inf


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: dynamics.integrate(m, -0.1, [1]), "lr = -0.1: must be a finite rate"),
        (lambda m: dynamics.integrate(m, "cosine", [1]), "opt = 'cosine': must be an SGD"),
        (lambda m: dynamics.integrate(m, SGD(0.1), [1], batch=2), "batch = 2: is already part"),
        (lambda m: dynamics.integrate(m, 0.1, [1], batch=0), "batch = 0: must be an integer"),
        (lambda m: dynamics.integrate(m, 0.1, [2, 1]), "steps = .*: must be strictly increasing"),
        (lambda m: dynamics.integrate(m, 0.1, [2**60]), "steps = .*: must be less than"),
        (lambda m: dynamics.integrate(m, 0.1, [1], rtol=1.0), "rtol = 1.0: must lie between"),
        (lambda m: dynamics.integrate(3.0, 0.1, [1]), "modes = 3.0: must be a NoiseModel"),
        (lambda m: dynamics.integrate(m, relative_lr(0.1), [1]), "a relative rate needs a model with a trace"),
        (lambda m: dynamics.sweep(m, [], [1]), "opts = .*: must hold at least one"),
        (lambda m: m.gradient_noise_trace([1.0]), "energies = .*: must end in"),
        (lambda m: dynamics.plrf("PLRF"), "model = 'PLRF': must be a PLRF"),
        (lambda m: dynamics.quadratic([1.0], [1.0, 2.0], [1.0]), "error = .*: must have the shape"),
        (lambda m: dynamics.quadratic([-1.0], [1.0], [1.0]), "rates = .*: must be finite and >= 0"),
        (lambda m: dynamics.quadratic([1.0], [1.0], [np.nan]), "source = .*: must be finite and >= 0"),
        (lambda m: dynamics.quadratic([1.0], [1.0], [1.0], floor=-1.0), "floor = -1.0: must be a finite"),
        (lambda m: dynamics.functional(0.0, 2.0), "s = 0.0: must be positive"),
        (lambda m: dynamics.functional(0.5, 1.0), "beta = 1.0: must exceed 1"),
        (lambda m: dynamics.functional(0.5, 2.0, label_noise=-1.0), "label_noise = -1.0"),
        (lambda m: dynamics.functional(0.5, 2.0, rtol=0.5), "rtol = 0.5"),
        (lambda m: dynamics.functional(0.5, 2.0).gradient_noise_trace(np.ones(3)), "energies = "),
    ],
)
def test_a_mistake_gets_a_sentence(call, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call(three_modes(DRIVES["risk"], 1.0))
