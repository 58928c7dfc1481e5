"""Collocation matrices for blocks of noise dynamics, one set for each length a block may have.

They are those of `scalinglaws.theory.blocks`, in fractions of the block, and the bases in which the compiled
loop reads results between the nodes. A flow is the limit of infinitely many steps in a block, and the same
for every length.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.polynomial import chebyshev

from scalinglaws.kernels.noise_block import Rule
from scalinglaws.models.sums import gram_rule
from scalinglaws.theory.blocks import LOG_ORDER, collocation, forward_difference

__all__ = ["SHORTEST", "rules"]

ORDER = 6
"""Nodes of a block."""
SHORTEST = 128
"""Shortest block of steps; fewer are done one by one, which costs less."""
PER_OCTAVE = 2
"""Lengths between a length and its double."""
ENDLESS = 10**15
"""Steps in a block of a flow: the limit of infinitely many, to rounding."""


def rules(last: int, *, flow: bool) -> Rule:
    """Collect the rules for blocks of up to `last` steps.

    Examples
    --------
    >>> rules(1000, flow=False).length
    array([128., 181., 256., 362., 512., 724.])
    """
    if flow:
        return _stack((ENDLESS,))._replace(length=np.array([1.0]))
    octaves = max(0, math.floor(PER_OCTAVE * math.log2(max(last, SHORTEST) / SHORTEST)))
    return _stack(tuple(round(SHORTEST * 2.0 ** (k / PER_OCTAVE)) for k in range(octaves + 1)))


@lru_cache(maxsize=64)
def _stack(lengths: tuple[int, ...]) -> Rule:
    return Rule(*(np.ascontiguousarray(np.stack(column)) for column in zip(*map(_rule, lengths), strict=True)))


@lru_cache(maxsize=1024)
def _rule(n: int) -> Rule:
    nodes, difference, last = collocation(n, ORDER)
    u = np.concatenate([[-1.0], 2.0 * nodes / n - 1.0])
    log_nodes, _ = gram_rule(0.0, n - 1.0, LOG_ORDER)
    of_logs = forward_difference(2.0 * log_nodes / n - 1.0, 2.0 / n, LOG_ORDER)[:, 1:]
    return Rule(
        length=np.array(float(n)),
        x=nodes / n,
        difference=difference,
        last=last,
        series=np.linalg.inv(chebyshev.chebvander(u, ORDER)),
        log_x=log_nodes / n,
        log_sum=np.asarray(0.5 * np.linalg.inv(of_logs), dtype=np.float64),
    )
