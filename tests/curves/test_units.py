from __future__ import annotations

import numpy as np
import pytest

from scalinglaws.curves.units import UNITS, guess_unit, parse_unit, to_nats
from scalinglaws.errors import InputError
from tests.naive import curves as naive


@pytest.mark.parametrize("unit", UNITS)
def test_conversion_against_the_definition(unit):
    loss = np.array([1.2, 3.0, 40.0])
    expected = [naive.to_nats(x, unit, 4.2) for x in loss.tolist()]
    np.testing.assert_allclose(to_nats(loss, unit, 4.2), expected, rtol=1e-15)


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        ("val_loss", "nats/token"),
        ("val_bpb", "bits/byte"),
        ("bits per byte", "bits/byte"),
        ("loss_bits_per_token", "bits/token"),
        ("eval/ppl", "perplexity"),
        ("Validation Perplexity", "perplexity"),
        ("rabbits_loss", "nats/token"),
    ],
)
def test_units_are_guessed_from_whole_words(column, unit):
    assert guess_unit(column) == unit


def test_what_cannot_be_converted_is_refused():
    with pytest.raises(InputError, match=r"x: bits per byte need .* bytes_per_token"):
        to_nats(np.array([1.0]), "bits/byte", name="x")
    with pytest.raises(InputError, match=r"x: perplexity = 0\.5: must exceed 1"):
        to_nats(np.array([3.0, 0.5]), "perplexity", name="x")
    with pytest.raises(InputError, match=r"bytes_per_token = -1\.0: must be positive"):
        to_nats(np.array([1.0]), "bits/byte", -1.0)
    with pytest.raises(InputError, match="loss_unit = 'dB': must be one of nats/token"):
        parse_unit("dB")
