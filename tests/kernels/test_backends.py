"""Both backends have the same face, and asking for a missing device is answered by a sentence."""

import inspect

import pytest

from scalinglaws.errors import InputError
from scalinglaws.kernels import backends, cpu, gpu


@pytest.mark.parametrize("name", cpu.__all__)
def test_same_names_and_signatures(name):
    assert name in gpu.__all__
    assert inspect.signature(getattr(cpu, name)) == inspect.signature(getattr(gpu, name))


def test_auto_takes_what_there_is():
    assert backends.resolve("auto") is (gpu if gpu.available() else cpu)


def test_unknown_backend_is_named():
    with pytest.raises(InputError, match="backend = 'tpu': must be one of auto, cpu, gpu"):
        backends.resolve("tpu")


def test_missing_device_is_a_sentence(monkeypatch):
    monkeypatch.setattr(gpu, "available", lambda: False)
    monkeypatch.setattr(gpu, "why_not", lambda: "CuPy finds no CUDA device")
    with pytest.raises(InputError, match=r"backend = 'gpu': CuPy finds no CUDA device; use backend='cpu'"):
        backends.resolve("gpu")


def test_the_reason_is_asked_by_a_call():
    assert bool(gpu.why_not()) is not gpu.available()
