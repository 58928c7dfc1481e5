"""Can this design determine this law? To be asked before fitting, or before running anything.

`check_design` needs N and D; losses, or the law that is expected, say where the derivatives are taken. It reports how
far N, D, C and D/N spread, how well conditioned the fit is, and which parameters trade off, in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws._numbers import plain
from scalinglaws.errors import InputError, require
from scalinglaws.fitting.derivatives import free_parameters, log_surface, slope
from scalinglaws.fitting.diagnostics import about_design, collinear_power
from scalinglaws.fitting.estimate import fit
from scalinglaws.fitting.laws import find_law
from scalinglaws.fitting.quantities import covariates_of, positive
from scalinglaws.fitting.table import Table, as_table

if TYPE_CHECKING:
    from scalinglaws.fitting.laws import Law
    from scalinglaws.fitting.result import Fit

__all__ = ["Design", "check_design"]

Array = NDArray[np.float64]

_NARROW = 1.0  # decades of N or D below which an exponent is read off too short a line
_ALIKE = 0.5  # decades of tokens per parameter, 10 % to 90 % of the rows
_FAR = 100.0
_SHOWN = 0.2  # parameters that change the losses by this share of what the strongest does are named


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What a table can say of a law.

    Parameters
    ----------
    law
        Its name.
    rows, distinct
        Rows, and how many different (N, D) they hold.
    decades
        Spread of "params", "tokens", "flops" and "tokens_per_param" (the last without the outer tenths).
    collinear_power
        p, if D grows as N^p in every run; else None.
    condition
        See `diagnostics`; infinite if the law cannot be fitted.
    sloppiest
        Change of the logarithm of each parameter along the least determined direction.
    trading
        The parameters that do most in that direction and undo each other, strongest first.
    unseen
        Root mean square change of log loss, over the rows, that this makes.
    reach
        The budget asked for over the largest compute of the table; None if none was.
    warnings
        Sentences; none for a healthy design.
    """

    law: str
    rows: int
    distinct: int
    decades: Mapping[str, float]
    collinear_power: float | None
    condition: float
    sloppiest: Mapping[str, float]
    trading: tuple[str, ...]
    unseen: float
    reach: float | None
    warnings: tuple[str, ...]

    def direction(self) -> str:
        """Return the sloppiest direction as a sentence; empty if no law could be placed on the table."""
        if not self.trading:
            return ""
        moves = ", ".join(f"{name} x {np.exp(part):.3g}" for name, part in self.sloppiest.items())
        *others, last = self.trading
        who = f"{', '.join(others)} and {last} trade off" if others else f"{last} is loose"
        return f"{who}: {moves} together change these losses by {100 * self.unseen:.2g} % (root mean square)."

    def summary(self) -> str:
        """Return the spreads, the condition, the sloppiest direction and the warnings."""
        spread = ", ".join(f"{name} {value:.2f}" for name, value in self.decades.items())
        lines = [
            f"{self.law}: {self.rows} rows, {self.distinct} distinct (N, D); decades of {spread}; "
            f"condition {self.condition:.3g}",
            self.direction(),
            *(f"warning: {sentence}" for sentence in self.warnings),
        ]
        return "\n".join(line for line in lines if line)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "law": self.law,
            "rows": self.rows,
            "distinct": self.distinct,
            "decades": dict(self.decades),
            "collinear_power": self.collinear_power,
            "condition": plain(self.condition),
            "sloppiest": dict(self.sloppiest),
            "trading": list(self.trading),
            "unseen": plain(self.unseen),
            "direction": self.direction(),
            "reach": self.reach,
            "warnings": list(self.warnings),
        }


def check_design(
    data: Any,
    law: str | Law = "chinchilla",
    *,
    flops: float | None = None,
    at: Mapping[str, float] | None = None,
) -> Design:
    """Say whether a table can determine a law, and how far a budget lies outside it.

    Parameters
    ----------
    data
        Whatever `as_table` accepts, or a mapping with `params` and `tokens` alone: runs that are only planned.
    law
        Name of a law, or a law.
    flops
        A budget to be predicted, in FLOP.
    at
        Parameters that are expected of the law; needed where there are no losses. Losses that are there are then
        not looked at.

    Raises
    ------
    InputError
        For a malformed table, unknown names, or neither losses nor expected parameters.

    Examples
    --------
    >>> n = np.repeat(np.geomspace(1e7, 1e9, 4), 3)
    >>> law = dict(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
    >>> check_design({"params": n, "tokens": n * np.tile([5.0, 20.0, 80.0], 4)}, at=law).warnings
    ()
    >>> print(check_design({"params": n, "tokens": 20 * n * np.tile([1, 1.01, 1.02], 4)}, at=law).warnings[0])
    N and D are collinear (D grows as N^1.00 in every run): ...
    """
    form = find_law(law)
    table = _table(data, form, at)
    reach = None
    if flops is not None:
        budget = positive("flops", flops)
        require(budget.ndim == 0, "flops", flops, "must be one number")
        reach = float(budget / table.flops.max())
    fitted, refusal = _fitted(table, form)
    sloppiest, trading, unseen = ({}, (), float("nan")) if fitted is None else _sloppiest(fitted)
    decades = _decades(table)
    number = np.inf if fitted is None else fitted.condition
    words = [*refusal, *about_design(form, table, number if fitted is not None else 1.0)]
    pairs = set(zip(table.params.tolist(), table.tokens.tolist(), strict=True))
    return Design(
        law=form.name,
        rows=table.rows,
        distinct=len(pairs),
        decades=decades,
        collinear_power=collinear_power(table),
        condition=number,
        sloppiest=sloppiest,
        trading=trading,
        unseen=unseen,
        reach=reach,
        warnings=(*words, *_about_spread(decades, reach)),
    )


