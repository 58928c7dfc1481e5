"""Random numbers: one rule that turns `rng=` into independent, reproducible streams (SPEC 7).

Every stream is a named child of one `numpy.random.SeedSequence`, found by its key alone and never by the
order in which streams are asked for. The package relies on two consequences: `solve(..., rng=7)` and
`simulate(..., rng=7)` draw the same random features, and replicate i is the same whoever computes it.

- `seed_sequence(rng)`  what to do with a user's `rng=`, once, at the entry of a public function;
- `instance_rng(seed)`  the generator of the model's frozen random features;
- `replicate_seed(seed, i)`  the stream of Monte Carlo replicate i;
- `describe(seed)`  text for `attrs["rng"]`, enough to start the same run again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from scalinglaws.errors import InputError

__all__ = ["RNGLike", "describe", "instance_rng", "replicate_seed", "restore", "seed_sequence"]

RNGLike: TypeAlias = int | np.integer | np.random.SeedSequence | np.random.Generator | None

_INSTANCE, _REPLICATE = 0, 1  # first word of a child's key: what the stream is for


def seed_sequence(rng: RNGLike = None) -> np.random.SeedSequence:
    """Turn a user's `rng=` into the seed sequence whose children are used.

    Parameters
    ----------
    rng
        None for fresh entropy; an integer >= 0; a seed sequence, used as it is and not advanced; or a
        generator, from which 128 bits are drawn, so that a second call with it gives other numbers.

    Raises
    ------
    InputError
        When `rng` is anything else.

    Examples
    --------
    >>> seed_sequence(7).entropy
    7
    >>> one, two = np.random.default_rng(7), np.random.default_rng(7)
    >>> seed_sequence(one).entropy == seed_sequence(two).entropy
    True
    """
    if isinstance(rng, np.random.SeedSequence):
        return rng
    if isinstance(rng, np.random.Generator):
        words = rng.integers(2**32, size=4, dtype=np.uint64)
        return np.random.SeedSequence(sum(int(word) << (32 * i) for i, word in enumerate(words)))
    if rng is None:
        return np.random.SeedSequence()
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0:
        return np.random.SeedSequence(int(rng))
    raise InputError(f"rng = {rng!r}: must be None, an integer >= 0, a SeedSequence or a Generator of NumPy")


def _child(seed: np.random.SeedSequence, *key: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, *key), pool_size=seed.pool_size)


def instance_rng(seed: np.random.SeedSequence) -> np.random.Generator:
    """Return the generator that draws the frozen random features W of a model.

    Examples
    --------
    >>> one, two = (instance_rng(seed_sequence(7)).standard_normal() for _ in range(2))
    >>> one == two
    True
    """
    return np.random.default_rng(_child(seed, _INSTANCE))


def replicate_seed(seed: np.random.SeedSequence, i: int) -> np.random.SeedSequence:
    """Return the seed sequence of Monte Carlo replicate `i`, the same for any number of workers.

    Examples
    --------
    >>> replicate_seed(seed_sequence(7), 2).spawn_key
    (1, 2)
    """
    return _child(seed, _REPLICATE, i)


def describe(seed: np.random.SeedSequence) -> str:
    """Write a seed sequence as JSON, to be kept with a result.

    Examples
    --------
    >>> describe(seed_sequence(7))
    '{"entropy": 7, "spawn_key": []}'
    """
    entropy = seed.entropy
    words = [int(word) for word in entropy] if isinstance(entropy, Sequence) else entropy
    return json.dumps({"entropy": words, "spawn_key": [int(word) for word in seed.spawn_key]})


def restore(text: str) -> np.random.SeedSequence:
    """Rebuild the seed sequence from `describe`: `rng=restore(ds.attrs["rng"])` repeats a run.

    Examples
    --------
    >>> restore(describe(seed_sequence(7))).generate_state(1) == seed_sequence(7).generate_state(1)
    array([ True])
    """
    return np.random.SeedSequence(**json.loads(text))
