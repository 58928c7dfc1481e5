"""Which backend computes: `resolve("auto")` takes a CUDA device when there is one, else the processor."""

from __future__ import annotations

from types import ModuleType

from scalinglaws.errors import InputError, require
from scalinglaws.kernels import cpu, gpu

__all__ = ["BACKENDS", "resolve"]

BACKENDS = ("auto", "cpu", "gpu")


def resolve(backend: str) -> ModuleType:
    """Return the module `cpu` or `gpu`; both hold the same functions with the same signatures.

    Raises
    ------
    InputError
        When the name is unknown, or "gpu" is asked for and there is no usable device.

    Examples
    --------
    >>> resolve("cpu").__name__
    'scalinglaws.kernels.cpu'
    """
    require(backend in BACKENDS, "backend", backend, f"must be one of {', '.join(BACKENDS)}")
    if backend == "cpu":
        return cpu
    if gpu.available():
        return gpu
    if backend == "gpu":
        raise InputError(f"backend = 'gpu': {gpu.why_not()}; use backend='cpu'")
    return cpu
