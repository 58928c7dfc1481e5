"""Speed of simulation, as ratios taken in one run; `make bench` prints them and keeps them in `extra_info`.

What is compared is timed in turn, over several rounds, and the ratio is that of the fastest rounds: other
work on the machine only ever adds time. One core against one core is timed in processor seconds; what runs on
two is timed by the clock on the wall and needs two free cores.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from scalinglaws._random import replicate_seed, seed_sequence
from scalinglaws.kernels._jit import kernel
from scalinglaws.kernels.philox import normals
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD, relative_lr
from scalinglaws.simulation import explicit, simulate
from scalinglaws.simulation.features import features_of

D, V, BATCH = 1000, 4000, 32
MODEL, OPT = PLRF(alpha=1.0, beta=0.7, d=D, v=V), SGD(lr=relative_lr(0.3), batch=BATCH)


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """Compile before anything is timed."""
    simulate(PLRF(alpha=1.0, beta=0.7, d=5), OPT, [2], rng=0)


@pytest.fixture
def frozen(monkeypatch):
    """Draw the features once: they are not what is measured."""
    one = MODEL.instance(seed_sequence(0))
    monkeypatch.setattr(PLRF, "instance", lambda *_: one)


def fastest(*functions: Callable[[], object], rounds: int, clock=time.perf_counter) -> list[float]:
    """Least seconds of each function, the functions taken in turn."""

    def seconds(function: Callable[[], object]) -> float:
        start = clock()
        function()
        return clock() - start

    taken = [[seconds(function) for function in functions] for _ in range(rounds)]
    return [min(column) for column in zip(*taken, strict=True)]


@kernel
def draw(out, steps, key):
    """Draw the normals of each step and nothing else, compiled like the simulation."""
    for t in range(steps):
        normals(out, t, key)


@pytest.mark.usefixtures("frozen")
def test_against_explicit_simulation(benchmark):
    """Replicate-steps a second on two cores, at least 1,000 times those of NumPy on the same two cores."""
    steps, replicates = 10_000, 2
    features = features_of(MODEL, seed_sequence(0))
    rate, rng = float(OPT.resolve(MODEL).rate(0)), np.random.default_rng(0)
    theta = np.zeros(D)
    few = 2  # short rounds: the threads of BLAS suffer most from company

    def explicitly():
        for _ in range(few):
            explicit.update(features, theta, rate, BATCH, rng)

    def reduced():
        simulate(MODEL, OPT, [steps], replicates=replicates, rng=0, workers=2, backend="cpu")

    slow, fast = fastest(explicitly, reduced, rounds=25)
    benchmark.pedantic(reduced, rounds=1)
    ratio = (slow / few) / (fast / (steps * replicates))
    benchmark.extra_info.update(
        explicit_us=1e6 * slow / few, replicate_step_us=1e6 * fast / (steps * replicates), ratio=ratio
    )
    assert ratio > 1000


@pytest.mark.usefixtures("frozen")
def test_against_bare_normals(benchmark):
    """One core: a step within 1.4 times the bare cost of drawing the same normals."""
    steps = 20_000
    key = replicate_seed(seed_sequence(0), 0).generate_state(3)
    out, numpy_out = np.empty(4 * (D // 4 + 1)), np.empty(D + 1)
    rng = np.random.default_rng(0)
    draw(out, 1, key)

    def numpy_normals():
        for _ in range(steps):
            rng.standard_normal(out=numpy_out)

    def whole():
        simulate(MODEL, OPT, [steps], rng=0, workers=1, backend="cpu")

    bare_s, numpy_s, whole_s = fastest(
        lambda: draw(out, steps, key), numpy_normals, whole, rounds=12, clock=time.process_time
    )
    benchmark.pedantic(whole, rounds=1)
    benchmark.extra_info.update(
        step_us=1e6 * whole_s / steps,
        same_normals_us=1e6 * bare_s / steps,
        numpy_normals_us=1e6 * numpy_s / steps,
        ratio_same_normals=whole_s / bare_s,
        ratio_numpy_normals=whole_s / numpy_s,
    )
    assert whole_s < 1.4 * bare_s
    assert whole_s < 1.4 * numpy_s


@pytest.mark.usefixtures("frozen")
def test_two_workers_against_one(benchmark):
    """Two workers take at least 1.7 times as many replicate-steps a second as one, on two free cores.

    What two bare loops in two threads gain at the same moment says how free the second core is.
    """
    steps, key = 10_000, replicate_seed(seed_sequence(0), 0).generate_state(3)
    draw(np.empty(4), 1, key)

    def loops(pool):
        list(pool.map(lambda _: draw(np.empty(4 * (D // 4 + 1)), steps, key), range(2)))

    def run(workers):
        simulate(MODEL, OPT, [steps], replicates=2, rng=0, workers=workers, backend="cpu")

    with ThreadPoolExecutor(1) as single, ThreadPoolExecutor(2) as double:
        one, two, loops_one, loops_two = fastest(
            lambda: run(1), lambda: run(2), lambda: loops(single), lambda: loops(double), rounds=25
        )
    benchmark.pedantic(run, args=(2,), rounds=1)
    free = loops_one / loops_two
    benchmark.extra_info.update(one_s=one, two_s=two, ratio=one / two, ratio_of_bare_loops=free)
    assert one / two > 1.7 * free / 2.0


def test_memory_of_a_large_spectrum(benchmark):
    """A hundred thousand modes given as a spectrum, in less than 1 GB of peak memory."""
    code = """
import resource
import numpy as np
from scalinglaws.models import GaussianLeastSquares
from scalinglaws.optimizers import SGD
from scalinglaws.simulation import simulate
j = np.arange(1.0, 100_001.0)
model, opt = GaussianLeastSquares(j**-2, j**-1.7), SGD(lr=0.1, batch=4)
simulate(model, opt, [100], replicates=4, rng=0, backend="cpu")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

    def run():
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return int(done.stdout) / 2**20

    peak = benchmark.pedantic(run, rounds=1)
    benchmark.extra_info.update(peak_gib=peak)
    assert peak < 1e9 / 2**30
