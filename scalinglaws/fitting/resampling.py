"""What a resampled table looks like: rows drawn in groups, or new noise around the fitted surface.

Groups say what is drawn, or gets its sign, as a whole: a run, a cluster (checkpoints of one run, one sweep), a
configuration (rows that share N and D: seeds of one run), or any labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError, require
from scalinglaws.fitting.derivatives import hat_basis

if TYPE_CHECKING:
    from scalinglaws.fitting.problem import Problem
    from scalinglaws.fitting.result import Fit

__all__ = [
    "BY",
    "KINDS",
    "MANY_ROWS",
    "WEIGHTS",
    "Tables",
    "check_weights",
    "drawn",
    "grouped",
    "inflated_residuals",
    "noise",
    "resampled_tables",
    "wild_noise",
    "with_noise",
]

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

KINDS = ("residual", "wild", "pairs")
"""Ways to resample."""

MANY_ROWS = 30
"""From this many single rows on `wild` is the default; below, `residual`, whose scale knows its degrees of freedom."""

_LEAST_KEPT = 0.05

BY = ("run", "cluster", "configuration")
"""What can be resampled as a whole, besides given labels."""

WEIGHTS = {
    "rademacher": (np.array([-1.0, 1.0]), np.array([0.5, 0.5])),
    "webb": (np.sqrt([1.5, 1.0, 0.5, 1.5, 1.0, 0.5]) * [-1, -1, -1, 1, 1, 1], np.full(6, 1.0 / 6.0)),
    "mammen": (
        np.array([1.0 - np.sqrt(5.0), 1.0 + np.sqrt(5.0)]) / 2.0,
        np.array([np.sqrt(5.0) + 1.0, np.sqrt(5.0) - 1.0]) / (2.0 * np.sqrt(5.0)),
    ),
}
"""What a group's residuals are multiplied by in the wild bootstrap, and with which probability: mean 0, variance 1.

Webb's six points serve few groups, for which two signs give few different tables; Mammen's keep a skewed noise skewed.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """Resampled tables, and how they were made.

    Parameters
    ----------
    kind, by, weights
        One of `KINDS`; what was drawn as a whole; the weights of "wild", else None.
    groups
        How many such wholes there are.
    weight, measured
        Weight and measured loss of each row in each table, shape (replicates, rows).
    redrawn
        Tables with too few distinct (N, D) to be fitted, which were drawn again.
    """

    kind: str
    by: str
    weights: str | None
    groups: int
    weight: Array
    measured: Array
    redrawn: int


def resampled_tables(
    fit: Fit,
    problem: Problem,
    replicates: int,
    *,
    kind: str | None,
    by: str | ArrayLike,
    weights: str | None,
    generator: np.random.Generator,
) -> Tables:
    """Return resampled tables; arguments as in `Fit.bootstrap`, None for the defaults.

    Raises
    ------
    InputError
        For unknown or contradictory choices, a single group, or when resampled pairs could not be fitted.
    """
    labels, word = grouped(fit, by)
    groups, table = int(labels.max()) + 1, fit.table
    kind = _kind(kind, word, weights, table.rows)
    weight = np.broadcast_to(table.weight, (replicates, table.rows))
    measured = np.broadcast_to(table.column(fit.law.target), weight.shape)
    redrawn = 0
    if kind == "pairs":
        counts, redrawn = drawn(fit, problem, labels, replicates, generator)
        weight = weight * counts
    elif kind == "wild":
        weights = check_weights(fit, weights, groups)
        measured = with_noise(fit, wild_noise(fit, problem, labels, weights, replicates, generator))
    else:
        measured = with_noise(fit, noise(fit, problem, replicates, table.rows, generator))
    return Tables(kind=kind, by=word, weights=weights, groups=groups, weight=weight, measured=measured, redrawn=redrawn)


