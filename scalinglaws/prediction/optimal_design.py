"""c-optimal design: which candidates, added to a table, lower the variance of one quantity most.

To first order the variance of a target with gradient g is g' M^-1 g times that of the noise, M the sum over runs of
the outer products of the derivatives of log loss (Pukelsheim 2006, chapter 2); a run adds one such product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError, require
from scalinglaws.fitting.derivatives import free_parameters, log_surface, slope
from scalinglaws.fitting.quantities import evaluate, places, positive
from scalinglaws.fitting.table import Table

if TYPE_CHECKING:
    from scalinglaws.fitting.result import Fit

__all__ = ["Pool", "Target", "candidates_for", "choose", "given_candidates", "ordered"]

Array = NDArray[np.float64]

_SIZES = 25  # of candidates
_RATIOS = 17
_STRETCH = 5.0  # ratios of candidates beyond those of the table, on either side
_REACH = 10.0  # largest N and D of candidates over those of the table
_ROUNDS = 20  # of exchange


@dataclass(frozen=True, slots=True)
class Pool:
    """Candidates: their costs, their derivatives of log loss by the free parameters, and what may be spent."""

    cost: Array
    rows: Array
    budget: float


@dataclass(frozen=True, slots=True)
class Target:
    """The information of the table, and the gradient of the log of the target."""

    words: str
    value: float
    noise: float
    information: Array
    gradient: Array
    variance: float
    derivatives: Callable[[Array, Array], Array]

    @classmethod
    def of(cls, fit: Fit, target: str, at: dict[str, ArrayLike]) -> Target:
        """Linearise a fit and a target.

        Raises
        ------
        InputError
            For a target that is unknown, held or not a positive number, or a law that the table does not determine.
        """
        require(target != "loss", "target", target, "has noise of its own; plan for 'surface', the law's loss")
        where = places("plan", target, fit.law, at)
        for key, array in where.items():
            require(array.ndim == 0, key, at[key], "must be one number")
        require(target not in fit.fixed, "target", target, "is held in this fit, so no run can teach anything about it")
        problem, theta = fit.problem(), fit.theta
        which = free_parameters(problem, theta)

        def quantity(batch: Array) -> Array:
            with np.errstate(divide="ignore"):
                return np.log(evaluate(fit.law, problem.to_values(batch), target, where))

        def derivatives(n: Array, d: Array) -> Array:
            table = Table(params=n, tokens=d, loss=np.ones(n.size))
            return slope(lambda t: log_surface(problem, t, table), theta, which)

        value, gradient = float(quantity(theta[None])[0]), slope(quantity, theta, which)
        require(bool(np.isfinite(value)), f"target {target}", float(np.exp(value)), "has no finite positive value")
        rows = derivatives(fit.table.params, fit.table.tokens)
        residuals = fit.residuals()
        free = max(fit.table.rows - which.size, 1)
        noise = float(np.sqrt(np.sum(fit.table.weight * residuals**2) / free))
        known = problem.pull * problem.objective_unit / max(fit.prior.scale, 1e-300)  # the prior's 1/sd^2
        information = rows.T @ (fit.table.weight[:, None] * rows) + noise**2 * np.diag(known[which])
        place = ", ".join(f"{key} = {float(v):.3g}" for key, v in where.items())
        return cls(
            words=f"{target} at {place}" if place else target,
            value=float(np.exp(value)),
            noise=noise,
            information=information,
            gradient=gradient,
            variance=_variance(information, gradient),
            derivatives=derivatives,
        )

    def variance_after(self, rows: Array) -> float:
        """Return the variance of the log target, over that of the noise, once these runs are done."""
        return _variance(self.information + rows.T @ rows, self.gradient)


def _variance(information: Array, gradient: Array) -> float:
    """Return g' M^-1 g, in coordinates where M has a unit diagonal."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(information), 1e-300))
    matrix = information * np.outer(scale, scale)
    singular = np.linalg.eigvalsh(matrix)
    require(
        bool(singular.size > 0 and singular[0] > 1e-13),
        "table: smallest eigenvalue of its information",
        float(singular[0]) if singular.size else 0.0,
        "the table does not determine the law, so there is no interval to narrow; see check_design",
    )
    part = gradient * scale
    variance = float(part @ np.linalg.solve(matrix, part))
    require(variance > 0.0, "target: variance", variance, "the target does not depend on a free parameter")
    return variance


