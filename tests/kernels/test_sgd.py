"""One exact-in-law step and a run of many: laws, divergence, dead modes."""

import numpy as np
import pytest

from scalinglaws.kernels import sgd
from scalinglaws.kernels.bundle import Problem, pack
from tests.naive import sgd as naive

RHO = np.array([1.0, -0.5, 0.25, 0.1])
IRREDUCIBLE = 0.3


def bundle(replicates=1, rho=RHO, irreducible=IRREDUCIBLE, eigenvalues=None):
    keys = np.random.SeedSequence(11).generate_state(3 * replicates).reshape(replicates, 3)
    lam = np.ones(rho.size) if eigenvalues is None else eigenvalues
    return pack([Problem(eigenvalues=lam, rho=rho, irreducible=irreducible, keys=keys)], 1e50)


def advance(b, lr, batch, record, key=None, first=0):
    n = record[-1] - first
    out = np.empty(len(record))
    size = b.eigenvalues.size
    risk, status = sgd.advance_run(
        b.error[:size],
        b.eigenvalues,
        np.empty(size),
        b.keys[0] if key is None else key,
        first,
        np.full(n, lr),
        np.full(n, batch),
        np.array(record),
        out,
        b.risk[0],
        b.ceiling[0],
    )
    return out, risk, status


def one_step_sums(batch, count):
    """sum_i e_i w_i of `count` minibatches as the kernel draws them: one step, eigenvalues and rate 1."""
    b = bundle()
    start, sums = b.error.copy(), np.empty((count, RHO.size))
    for i in range(count):
        b.error[:] = start
        advance(b, 1.0, batch, [i + 1], first=i)
        sums[i] = (start - b.error)[: RHO.size]
    return sums


@pytest.mark.parametrize("batch", [1, 4, 32])
def test_minibatch_law(batch):
    """Mean and covariance against the closed form, and both against samples drawn one by one."""
    count = 40_000
    ours = one_step_sums(batch, count)
    rng = np.random.default_rng(5)
    drawn = np.array([naive.minibatch_sum(RHO, IRREDUCIBLE, batch, rng) for _ in range(count // batch)])
    mean, covariance = naive.minibatch_moments(RHO, IRREDUCIBLE, batch)
    for sums in (ours, drawn):
        assert np.all(np.abs(sums.mean(0) - mean) < 4 * np.sqrt(np.diag(covariance) / len(sums)))
        products = np.einsum("ni,nj->nij", sums - mean, sums - mean)
        error = products.std(0) / np.sqrt(len(sums))
        assert np.all(np.abs(products.mean(0) - covariance) < 4 * error)
    fourth = [np.sum(s**2, axis=1) ** 2 for s in (ours, drawn)]  # beyond what the moments above pin down
    error = np.hypot(*(f.std() / np.sqrt(f.size) for f in fourth))
    assert abs(fourth[0].mean() - fourth[1].mean()) < 4 * error


def test_step_is_the_identity_of_the_reduction():
    """With xi and chi^2 given, the update is chi^2 (rho, sigma) + R sqrt(chi^2) (xi - (r . xi) r)."""
    b = bundle(eigenvalues=np.array([1.0, 0.5, 0.25, 0.125]))
    full = b.error.copy()
    xi = np.random.default_rng(0).standard_normal(b.error.size)
    size = np.sqrt(full @ full)
    r = full / size
    expected = full - 0.1 * b.eigenvalues * (3.0 * full + size * np.sqrt(3.0) * (xi - (r @ xi) * r))
    for function in (sgd.step, sgd.step.py_func):
        error = full.copy()
        risk = function(error, b.eigenvalues, xi, 3.0, 0.1, b.risk[0])
        np.testing.assert_allclose(error, expected, rtol=1e-14)
        np.testing.assert_allclose(risk, error @ error, rtol=1e-14)


def test_irreducible_part_never_moves():
    b = bundle()
    advance(b, 0.01, 4, [1000])
    assert b.error[RHO.size] == np.sqrt(IRREDUCIBLE)


def test_records_do_not_change_the_run():
    dense, few = bundle(), bundle()
    every, risk, _ = advance(dense, 0.02, 2, list(range(1, 201)))
    some, _, _ = advance(few, 0.02, 2, [1, 50, 200])
    np.testing.assert_array_equal(every[[0, 49, 199]], some)
    assert risk == some[-1]


def test_divergence_is_a_status_and_the_rest_is_inf():
    out, risk, status = advance(bundle(), 10.0, 4, [1, 2, 5000, 6000])
    assert status == sgd.DIVERGED
    assert risk > 1e50
    assert np.isfinite(out[:2]).all()
    assert np.isinf(out[2:]).all()


def test_overflow_is_divergence_too():
    out, _, status = advance(bundle(), 1e300, 4, [1, 2])
    assert status == sgd.DIVERGED
    assert np.isinf(out).all()


def test_no_error_at_all_stays_so():
    out, risk, status = advance(bundle(rho=np.zeros(3), irreducible=0.0), 0.1, 4, [10])
    assert (out[0], risk, status) == (0.0, 0.0, sgd.RUNNING)


def test_dead_modes_become_zero_not_denormal():
    b = bundle(irreducible=0.0)
    _, risk, status = advance(b, 0.05, 4, [20_000])
    assert (risk, status) == (0.0, sgd.RUNNING)
    assert np.all(b.error == 0.0)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 8, 63])
def test_any_size_is_padded_without_effect(d):
    rho = np.linspace(1.0, 0.5, d)
    keys = np.zeros((2, 3), dtype=np.uint32)
    b = pack([Problem(eigenvalues=np.ones(d), rho=rho, irreducible=0.1, keys=keys)], 1e50)
    assert b.error.size % 8 == 0
    np.testing.assert_allclose(b.risk, rho @ rho + 0.1)
    advance(b, 0.001, 2, [100])
    assert np.all(b.error[d + 1 : b.eigenvalues.size] == 0.0)
