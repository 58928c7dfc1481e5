"""The Gram-matrix route to an instance against the QR route of the model."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from scalinglaws._random import seed_sequence
from scalinglaws.kernels import gpu
from scalinglaws.kernels.dense import reduce_features
from scalinglaws.models import PLRF
from scalinglaws.simulation.features import features_of


@pytest.mark.parametrize(("alpha", "beta"), [(0.4, 1.0), (1.0, 0.7), (1.5, 0.3)])
def test_same_instance_as_by_qr(alpha, beta):
    model, seed = PLRF(alpha=alpha, beta=beta, d=60), seed_sequence(1)
    features, by_qr = features_of(model, seed), model.instance(seed)
    eigenvalues, rho, irreducible = reduce_features(features.matrix, features.target)
    np.testing.assert_allclose(eigenvalues, by_qr.eigenvalues, rtol=1e-8)
    np.testing.assert_allclose(np.abs(rho), np.abs(by_qr.rho), rtol=1e-6, atol=1e-9)
    assert irreducible == pytest.approx(by_qr.irreducible, rel=1e-8)


def test_rank_deficient_features_leave_zero_eigenvalues():
    matrix = np.ones((5, 3))
    eigenvalues, rho, irreducible = reduce_features(matrix, np.arange(5.0))
    np.testing.assert_allclose(eigenvalues, [15.0, 0.0, 0.0], rtol=1e-12)
    np.testing.assert_allclose(np.abs(rho), [10.0 / np.sqrt(5.0), 0.0, 0.0], rtol=1e-12)
    assert irreducible == pytest.approx(10.0)


def test_device_function_with_numpy_as_device(monkeypatch):
    stand_in = SimpleNamespace(asarray=np.array, asnumpy=np.asarray, linalg=np.linalg, where=np.where, sqrt=np.sqrt)
    monkeypatch.setitem(sys.modules, "cupy", stand_in)
    features = features_of(PLRF(alpha=1.0, beta=0.7, d=8), seed_sequence(0))
    on_device = gpu.reduce_features(features.matrix, features.target)
    for ours, theirs in zip(on_device, reduce_features(features.matrix, features.target), strict=True):
        np.testing.assert_array_equal(ours, theirs)
