"""Chinchilla's approaches on curves without noise: their bias is what is left."""

import numpy as np
import pytest

from scalinglaws.errors import InputError
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD, relative_lr
from scalinglaws.prediction.approaches import approaches
from scalinglaws.symbolic import phase

MODEL, OPT = PLRF(alpha=0.27, beta=0.9, d=100), SGD(lr=relative_lr(0.25))
FLOPS = np.geomspace(1e9, 1e12, 7)


def test_each_approach_is_labelled_and_the_limit_is_the_derived_one():
    ds = approaches(MODEL, OPT, FLOPS)
    assert ds["approach"].values.tolist() == ["frontier", "envelope", "isoflop", "limit"]
    limit = phase(0.27, 0.9)
    assert float(ds["size_exponent"].sel(approach="limit")) == limit.size_exponent
    assert float(ds["loss_exponent"].sel(approach="limit")) == limit.loss_exponent
    np.testing.assert_allclose(ds["size_bias"], ds["size_exponent"] - ds["size_exponent"].sel(approach="frontier"))


def test_a_ladder_never_beats_the_frontier_and_comes_close():
    ds = approaches(MODEL, OPT, FLOPS)
    ratio = (ds["risk"].sel(approach="envelope") / ds["risk"].sel(approach="frontier")).values
    assert np.all(ratio >= 1 - 1e-7)
    assert np.all(ratio < 1.06)


def test_the_bias_of_parabolas_comes_from_their_width():
    wide = approaches(MODEL, OPT, FLOPS, window=1.0)
    narrow = approaches(MODEL, OPT, FLOPS, window=0.125, sizes_per_decade=24)
    bias = [float(abs(ds["size_bias"].sel(approach="isoflop"))) for ds in (wide, narrow)]
    assert bias[0] > 0.01
    assert bias[1] < 0.1 * bias[0]


def test_a_denser_ladder_removes_the_bias_of_the_envelope():
    coarse = approaches(MODEL, OPT, FLOPS, sizes_per_decade=2)
    dense = approaches(MODEL, OPT, FLOPS, sizes_per_decade=32)
    bias = [float(abs(ds["size_bias"].sel(approach="envelope"))) for ds in (coarse, dense)]
    assert bias[0] > 0.01
    assert bias[1] < 0.1 * bias[0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"flops": [1e9]}, "two different budgets"),
        ({"sizes_per_decade": 0}, "sizes_per_decade"),
        ({"window": 0.1}, "three models"),
    ],
)
def test_what_cannot_be_fitted_is_refused(given, words):
    with pytest.raises(InputError, match=words):
        approaches(MODEL, OPT, **({"flops": [1e6, 1e7]} | given))
