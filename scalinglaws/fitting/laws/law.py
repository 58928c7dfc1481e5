"""What every law is: named columns whose combination with amplitudes of one sign is the loss.

L = sum_k sign_k c_k exp(g_k(shapes; covariates)), c_k >= 0. A subclass gives the logarithms g_k; prediction, the
compute-optimal point and, through jets, all derivatives follow. `MonomialLaw` is the case where g_k is linear in
the shapes, `FormulaLaw` everything else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError
from scalinglaws.fitting.laws.jets import Jet, Number, exp, jet_of, variable

__all__ = ["Law", "Optimum", "Shape"]

Array = NDArray[np.float64]
Numbers = Mapping[str, Number]


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """Where a law is least at C = 6 N D: arrays over the budgets (and over draws, if the law was given draws)."""

    params: Array
    tokens: Array
    loss: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A parameter that is not an amplitude.

    Parameters
    ----------
    name
        As in the formula.
    axis
        Values at which the search starts.
    bounds
        Smallest and largest value a fit may return; one that ends there says so.
    log
        The parameter is positive and enters as its logarithm, in which `axis` and `bounds` are given.
    anchor
        Triples (shape or "", covariate, multiple): the search varies the parameter minus
        `multiple * shape * mean log covariate` (minus the mean itself for ""), so that `axis` and `bounds` need not
        know the units of the table.
    """

    name: str
    axis: tuple[float, ...]
    bounds: tuple[float, float] = (0.01, 4.0)
    log: bool = False
    anchor: tuple[tuple[str, str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Law(ABC):
    """A named law.

    Parameters
    ----------
    name
        What users call it.
    formula
        For people.
    optimum_in_closed_form
        From parameters and budgets (arrays that broadcast) to the compute-optimal point at C = 6 N D, where a
        formula is known; otherwise `optimum` searches.
    covariates
        Columns of the table it reads.
    target
        The column it explains.
    """

    name: str
    formula: str
    optimum_in_closed_form: Callable[[Mapping[str, Array], Array], Optimum] | None = None
    covariates: tuple[str, ...] = ("params", "tokens")
    target: str = "loss"

    def __str__(self) -> str:
        return self.name

    @property
    @abstractmethod
    def amplitudes(self) -> tuple[str, ...]:
        """Names of the amplitudes, in the order of the columns."""

    @property
    @abstractmethod
    def shapes(self) -> tuple[Shape, ...]:
        """The other parameters."""

    @property
    def signs(self) -> tuple[float, ...]:
        """Sign of each column."""
        return (1.0,) * len(self.amplitudes)

    @property
    def units(self) -> tuple[str, ...]:
        """Amplitudes that are 1 by definition and no parameters."""
        return ()

    @property
    def coupled(self) -> bool:
        """Whether columns depend on the amplitudes too."""
        return False

    @property
    def exponents(self) -> tuple[str, ...]:
        """Names of the shapes."""
        return tuple(shape.name for shape in self.shapes)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters: amplitudes, then shapes."""
        return tuple(name for name in self.amplitudes if name not in self.units) + self.exponents

    @property
    def tells_n_from_d(self) -> bool:
        """Whether the law gives N and D parts of their own, which a table with D = k N cannot tell apart."""
        return {"params", "tokens"} <= set(self.covariates)

    @abstractmethod
    def is_constant(self, amplitude: str) -> bool:
        """Tell whether a column is the irreducible loss."""

    @abstractmethod
    def logs(self, p: Numbers, x: Numbers) -> Sequence[Number]:
        """Return the logarithm of each column.

        Parameters
        ----------
        p
            Shapes by name, as logarithms where they are `log`; logarithms of the amplitudes for coupled laws.
        x
            Natural logarithms of the covariates.
        """

    @property
    def located(self) -> bool:
        """Whether the search grid is over other variables than the shapes; see `locate`."""
        return False

    def locate(self, point: dict[str, Array], level: float) -> dict[str, Array]:  # noqa: ARG002
        """Return the shapes meant by a point of the search grid; `level` is the geometric mean of the target."""
        return point

    def predict(
        self, values: Mapping[str, ArrayLike], n: ArrayLike | None = None, d: ArrayLike | None = None, **at: ArrayLike
    ) -> Array:
        """Return what the law says of N, D and any further covariates; all broadcast.

        Parameters
        ----------
        values
            One number, or an array of draws, for each of `parameters`.
        n, d
            Parameters of the model and training tokens; infinite where a limit is wanted.
        **at
            Further covariates by name. `unique_tokens` are all tokens where not given.

        Raises
        ------
        InputError
            For a missing covariate.
        """
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            x = self._logs_of(n, d, at)
            everywhere = np.zeros(np.broadcast_shapes(*(np.shape(_value(number)) for number in x.values())))
            return np.asarray(_value(self.total(values, x)) + everywhere)

    def _logs_of(self, n: ArrayLike | None, d: ArrayLike | None, at: Mapping[str, ArrayLike]) -> dict[str, Number]:
        given = dict(at) | {key: v for key, v in (("params", n), ("tokens", d)) if v is not None}
        if "unique_tokens" in self.covariates and "tokens" in given:
            given.setdefault("unique_tokens", given["tokens"])
        missing = [name for name in self.covariates if name not in given]
        if missing:
            raise InputError(f"{self.name} law: given {sorted(given)}: needs {', '.join(missing)} too")
        return {name: np.log(np.asarray(given[name], np.float64)) for name in self.covariates}

    def total(self, values: Mapping[str, ArrayLike], x: Numbers) -> Number:
        """Return the prediction at logarithms of the covariates, a jet if one of them is."""
        logs = {shape.name for shape in self.shapes if shape.log} | (set(self.amplitudes) if self.coupled else set())
        p = {name: np.asarray(values[name], np.float64) for name in self.parameters}
        columns = self.logs({name: np.log(v) if name in logs else v for name, v in p.items()}, x)
        whole: Number = np.zeros(())
        for name, sign, column in zip(self.amplitudes, self.signs, columns, strict=True):
            whole = whole + exp(column) * (sign if name in self.units else sign * p[name])
        return whole

    def optimum(self, values: Mapping[str, Array], flops: Array) -> Optimum:
        """Return the least loss along C = 6 N D; parameters and budgets broadcast.

        Where no closed form is known: the best of 161 sizes over 35 decades, then bisection of the exact derivative
        between its neighbours. An optimum at either end of that range is 0 or infinite: there is none inside.
        """
        if self.optimum_in_closed_form is not None:
            return self.optimum_in_closed_form(values, flops)
        if self.target != "loss" or not {"params", "tokens"} <= set(self.covariates):
            raise InputError(f"law = {self.name!r}: has no compute-optimal size, for it is no loss of N and D")
        return _optimum(self, values, flops)


def _optimum(law: Law, values: Mapping[str, Array], flops: Array) -> Optimum:
    half = np.log(flops / 6.0)
    shape = np.broadcast_shapes(half.shape, *(np.shape(v) for v in values.values()))
    last = {name: np.asarray(v, np.float64)[..., None] for name, v in values.items()}
    moves = np.linspace(-40.0, 40.0, 161)
    with np.errstate(all="ignore"):
        sizes = 0.5 * half[..., None] + moves
        losses = np.broadcast_to(_value(law.total(last, _along(law, sizes, half[..., None]))), (*shape, moves.size))
        best = np.argmin(np.where(np.isnan(losses), np.inf, losses), axis=-1)
        low, high = (0.5 * half + moves[np.clip(best + step, 0, 160)] for step in (-1, 1))
        for _ in range(60):
            middle = 0.5 * (low + high)
            rise = jet_of(law.total(values, _along(law, variable(middle, 0), half))).first.get(0, np.zeros(()))
            low, high = np.where(rise < 0, middle, low), np.where(rise < 0, high, middle)
        log_n = np.where(best == 0, -np.inf, np.where(best == 160, np.inf, 0.5 * (low + high)))
        loss = np.broadcast_to(_value(law.total(values, _along(law, log_n, half))), shape)
        return Optimum(params=np.exp(log_n), tokens=np.exp(half - log_n), loss=loss)


def _along(law: Law, log_n: Number, half: Array) -> dict[str, Number]:
    """Logarithms of the covariates at a size, with all tokens seen once."""
    whole = {"params": log_n, "tokens": half - log_n, "unique_tokens": half - log_n}
    return {name: whole[name] for name in law.covariates}


def _value(number: Number) -> Array:
    return number.value if isinstance(number, Jet) else np.asarray(number)
