"""Units between tokenizers: there and back, and what is refused."""

import numpy as np
import pytest

from scalinglaws.curves import read_table
from scalinglaws.curves.tokenizers import from_nats, per_byte
from scalinglaws.curves.units import UNITS, to_nats
from scalinglaws.errors import InputError

LOSS = np.array([2.0, 2.5, 3.1])


@pytest.mark.parametrize("unit", UNITS)
def test_there_and_back(unit):
    assert to_nats(from_nats(LOSS, unit, 4.2), unit, 4.2) == pytest.approx(LOSS, rel=1e-14)


def test_known_values():
    assert from_nats(np.log(2.0), "bits/token") == pytest.approx(1.0)
    assert from_nats(4 * np.log(2.0), "bits/byte", 4.0) == pytest.approx(1.0)
    assert from_nats(np.log(20.0), "perplexity") == pytest.approx(20.0)


def test_a_table_keeps_its_tokens_and_flops():
    table = read_table({"N": [1e6, 2e6], "D": [2e7, 4e7], "loss": [3.5, 3.1]})
    turned = per_byte(table, 4.0)
    assert turned.bytes.values == pytest.approx(4 * table.tokens.values)
    assert turned.flops.values == pytest.approx(table.flops.values)
    assert turned.loss.values == pytest.approx(table.loss.values / (4 * np.log(2)))
    with pytest.raises(InputError, match="nats/token"):
        per_byte(turned, 4.0)


@pytest.mark.parametrize("length", [None, 0.0, -1.0, np.inf, np.nan])
def test_a_length_of_tokens_is_needed(length):
    with pytest.raises(InputError, match=r"bytes[_ ]per[_ ]token|mean length"):
        from_nats(LOSS, "bits/byte", length)


def test_unknown_units_are_refused():
    with pytest.raises(InputError, match="unit"):
        from_nats(LOSS, "bananas")
