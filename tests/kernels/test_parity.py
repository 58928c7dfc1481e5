"""The CUDA source against the CPU kernel: its host build on the same noise; and it compiles for a device.

No device is needed: `sgd.cu` compiles as C++ too, where the threads of a block are taken in turn.
"""

import ctypes
import ctypes.util
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from scalinglaws.kernels import gpu, philox, sgd

SOURCE = files("scalinglaws.kernels").joinpath("sgd.cu")
LAYOUTS = [(1, 256), (2, 256), (4, 256), (0, 512)]
KEY = np.array([12, 2**31 + 5, 77], dtype=np.uint32)


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


@pytest.fixture(scope="module", params=[0, 2], ids=["in memory", "in registers"])
def host(request, tmp_path_factory):
    """The functions of sgd.cu as a shared library, with modes in memory or in each thread's own array."""
    compiler = shutil.which("g++") or shutil.which("c++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    library = tmp_path_factory.mktemp("host") / "sgd.so"
    command = [compiler, "-x", "c++", "-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([*command, f"-DQUADS={request.param}", str(SOURCE), "-o", str(library)], check=True)
    loaded = ctypes.CDLL(str(library))
    for name in ("host_chi_square", "host_step", "host_run"):
        getattr(loaded, name).restype = ctypes.c_double
    return loaded


def problem(d, seed=0):
    size = 4 * (d // 4 + 1)
    error, eigenvalues = np.zeros(size), np.zeros(size)
    error[: d + 1] = np.random.default_rng(seed).standard_normal(d + 1) / np.arange(1, d + 2)
    eigenvalues[:d] = np.arange(1.0, d + 1) ** -1.5
    return error, eigenvalues


def test_philox_words(host):
    out = np.empty(4, dtype=np.uint32)
    for counter in np.random.default_rng(0).integers(2**32, size=(20, 4), dtype=np.uint32):
        host.host_philox(pointer(counter), pointer(KEY), pointer(out))
        assert out.tolist() == [int(w) for w in philox.philox4x32(*counter, *KEY[:2])]


@pytest.mark.parametrize("step", [0, 1, 2**32 + 3])
def test_normals_and_chi_square(host, step):
    ours, theirs = np.empty(4000), np.empty(4000)
    philox.normals(ours, step, KEY)
    host.host_normals(pointer(theirs), ctypes.c_int64(1000), ctypes.c_uint64(step), pointer(KEY))
    np.testing.assert_allclose(theirs, ours, rtol=1e-13, atol=1e-15)
    for degrees in (1, 2, 7, 32, 4096):
        drawn = host.host_chi_square(ctypes.c_int64(degrees), ctypes.c_uint64(step), pointer(KEY))
        assert drawn == pytest.approx(philox.chi_square(degrees, step, KEY), rel=1e-13)


@pytest.mark.parametrize("d", [3, 100, 1001])
def test_step_on_given_noise(host, d):
    error, eigenvalues = problem(d)
    xi = np.random.default_rng(1).standard_normal(error.size)
    ours, theirs = error.copy(), error.copy()
    risk = float(error @ error)
    after = sgd.step(ours, eigenvalues, xi, 5.5, 0.02, risk)
    same = host.host_step(
        pointer(theirs),
        pointer(eigenvalues),
        pointer(xi),
        ctypes.c_int64(error.size),
        *map(ctypes.c_double, (5.5, 0.02, risk)),
    )
    np.testing.assert_allclose(theirs, ours, rtol=1e-12, atol=1e-15)
    assert same == pytest.approx(after, rel=1e-12)


@pytest.mark.parametrize(("d", "threads"), [(3, 32), (250, 32), (1001, 256)])
def test_whole_runs(host, d, threads):
    """The same key gives the same run on both, over 500 updates with a schedule of rates and batches."""
    error, eigenvalues = problem(d)
    n = 500
    lr = 0.02 * (1.0 - np.arange(n) / n)
    batch = np.where(np.arange(n) < 100, 1, 8)
    ours, theirs, risk = error.copy(), error.copy(), float(error @ error)
    after, _ = sgd.advance_run(
        ours, eigenvalues, np.empty(error.size), KEY, 7, lr, batch, np.empty(0, int), np.empty(0), risk, 1e50
    )
    same = host.host_run(
        pointer(theirs),
        pointer(eigenvalues),
        ctypes.c_int64(error.size),
        pointer(KEY),
        ctypes.c_uint64(7),
        pointer(lr),
        pointer(batch),
        ctypes.c_int64(n),
        ctypes.c_int64(threads),
        ctypes.c_double(risk),
    )
    np.testing.assert_allclose(theirs, ours, rtol=1e-10, atol=1e-13)
    assert same == pytest.approx(after, rel=1e-12)


@pytest.mark.parametrize(("quads", "threads"), LAYOUTS)
def test_compiles_for_a_device(quads, threads, tmp_path):
    defines = [f"-DQUADS={quads}", f"-DTHREADS={threads}"]
    if nvcc := shutil.which("nvcc"):
        target = tmp_path / "sgd.cubin"
        command = [nvcc, "-std=c++17", "-arch=sm_90", "-Xptxas", "-v", *defines, "-cubin", str(SOURCE)]
        done = subprocess.run([*command, "-o", str(target)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert " 0 bytes spill stores" in done.stderr, done.stderr
    elif library := nvrtc():
        compile_with_nvrtc(library, SOURCE.read_text(), ["--std=c++17", "--gpu-architecture=sm_90", *defines])
    else:
        pytest.skip("neither nvcc nor NVRTC is installed")


def test_compiles_without_headers_as_cupy_compiles_it():
    """CuPy hands the source to NVRTC, which has no standard headers."""
    library = nvrtc()
    if library is None:
        pytest.skip("NVRTC is not installed")
    options = ["--std=c++17", "--gpu-architecture=sm_90", "-DQUADS=1", "-DTHREADS=256"]
    compile_with_nvrtc(library, SOURCE.read_text(), options)


def test_every_layout_chosen_is_one_that_is_compiled_here():
    chosen = {gpu.layout(quads) for quads in (1, 250, 257, 513, 1024, 1025, 10**6)}
    assert chosen == set(LAYOUTS)
    assert all(
        per_thread * threads >= quads for quads in (1, 256, 700, 1024) for per_thread, threads in [gpu.layout(quads)]
    )


def nvrtc():
    found = ctypes.util.find_library("nvrtc") or next(
        (str(p) for p in sorted(Path("/usr/local/cuda/lib64").glob("libnvrtc.so*"))), None
    )
    return ctypes.CDLL(found) if found else None


def compile_with_nvrtc(library, source, options):
    program = ctypes.c_void_p()
    library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"sgd.cu", 0, None, None)
    arguments = (ctypes.c_char_p * len(options))(*(o.encode() for o in options))
    code = library.nvrtcCompileProgram(program, len(options), arguments)
    size = ctypes.c_size_t()
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    assert code == 0, log.value.decode()
