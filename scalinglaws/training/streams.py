"""Fresh samples by counter: the draws of an update follow from the seed and the step alone.

A resumed run therefore needs no record of its generator, and runs of different size under one seed see the same
samples. The generator is Philox (Salmon et al., SC'11): the seed is its key, the step a word of its counter that
the draws of one update cannot reach.
"""

from __future__ import annotations

import numpy as np

__all__ = ["CURVATURE", "HELDOUT", "MEASURED", "SAMPLES", "TARGET", "generator_at"]

SAMPLES, HELDOUT, TARGET, MEASURED, CURVATURE = 2, 3, 4, 5, 6
"""What a stream is for: first word of the key of its seed sequence (0 and 1 belong to `scalinglaws._random`)."""


def generator_at(seed: int, stream: int, step: int = 0) -> np.random.Generator:
    """Return the generator of update `step` in one stream of a seed.

    Examples
    --------
    >>> again, other = generator_at(7, SAMPLES, 5), generator_at(7, SAMPLES, 6)
    >>> first = generator_at(7, SAMPLES, 5).random(2)
    >>> (again.random(2) == first).all(), (other.random(2) == first).any()
    (np.True_, np.False_)
    """
    key = np.random.SeedSequence(seed, spawn_key=(stream,)).generate_state(2, np.uint64)
    counter = np.array([0, 0, step, 0], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(counter=counter, key=key))