def candidates_for(table: Table, budget: float) -> tuple[Array, Array]:
    """Return sizes by ratios of tokens to parameters within reach of the table, and runs of a share of the budget.

    Shares are the whole, a half, a third and a quarter: a plan of a few runs then spends what there is.
    """
    ratio = table.tokens / table.params
    ratios = np.geomspace(ratio.min() / _STRETCH, ratio.max() * _STRETCH, _RATIOS)
    sizes = np.geomspace(table.params.min(), _REACH * table.params.max(), _SIZES)
    n, per_param = (grid.ravel() for grid in np.meshgrid(sizes, ratios, indexing="ij"))
    shares, steep = (grid.ravel() for grid in np.meshgrid(budget / np.arange(1.0, 5.0), ratios, indexing="ij"))
    n = np.concatenate([n, np.sqrt(shares / 6.0 / steep) * (1.0 - 1e-12)])
    d = n * np.concatenate([per_param, steep])
    inside = (n >= 0.999 * table.params.min()) & (n <= 1.001 * _REACH * table.params.max())
    inside &= (d >= 0.999 * table.tokens.min()) & (d <= 1.001 * _REACH * table.tokens.max())
    return n[inside], d[inside]


def given_candidates(candidates: tuple[ArrayLike, ArrayLike]) -> tuple[Array, Array]:
    """Return N and D of candidates that the user gave, or raise an `InputError`."""
    pair = isinstance(candidates, tuple | list) and len(candidates) == 2
    if not pair:
        raise InputError("candidates: must be two columns, N and D")
    n, d = (np.atleast_1d(positive(f"candidates: {name}", c)) for name, c in zip("ND", candidates, strict=True))
    require(n.ndim == 1 and n.shape == d.shape, "candidates: shapes", (n.shape, d.shape), "must be one, (k,)")
    return n, d


def choose(scene: Target, pool: Pool, runs: int) -> list[int]:
    """Return the better of two greedy plans, each improved by exchange."""
    plans = [_exchange(scene, pool, _greedy(scene, pool, runs, by_cost)) for by_cost in (False, True)]
    return min(plans, key=lambda plan: scene.variance_after(pool.rows[plan]))


def _gains(information: Array, gradient: Array, rows: Array) -> Array:
    """Return by how much each candidate alone would lower the variance (Sherman & Morrison)."""
    toward = np.linalg.solve(information, np.concatenate([gradient[:, None], rows.T], axis=1))
    along = rows @ toward[:, 0]
    return np.asarray(along**2 / (1.0 + np.einsum("ip,pi->i", rows, toward[:, 1:])))


def _greedy(scene: Target, pool: Pool, runs: int, by_cost: bool) -> list[int]:
    chosen: list[int] = []
    information, left = scene.information, pool.budget
    for _ in range(runs):
        gains = _gains(information, scene.gradient, pool.rows)
        gains = np.where(pool.cost <= left, gains / pool.cost if by_cost else gains, -np.inf)
        best = int(np.argmax(gains))
        if not np.isfinite(gains[best]):
            break
        chosen.append(best)
        left -= pool.cost[best]
        information = information + np.outer(pool.rows[best], pool.rows[best])
    return chosen


def _exchange(scene: Target, pool: Pool, chosen: list[int]) -> list[int]:
    """Swap single runs for better ones that the budget allows, until none helps (Fedorov 1972)."""
    plan, best = list(chosen), scene.variance_after(pool.rows[chosen])
    for _ in range(_ROUNDS):
        before = best
        for place in range(len(plan)):
            others = plan[:place] + plan[place + 1 :]
            information = scene.information + pool.rows[others].T @ pool.rows[others]
            gains = _gains(information, scene.gradient, pool.rows)
            affordable = pool.cost <= pool.budget - pool.cost[others].sum()
            swap = int(np.argmax(np.where(affordable, gains, -np.inf)))
            trial = scene.variance_after(pool.rows[[*others, swap]])
            if affordable[swap] and trial < best * (1.0 - 1e-9):
                plan, best = [*others, swap], trial
        if best >= before * (1.0 - 1e-6):
            break
    return plan


def ordered(scene: Target, pool: Pool, chosen: list[int]) -> tuple[list[int], Array]:
    """Return the runs in the order in which they help most, and the variance after each."""
    order: list[int] = []
    rest, left = list(chosen), []
    while rest:
        after = [scene.variance_after(pool.rows[[*order, k]]) for k in rest]
        best = int(np.argmin(after))
        order.append(rest.pop(best))
        left.append(after[best])
    return order, np.array(left)
