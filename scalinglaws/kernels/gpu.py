"""Runs on a CUDA device: one block per run, for all updates of a chunk in one launch (`sgd.cu`).

The names and signatures are those of `cpu`. CuPy is optional and imports without a device, so whether there
is one is asked by a call. The kernel is compiled for the device on first use, by NVRTC through CuPy.

Status: the source compiles for sm_90 with nvcc 13 and NVRTC 13; its functions agree with the CPU kernel to
rounding, and the kernel itself, executed on processor threads with real barriers, gives the same runs without
data races (tests/kernels). It has not been run on a device yet, and nothing is known of its speed.
"""

from __future__ import annotations

import functools
from dataclasses import fields
from importlib.resources import files
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from scalinglaws.kernels import dense
from scalinglaws.kernels.bundle import Bundle
from scalinglaws.kernels.cpu import Map

__all__ = ["advance", "available", "fetch", "layout", "load", "reduce_features", "why_not"]

Floats: TypeAlias = NDArray[np.float64]

_THREADS = 256
_MOST_QUADS = 4  # per thread in registers: 174 of the 255 registers a thread can have


def why_not() -> str:
    """Say why there is no usable device, or nothing when there is one."""
    try:
        import cupy
    except ImportError:
        return "CuPy is not installed (pip install 'scalinglaws[gpu]')"
    return "" if cupy.cuda.is_available() else "CuPy finds no CUDA device"


@functools.cache
def available() -> bool:
    """Whether this backend can run here."""
    return not why_not()


def layout(quads: int) -> tuple[int, int]:
    """Choose (QUADS, THREADS) for runs of at most `quads` Philox blocks; QUADS = 0 keeps modes in memory.

    Examples
    --------
    >>> layout(251), layout(1000), layout(25_001)
    ((1, 256), (4, 256), (0, 512))
    """
    for per_thread in (1, 2, _MOST_QUADS):
        if quads <= per_thread * _THREADS:
            return per_thread, _THREADS
    return 0, 2 * _THREADS


@functools.cache
def _kernel(quads: int, threads: int) -> Any:
    import cupy

    source = files("scalinglaws.kernels").joinpath("sgd.cu").read_text()
    options = ("--std=c++17", f"-DQUADS={quads}", f"-DTHREADS={threads}")
    return cupy.RawModule(code=source, options=options).get_function("advance_runs")


def reduce_features(matrix: Floats, target: Floats) -> tuple[Floats, Floats, float]:
    """Do `dense.reduce_features` on the device, from and to NumPy arrays."""
    import cupy

    eigenvalues, rho, distance = dense.reduce_features(cupy.asarray(matrix), cupy.asarray(target), cupy)
    return fetch(eigenvalues), fetch(rho), distance


def load(bundle: Bundle) -> Bundle:
    """Put a bundle where this backend computes."""
    import cupy

    return Bundle(**{f.name: cupy.asarray(getattr(bundle, f.name)) for f in fields(bundle)})


def fetch(array: Any) -> NDArray[Any]:
    """Bring an array of a loaded bundle back to NumPy."""
    import cupy

    return np.asarray(cupy.asnumpy(array))


def advance(
    bundle: Bundle,
    first: int,
    lr: NDArray[np.float64],
    batch: NDArray[np.int64],
    record: NDArray[np.int64],
    out: NDArray[np.float64],
    run_map: Map,
) -> None:
    """Take one chunk of updates in every run that is still going: `cpu.advance`, with `run_map` not used."""
    import cupy

    del run_map
    runs = bundle.risk.size
    quads, threads = layout(int(cupy.diff(bundle.problem_at).max()) // 4)
    scratch = cupy.empty_like(bundle.error) if quads == 0 else bundle.error
    recorded = cupy.empty((runs, record.size))
    arguments = (
        *(bundle.eigenvalues, bundle.problem_at, bundle.problem, bundle.keys),
        *(bundle.error, bundle.error_at, scratch, bundle.risk, bundle.status, bundle.ceiling),
        *(np.uint64(first), cupy.asarray(lr), cupy.asarray(batch), np.int64(lr.shape[1])),
        *(cupy.asarray(record), np.int64(record.size), recorded),
    )
    _kernel(quads, threads)((runs,), (threads,), arguments)
    out[...] = cupy.asnumpy(recorded)
