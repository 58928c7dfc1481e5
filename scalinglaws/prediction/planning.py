"""What to run next: the runs within a budget of compute that narrow the interval of one quantity most.

`plan_runs` takes the fitted law as it is and asks, run by run, which (N, D) would teach most about the target, to
first order (`optimal_design`). The plan is as good as the law near the candidates, so they are kept within reach of
what has been run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import require, require_whole
from scalinglaws.fitting.quantities import positive
from scalinglaws.prediction.optimal_design import Pool, Target, candidates_for, choose, given_candidates, ordered

if TYPE_CHECKING:
    import pandas as pd

    from scalinglaws.fitting.result import Fit

__all__ = ["Plan", "plan_runs"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """Runs to do, in the order in which they help; arrays have shape (runs,).

    Parameters
    ----------
    target
        The quantity, in words.
    value
        What the fit says of it now.
    params, tokens, flops
        N, D and cost 6 N D of each run.
    remaining
        Width of the interval of the target after each run, over the width now, on the log scale.
    now
        Standard error of the logarithm of the target now.
    noise
        Standard deviation of log loss, from the residuals.
    budget
        Compute that was given.
    single
        What `remaining` would be after one compute-optimal run for the whole budget.
    notes
        Sentences.
    """

    target: str
    value: float
    params: Array
    tokens: Array
    flops: Array
    remaining: Array
    now: float
    noise: float
    budget: float
    single: float
    notes: tuple[str, ...]

    @property
    def shrinkage(self) -> float:
        """By which fraction the whole plan narrows the interval."""
        return float(1.0 - self.remaining[-1])

    def summary(self) -> str:
        """Return the runs and what they do to the interval."""
        lines = [
            f"{self.target} is {self.value:.4g}, with a standard error of {100 * self.now:.3g} %. "
            f"{self.params.size} runs for {self.flops.sum():.3g} of {self.budget:.3g} FLOP narrow it "
            f"by {100 * self.shrinkage:.3g} %; one compute-optimal run for all of it does "
            f"by {100 * (1 - self.single):.3g} %."
        ]
        for n, d, c, left in zip(self.params, self.tokens, self.flops, self.remaining, strict=True):
            lines.append(
                f"N {n:.3g}, D {d:.3g} ({d / n:.3g} tokens per parameter, {c:.3g} FLOP): {100 * left:.3g} % is left"
            )
        return "\n".join([*lines, *self.notes])

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each run: N, D, D/N, cost, and the width that is left after it."""
        import pandas as pd

        columns = {name: getattr(self, name) for name in ("params", "tokens", "flops", "remaining")}
        return pd.DataFrame(columns | {"tokens_per_param": self.tokens / self.params})

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        arrays = {name: getattr(self, name).tolist() for name in ("params", "tokens", "flops", "remaining")}
        numbers = {name: getattr(self, name) for name in ("target", "value", "now", "noise", "budget", "single")}
        return numbers | arrays | {"shrinkage": self.shrinkage, "notes": list(self.notes)}


def plan_runs(
    fit: Fit,
    budget: float,
    target: str = "loss_opt",
    *,
    runs: int = 4,
    candidates: tuple[ArrayLike, ArrayLike] | None = None,
    **at: ArrayLike,
) -> Plan:
    """Choose the next runs for a budget of compute.

    Parameters
    ----------
    fit
        A fitted law with an interval worth narrowing.
    budget
        Compute to spend, in FLOP; a run costs 6 N D.
    target
        A free parameter; "n_opt", "d_opt", "tokens_per_param" or "loss_opt" at the budget `flops`; "surface" at
        `n`, `d`.
    runs
        At most so many, 1 to 50.
    candidates
        N and D of the runs that could be done, shapes (k,); by default 25 sizes by 17 ratios of tokens to
        parameters (those of the table and five times beyond), up to ten times its largest N and D.
    **at
        `flops`, or `n` and `d`, of the target: one number each.

    Returns
    -------
        The runs, most useful first.

    Raises
    ------
    InputError
        For an unknown target, a budget that buys no candidate, or a law that the table does not determine at all.

    Notes
    -----
    Greedy choice by what a run teaches, and by what it teaches for each FLOP, then exchange of single runs until
    none helps; the better of the two. The plan takes the law, the noise and the fitted parameters as true; robust
    estimators need more runs for the same width, but gain the same fraction.

    Examples
    --------
    >>> from scalinglaws.fitting import fit
    >>> n = np.repeat(np.geomspace(1e7, 1e9, 4), 3)
    >>> d = n * np.tile([5.0, 20.0, 80.0], 4)
    >>> noise = np.exp(0.002 * np.random.default_rng(0).standard_normal(12))
    >>> fitted = fit({"params": n, "tokens": d, "loss": (1.8 + 480 / n**0.35 + 2100 / d**0.37) * noise})
    >>> plan = plan_runs(fitted, 1e20, "n_opt", flops=1e22)
    >>> bool(plan.flops.sum() <= 1e20), plan.shrinkage > 1 - plan.single
    (True, True)
    """
    spend = positive("budget", budget)
    require(spend.ndim == 0, "budget", budget, "must be one number")
    require_whole("runs", runs, 1, 50)
    scene = Target.of(fit, target, at)
    n, d = candidates_for(fit.table, float(spend)) if candidates is None else given_candidates(candidates)
    keep = 6.0 * n * d <= float(spend)
    cheapest = float((6.0 * n * d).min())
    require(bool(keep.any()), "budget", budget, f"buys none of the candidates, the cheapest of which is {cheapest:.3g}")
    n, d = n[keep], d[keep]
    pool = Pool(6.0 * n * d, scene.derivatives(n, d), float(spend))
    chosen = choose(scene, pool, runs)
    order, left = ordered(scene, pool, chosen)
    return Plan(
        target=scene.words,
        value=scene.value,
        params=n[order],
        tokens=d[order],
        flops=pool.cost[order],
        remaining=np.sqrt(left / scene.variance),
        now=scene.noise * float(np.sqrt(scene.variance)),
        noise=scene.noise,
        budget=float(spend),
        single=float(np.sqrt(scene.variance_after(_single(fit, scene, float(spend))) / scene.variance)),
        notes=_notes(fit, pool.cost[order], d[order]),
    )


def _single(fit: Fit, scene: Target, budget: float) -> Array:
    """Return the derivatives of the one run that most would do: compute-optimal, for the whole budget."""
    best = fit.optimal(budget)
    n, d = float(best["params"][0]), float(best["tokens"][0])
    inside = bool(np.isfinite(n) and np.isfinite(d) and n > 0 and d > 0)
    return scene.derivatives(np.array([n]), np.array([d])) if inside else np.zeros((0, scene.gradient.size))


def _notes(fit: Fit, cost: Array, tokens: Array) -> tuple[str, ...]:
    notes = []
    if cost.max() > 2.0 * float(fit.table.flops.max()):
        factor = cost.max() / float(fit.table.flops.max())
        notes.append(f"The largest run costs {factor:.3g} times the largest so far: its worth rests on the law there.")
    if tokens.max() > 2.0 * float(fit.table.tokens.max()):
        factor = tokens.max() / float(fit.table.tokens.max())
        notes.append(f"The longest run sees {factor:.3g} times the most tokens so far: repeated data would not do.")
    return (*notes, *fit.warnings)