def _kind(kind: str | None, word: str, weights: str | None, rows: int) -> str:
    """Return the kind to use: for few single runs their residuals, else wild."""
    if kind is None:
        kind = "residual" if weights is None and word == "run" and rows < MANY_ROWS else "wild"
    if kind not in KINDS:
        raise InputError(f"kind = {kind!r}: must be one of {', '.join(KINDS)}")
    if kind == "residual" and word != "run":
        raise InputError(f"kind = 'residual': resamples single rows; use 'pairs' or 'wild' by {word}")
    if weights is not None and kind != "wild":
        raise InputError(f"weights = {weights!r}: belong to kind='wild', not {kind!r}")
    return kind


def grouped(fit: Fit, by: str | ArrayLike) -> tuple[Labels, str]:
    """Return the group of each row, numbered from 0, and the word for what a group is.

    Raises
    ------
    InputError
        For an unknown word, labels of another length, or a single group.
    """
    table = fit.table
    if isinstance(by, str):
        if by not in BY:
            raise InputError(f"by = {by!r}: must be one of {', '.join(BY)}, or one label for each row")
        if by == "configuration":
            pairs = np.stack([table.params, table.tokens], axis=1)
            _, labels = np.unique(pairs, axis=0, return_inverse=True)
        else:
            _, labels = np.unique(table.run if by == "run" else table.cluster, return_inverse=True)
        word = by
    else:
        given = np.asarray(by)
        require(given.shape == (table.rows,), "by: shape", given.shape, f"must be {(table.rows,)}, one label a row")
        _, labels = np.unique(given.astype(str), return_inverse=True)
        word = "label"
    labels = labels.ravel()
    require(int(labels.max()) >= 1, "by", word, "puts every row into one group, so there is nothing to resample")
    return labels, word


def drawn(
    fit: Fit, problem: Problem, labels: Labels, replicates: int, generator: np.random.Generator
) -> tuple[Array, int]:
    """Return how often each row is drawn, shape (replicates, rows), and how many resamples had to be redrawn.

    Raises
    ------
    InputError
        When the groups hold too few distinct (N, D) for the law.
    """
    groups = int(labels.max()) + 1
    pairs = np.stack([fit.table.column(name) for name in fit.law.covariates], axis=1)
    _, design = np.unique(pairs, axis=0, return_inverse=True)
    need = int(np.sum(~problem.held))
    membership = np.zeros((labels.size, int(design.max()) + 1))
    membership[np.arange(labels.size), design.ravel()] = 1.0
    counts = np.zeros((replicates, labels.size))
    poor, redrawn = np.arange(replicates), 0
    for _ in range(1000):
        draws = generator.multinomial(groups, np.full(groups, 1.0 / groups), size=poor.size)
        counts[poor] = draws[:, labels]
        poor = poor[((counts[poor] @ membership) > 0).sum(axis=1) < need]
        if poor.size == 0:
            return counts, redrawn
        redrawn += poor.size
    raise InputError(
        f"bootstrap: {groups} {'groups' if groups < labels.size else 'rows'} hold too few distinct (N, D) to be "
        "resampled in pairs; use kind='residual'"
    )


def inflated_residuals(fit: Fit, free: int) -> Array:
    """Return measured minus fitted, on the estimator's scale, centred, with the root mean square of the noise.

    The fit has used up `free` degrees of freedom: residuals are too small by sqrt(1 - free/rows).
    """
    residuals = _residuals(fit)
    centred = residuals - residuals.mean()
    size = float(np.sqrt(np.mean(centred**2)))
    target = float(np.sqrt(np.sum(residuals**2) / max(residuals.size - free, 1)))
    return np.asarray(centred * (target / size) if size > 0 else centred)


def noise(fit: Fit, problem: Problem, replicates: int, columns: int, generator: np.random.Generator) -> Array:
    """Return resampled residuals of the predictive scale, shape (replicates, columns).

    Each replicate has its own scale, divided by sqrt(chi^2/dof) as in Student's t: with ten degrees of freedom the
    scale itself is uncertain by a fifth, and intervals without that factor cover too little.
    """
    free = int(np.sum(~problem.held))
    pool, dof = inflated_residuals(fit, free), fit.table.rows - free
    scale = np.sqrt(dof / generator.chisquare(dof, size=(replicates, 1)))
    draws = generator.choice(pool, size=(replicates, columns))
    if np.isfinite(fit.estimator.delta):
        draws = draws + _roughness(pool) * generator.standard_normal(draws.shape)
    return np.asarray(draws * scale)


