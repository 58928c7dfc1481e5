"""The CUDA kernel itself, executed on threads of the processor: launch arguments, barriers, sums, records.

`gpu.advance` runs unchanged with a stand-in for CuPy that keeps arrays in NumPy and compiles `sgd.cu` with
`cuda_on_threads.h`. This is no substitute for a device (nothing is learned about speed, or about warps in
lock-step), but every line of the kernel is executed and its results are compared with the CPU's.
"""

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from scalinglaws.kernels import cpu, gpu
from scalinglaws.kernels.bundle import Problem, pack
from scalinglaws.kernels.sgd import DIVERGED

HERE = Path(__file__).parent
THREADS = 64


class EmulatedModule:
    """`cupy.RawModule`, compiled by g++."""

    def __init__(self, code, options):
        self.options = [o for o in options if o.startswith("-D")]
        assert 'extern "C" __global__' in code

    def get_function(self, name):
        assert name == "advance_runs"
        library = Path(self.folder) / f"sgd{'_'.join(self.options)}.so"
        source = Path(gpu.__file__).with_name("sgd.cu")
        command = ["g++", "-std=c++20", "-O1", "-pthread", "-shared", "-fPIC", f"-I{source.parent}"]
        command += ["-x", "c++", str(HERE / "cuda_on_threads.h")]
        subprocess.run([*command, *self.options, "-o", str(library)], check=True)
        function = ctypes.CDLL(str(library)).launch
        function.restype = None

        def launch(grid, block, arguments):
            assert block == (THREADS,)
            function(ctypes.c_uint(grid[0]), *[as_c(a) for a in arguments])

        return launch


def as_c(argument):
    if isinstance(argument, np.ndarray):
        assert argument.flags["C_CONTIGUOUS"]
        return argument.ctypes.data_as(ctypes.c_void_p)
    kind = {np.uint64: ctypes.c_uint64, np.int64: ctypes.c_int64}[type(argument)]
    return kind(int(argument))


needs_gcc = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")


@pytest.fixture(params=[0, 1, 2], ids=["in memory", "one quad", "two quads"])
def emulated(request, monkeypatch, tmp_path):
    monkeypatch.setattr(EmulatedModule, "folder", str(tmp_path), raising=False)
    numpy_as_cupy = SimpleNamespace(
        **{name: getattr(np, name) for name in ("array", "diff", "empty", "empty_like")},
        asarray=np.array,  # a device array is a copy
        asnumpy=np.asarray,
        RawModule=EmulatedModule,
    )
    monkeypatch.setitem(sys.modules, "cupy", numpy_as_cupy)
    monkeypatch.setattr(gpu, "layout", lambda *_: (request.param, THREADS))
    gpu._kernel.cache_clear()
    yield gpu
    gpu._kernel.cache_clear()


def problems():
    """Two sizes at once, neither a multiple of anything, and one problem that diverges."""
    keys = np.random.SeedSequence(3).generate_state(12).reshape(4, 3)
    made = []
    for d, of, scale in ((201, slice(0, 1), 1.0), (90, slice(1, 3), 1.0), (10, slice(3, 4), 500.0)):
        j = np.arange(1.0, d + 1)
        made.append(Problem(eigenvalues=scale * j**-1.5, rho=1 / j, irreducible=0.01, keys=keys[of]))
    return made


@needs_gcc
def test_kernel_agrees_with_the_processor(emulated):
    bundles = [pack(problems(), 1e50), emulated.load(pack(problems(), 1e50))]
    rates = np.array([[0.02], [0.05], [1.0]])
    # two chunks, longer than the THREADS draws made at a time and not a multiple of them
    chunks = [(0, 66, [1, 64, 65, 66]), (66, 80, [67, 75]), (80, 82, [])]
    for first, last, record in chunks:
        t = np.arange(first, last)
        lr = rates * np.where(t < 70, 1.0, 0.5)
        batch = np.broadcast_to(np.where(t < 20, 1, 4), lr.shape).copy()
        out = [np.full((4, len(record)), np.nan) for _ in bundles]
        for backend, bundle, risk in zip((cpu, emulated), bundles, out, strict=True):
            backend.advance(bundle, first, lr, batch, np.array(record, dtype=np.int64), risk, map)
        np.testing.assert_allclose(out[1], out[0], rtol=1e-10)
    ours, theirs = bundles
    assert theirs.status.tolist() == ours.status.tolist() == [0, 0, 0, DIVERGED]
    np.testing.assert_allclose(theirs.risk[:3], ours.risk[:3], rtol=1e-10)
    finite = slice(0, int(ours.error_at[3]))
    np.testing.assert_allclose(theirs.error[finite], ours.error[finite], rtol=1e-9, atol=1e-12)


@needs_gcc
def test_chunks_do_not_change_a_run(emulated):
    whole, parts = (emulated.load(pack(problems()[:1], 1e50)) for _ in range(2))
    record, out = np.array([70]), np.empty((1, 1))
    lr, batch = np.full((1, 70), 0.02), np.full((1, 70), 4)
    emulated.advance(whole, 0, lr, batch, record, out, map)
    for first, last in ((0, 3), (3, 68), (68, 70)):
        here = record if last == 70 else record[:0]
        piece = np.empty((1, here.size))
        emulated.advance(parts, first, lr[:, first:last].copy(), batch[:, first:last].copy(), here, piece, map)
    np.testing.assert_array_equal(piece, out)
    np.testing.assert_array_equal(parts.error, whole.error)


@needs_gcc
def test_threads_of_a_block_do_not_race(tmp_path):
    """One barrier an update is enough: ThreadSanitizer sees no two unordered accesses to shared memory."""
    source, program = Path(gpu.__file__).with_name("sgd.cu"), tmp_path / "race"
    command = [
        "g++",
        "-std=c++20",
        "-O1",
        "-g",
        "-pthread",
        "-fsanitize=thread",
        "-DQUADS=1",
        f"-DTHREADS={THREADS}",
    ]
    built = subprocess.run(
        [*command, f"-I{source.parent}", str(HERE / "race.cpp"), "-o", str(program)],
        capture_output=True,
        check=False,
    )
    if built.returncode != 0 and b"tsan" in built.stderr:
        pytest.skip("g++ has no ThreadSanitizer")
    assert built.returncode == 0, built.stderr.decode()
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("ThreadSanitizer does not run on this kernel's address layout")
    assert done.returncode == 0, done.stderr[:3000]
