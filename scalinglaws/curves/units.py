"""Units of a loss: everything becomes nats per token, and the unit read off a column name is noted.

===============  ==========================================  =========================
unit             nats per token                              guessed from names with
===============  ==========================================  =========================
nats/token       loss                                        (the default)
bits/token       loss x ln 2                                 bpt, bits_per_token
bits/byte        loss x ln 2 x bytes per token               bpb, bits_per_byte
perplexity       ln loss                                     ppl, perplexity
===============  ==========================================  =========================
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scalinglaws.curves.columns import normalise
from scalinglaws.errors import InputError, require

__all__ = ["UNITS", "guess_unit", "parse_unit", "to_nats"]

UNITS = ("nats/token", "bits/token", "bits/byte", "perplexity")

_MARKS = {
    "bpb": "bits/byte",
    "bits_per_byte": "bits/byte",
    "bits_byte": "bits/byte",
    "bpt": "bits/token",
    "bits_per_token": "bits/token",
    "bits_token": "bits/token",
    "bits": "bits/token",
    "ppl": "perplexity",
    "perplexity": "perplexity",
    "nats_token": "nats/token",
    "nats_per_token": "nats/token",
    "nats": "nats/token",
}


def guess_unit(column: str) -> str:
    """Guess the unit of a loss from the name of its column.

    Examples
    --------
    >>> guess_unit("val_loss"), guess_unit("eval/bpb"), guess_unit("Perplexity")
    ('nats/token', 'bits/byte', 'perplexity')
    """
    padded = f"_{normalise(column)}_"
    return next((unit for mark, unit in _MARKS.items() if f"_{mark}_" in padded), "nats/token")


def parse_unit(text: str, name: str = "loss_unit") -> str:
    """Return the unit that `text` spells; an unknown one is an `InputError`.

    Examples
    --------
    >>> parse_unit("BPB"), parse_unit("nats/token")
    ('bits/byte', 'nats/token')
    """
    unit = text if text in UNITS else _MARKS.get(normalise(text))
    if unit is None:
        raise InputError(f"{name} = {text[:60]!r}: must be one of {', '.join(UNITS)}")
    return unit


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite is the caller's to judge
def to_nats(
    loss: NDArray[np.float64], unit: str, bytes_per_token: float | None = None, *, name: str = "loss"
) -> NDArray[np.float64]:
    """Convert a loss to nats per token.

    Parameters
    ----------
    loss
        Values in `unit`; not-a-number and infinity pass through.
    unit
        One of `UNITS`.
    bytes_per_token
        Mean length of a token, needed for bits/byte.
    name
        What the sentences call the loss.

    Raises
    ------
    InputError
        When bits/byte come without `bytes_per_token`, or a perplexity is not above 1.

    Examples
    --------
    >>> to_nats(np.array([1.0]), "bits/byte", bytes_per_token=4.0).round(4)
    array([2.7726])
    """
    if unit == "perplexity":
        low = loss[loss <= 1.0]
        require(low.size == 0, f"{name}: perplexity", float(low[0]) if low.size else None, "must exceed 1")
        return np.asarray(np.log(loss))
    if unit == "bits/byte":
        if bytes_per_token is None:
            raise InputError(f"{name}: bits per byte need the mean length of a token; give bytes_per_token=")
        require(
            math.isfinite(bytes_per_token) and bytes_per_token > 0,
            "bytes_per_token",
            bytes_per_token,
            "must be positive",
        )
        return np.asarray(loss * (math.log(2.0) * bytes_per_token))
    return np.asarray(loss * math.log(2.0) if unit == "bits/token" else loss)