def _table(data: Any, law: Law, at: Mapping[str, float] | None) -> Table:
    """Return the table, with the losses that the expected law gives where those are to be used."""
    if at is None and isinstance(data, Mapping) and "loss" not in data:
        raise InputError("check_design: at = None: give the expected parameters of the law, for there are no losses")
    if at is None:
        return as_table(data)
    if law.target != "loss":
        raise InputError(f"law = {law.name!r}: has no losses to expect, for it explains {law.target}")
    missing = [name for name in law.parameters if name not in at]
    require(not missing, "at", dict(at), f"must hold {', '.join(missing)} too")
    for name in law.parameters:
        require(bool(positive(f"at[{name!r}]", at[name]).ndim == 0), f"at[{name!r}]", at[name], "must be one number")
    if isinstance(data, Mapping) and "loss" not in data and {"params", "tokens"} <= set(data):
        data = {**data, "loss": np.ones(np.shape(data["params"]))}
    table = as_table(data)
    with np.errstate(over="ignore"):
        loss = law.predict({name: float(at[name]) for name in law.parameters}, **covariates_of(law, table))
    return replace(table, loss=loss)


def _fitted(table: Table, law: Law) -> tuple[Fit | None, list[str]]:
    """Fit by least squares; what the fit refuses is a finding here."""
    try:
        return fit(table, law=law, estimator="log-l2", starts=4), []
    except InputError as error:
        return None, [f"The law cannot be fitted: {error}."]


def _sloppiest(fitted: Fit) -> tuple[dict[str, float], tuple[str, ...], float]:
    """Return the direction in the logarithms of the published parameters that changes the fitted losses least.

    It is scaled so that the parameter which moves most doubles. Also return who trades off, and what is left to see.
    """
    problem, theta = fitted.problem(), fitted.theta
    which = free_parameters(problem, theta)
    names = [problem.names[k] for k in which]
    if not names:
        return {}, (), float("nan")

    def logs(batch: Array) -> Array:
        values = problem.to_values(batch)
        return np.stack([np.log(np.maximum(values[name], 1e-300)) for name in names], axis=1)

    surface = slope(lambda t: log_surface(problem, t, fitted.table), theta, which)
    columns = surface @ np.linalg.pinv(slope(logs, theta, which), rcond=1e-12)
    _, singular, directions = np.linalg.svd(columns, full_matrices=False)
    parts = directions[-1] * np.log(2.0) / directions[-1][np.argmax(np.abs(directions[-1]))]
    rows = np.sqrt(fitted.table.rows)
    effect = np.abs(parts) * np.linalg.norm(columns, axis=0) / rows
    order = [int(k) for k in np.argsort(-effect, kind="stable") if effect[k] >= _SHOWN * effect.max()]
    unseen = float(singular[-1] * np.linalg.norm(parts) / rows)
    return dict(zip(names, parts.tolist(), strict=True)), tuple(names[k] for k in order), unseen


def _decades(table: Table) -> dict[str, float]:
    ratio = np.log10(table.tokens / table.params)
    low, high = np.quantile(ratio, [0.1, 0.9])
    spread = {name: float(np.ptp(np.log10(getattr(table, name)))) for name in ("params", "tokens", "flops")}
    return spread | {"tokens_per_param": float(high - low)}


def _about_spread(decades: Mapping[str, float], reach: float | None) -> list[str]:
    words = []
    for name, symbol in (("params", "N"), ("tokens", "D")):
        if decades[name] < _NARROW:
            words.append(
                f"{symbol} spans {decades[name]:.2f} decades: its exponent is read off too short a line; "
                "a decade or more is needed."
            )
    if decades["tokens_per_param"] < _ALIKE:
        words.append(
            f"Tokens per parameter vary by a factor of {10 ** decades['tokens_per_param']:.3g} over the middle of the "
            "table: what N does and what D does are hard to tell apart; add runs with other ratios."
        )
    if reach is not None and reach > _FAR:
        words.append(
            f"The budget is {reach:.3g} times the largest compute of the table ({np.log10(reach):.1f} decades beyond "
            f"{decades['flops']:.1f} decades of data): predictions hold only if the law does."
        )
    return words