def _roughness(pool: Array) -> float:
    """Return the kernel width that smooths a pool of residuals for a robust estimator (Silverman 1986, eq. 3.31).

    Such a fit passes nearly exactly through as many rows as it has parameters. Resampled as they are, those zeros make
    the noise look more peaked, and medians of it less uncertain, than they are (De Angelis, Hall & Young 1993).
    """
    quarter, three = np.quantile(pool, [0.25, 0.75])
    spread = min(float(np.std(pool)), float(three - quarter) / 1.349)
    return 0.9 * spread * float(pool.size**-0.2)


def wild_noise(
    fit: Fit, problem: Problem, labels: Labels, weights: str, replicates: int, generator: np.random.Generator
) -> Array:
    """Return left-out residuals, each group's times one random weight, shape (replicates, rows).

    The residual of a group is the one it would have had it been left out, to first order: (1 - H)^-1 r with H the
    group's block of the hat matrix (HC3 for single rows, MacKinnon & White 1985; CR3 for groups). What only the group
    itself determines, to 95 % or more, has no such residual; there the factor stays 20.
    """
    basis = hat_basis(problem, fit.theta, fit.table)
    residuals = _residuals(fit)
    left_out = np.empty_like(residuals)
    for group in range(int(labels.max()) + 1):
        rows = labels == group
        keep = np.eye(int(rows.sum())) - basis[rows] @ basis[rows].T
        kept, along = np.linalg.eigh(keep)
        left_out[rows] = along @ ((along.T @ residuals[rows]) / np.maximum(kept, _LEAST_KEPT))
    points, chances = WEIGHTS[weights]
    shape = (replicates, int(labels.max()) + 1)
    draws = left_out * generator.choice(points, p=chances, size=shape)[:, labels]
    if np.isfinite(fit.estimator.delta):
        alike = _alike(residuals, labels)
        common, own = generator.standard_normal(shape)[:, labels], generator.standard_normal(draws.shape)
        draws = draws + _roughness(left_out) * (np.sqrt(alike) * common + np.sqrt(1.0 - alike) * own)
    return np.asarray(draws)


def _alike(residuals: Array, labels: Labels) -> float:
    """Return the correlation of residuals within groups, between 0 and 1; 1 for groups of one row each."""
    sums, squares, sizes = (np.bincount(labels, w) for w in (residuals, residuals**2, np.ones_like(residuals)))
    pairs = float(np.sum((sizes - 1.0) * squares))
    return float(np.clip(np.sum(sums**2 - squares) / pairs, 0.0, 1.0)) if pairs > 0 else 1.0


def with_noise(fit: Fit, draws: Array) -> Array:
    """Return losses around the fitted surface for noise of shape (replicates, rows)."""
    fitted = fit.fitted()
    return np.asarray(fitted * np.exp(np.clip(draws, -300.0, 300.0)) if fit.estimator.log else fitted + draws)


def _residuals(fit: Fit) -> Array:
    return -fit.estimator.residuals(fit.fitted(), fit.table.column(fit.law.target))


def check_weights(fit: Fit, weights: str | None, groups: int) -> str:
    """Return the weights to use: by default Webb's for fewer than a dozen groups, signs otherwise.

    Raises
    ------
    InputError
        For an unknown name, or Mammen's weights with a robust estimator, which they would bias.
    """
    if weights is None:
        return "webb" if groups < 12 else "rademacher"
    if not isinstance(weights, str) or weights not in WEIGHTS:
        raise InputError(f"weights = {weights!r}: must be one of {', '.join(WEIGHTS)}")
    robust = bool(np.isfinite(fit.estimator.delta))
    require(
        not (robust and weights == "mammen"),
        "weights",
        weights,
        f"their median is not zero, which the estimator {fit.estimator.name} would follow; use rademacher or webb",
    )
    return weights
