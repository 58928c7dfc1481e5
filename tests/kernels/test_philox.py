"""The random numbers: published vectors, the naive generator, and the laws of normals and chi-squares."""

import numpy as np
import pytest
from scipy import stats

from scalinglaws.kernels.philox import chi_square, minus_log, normals, philox4x32
from tests.naive import sgd as naive

# kat_vectors of Random123 1.14 for philox4x32, 10 rounds: counter, key, expected
KNOWN = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_published_vectors(counter, key, expected):
    assert list(philox4x32(*np.array(counter + key, dtype=np.uint32))) == expected
    assert naive.philox4x32(counter, key) == expected


def test_agrees_with_the_naive_generator():
    words = np.random.default_rng(0).integers(2**32, size=(50, 6), dtype=np.uint32)
    for row in words:
        assert list(philox4x32(*row)) == naive.philox4x32(row[:4].tolist(), row[4:].tolist())


def test_logarithm_is_correct_to_rounding():
    u = np.concatenate([10.0 ** -np.linspace(0.001, 12, 2000), np.linspace(0.6, 1.6, 2000), [1e300, 1e-300]])
    ours = np.array([minus_log(x) for x in u])
    np.testing.assert_allclose(ours, -np.log(u), rtol=4e-16, atol=1e-18)


def draws(count, *, key=(1, 2, 3), first=0, size=4000):
    out = np.empty((count, size))
    for t in range(count):
        normals(out[t], first + t, np.array(key, dtype=np.uint32))
    return out


def test_normals_follow_the_normal_law():
    z = draws(1000).ravel()
    assert stats.kstest(z[::7], "norm").pvalue > 1e-3
    for power, moment, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)]:
        assert abs(np.mean(z**power) - moment) < 4 * np.sqrt(variance / z.size)
    tail = np.mean(np.abs(z) > 4.0)
    assert abs(tail - 2 * stats.norm.sf(4.0)) < 4 * np.sqrt(2 * stats.norm.sf(4.0) / z.size)


def test_normals_are_uncorrelated_within_and_across_steps():
    z = draws(2000, size=400)
    for a, b in [
        (z[:, :100], z[:, 100:200]),
        (z[:, :200], z[:, 200:]),
        (z[1:], z[:-1]),
        (z[:, 1:], z[:, :-1]),
    ]:
        for f in (np.asarray, np.square):
            x, y = f(a).ravel(), f(b).ravel()
            assert abs(np.corrcoef(x, y)[0, 1]) < 4 / np.sqrt(x.size)


def test_each_word_of_the_key_and_of_the_step_matters():
    base = draws(1)
    others = [draws(1, key=key) for key in ((0, 2, 3), (1, 0, 3), (1, 2, 0))]
    others += [draws(1, first=step) for step in (1, 2**31, 2**32, 2**40)]
    for other in others:
        assert not np.any(base == other)


def test_normals_of_a_prefix_do_not_depend_on_the_length_of_a_block_row():
    key = np.array([5, 6, 7], dtype=np.uint32)
    short, long = np.empty(8), np.empty(400)
    normals(short, 3, key)
    normals(long, 3, key)
    np.testing.assert_array_equal(short.reshape(4, 2), long.reshape(4, 100)[:, :2])


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 32, 1001])
def test_chi_square_follows_its_law(degrees):
    key = np.array([3, 1, 4], dtype=np.uint32)
    x = np.array([chi_square(degrees, t, key) for t in range(20_000)])
    assert stats.kstest(x, "chi2", (degrees,)).pvalue > 1e-3
    assert abs(x.mean() - degrees) < 4 * np.sqrt(2 * degrees / x.size)
