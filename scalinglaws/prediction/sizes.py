"""One model at many sizes: the deterministic risk curve of each, smooth in the number of steps, made once.

`SizeFamily(model, opt).curve(d)` keeps v/d and the rate rule while d varies. Sizes are whole numbers, so whatever is
interpolated between them starts from exact curves; `SizeFamily.sizes` lists those of an even grid in log d.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError, require
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD
from scalinglaws.theory.constant import ConstantRate
from scalinglaws.theory.curves import log1p
from scalinglaws.theory.limit import feature_limit

__all__ = ["SizeCurve", "SizeFamily"]

Float = NDArray[np.float64]
Complex = NDArray[np.complex128]

LARGEST = 36
"""Decades of sizes: more than the optimum of any budget up to 1e50 needs."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SizeCurve:
    """Risk of one size, P(t) = Re sum_l weight_l exp(log_factor_l t): exact at whole t and analytic between.

    Parameters
    ----------
    d
        Number of parameters.
    log_factor, weight
        Logarithm of each exponential's factor per step, and its amplitude, shape (n,).
    """

    d: int
    log_factor: Complex
    weight: Complex

    @property
    def log_d(self) -> float:
        """Natural logarithm of the size."""
        return math.log(self.d)

    def log_risk(self, log_steps: ArrayLike) -> Float:
        """Natural logarithm of the risk at `log_steps` = log t, shape (k,)."""
        t = np.exp(np.asarray(log_steps, dtype=np.float64))
        return np.asarray(np.log((np.exp(np.multiply.outer(t, self.log_factor)) @ self.weight).real))


@dataclass(frozen=True, slots=True, eq=False)
class SizeFamily:
    """Deterministic risk curves of a model at any size, with v/d and the rate rule kept.

    Parameters
    ----------
    model
        Its v/d is kept: exactly where d times v/d is whole, as it is for every size of the grid from 4 q on when
        v/d = p/q; to the nearest whole v below.
    opt
        Constant rate and batch. `relative_lr` follows the size; a number is the same for all sizes.

    Raises
    ------
    InputError
        For another model than `PLRF`, a rate or batch that changes in time, a rate of 0, or v = d.

    Examples
    --------
    >>> from scalinglaws.optimizers import relative_lr
    >>> family = SizeFamily(PLRF(alpha=1.0, beta=0.7, d=100), SGD(lr=relative_lr(0.5)))
    >>> f"{np.exp(family.curve(100).log_risk(np.log(10_000.0))):.8e}"  # a reference computation: 9.15655023e-04
    '9.15655023e-04'
    >>> family.sizes(per_decade=4)[:6]
    (1, 2, 3, 6, 10, 18)
    """

    model: PLRF
    opt: SGD
    _made: dict[int, SizeCurve] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        require(isinstance(self.model, PLRF), "model", self.model, "must be a PLRF, whose size can vary")
        require(isinstance(self.opt, SGD), "opt", self.opt, "must be an SGD")
        require(self.model.data_dimension > self.model.d, "v", self.model.v, f"must exceed d = {self.model.d}")
        resolved = self.opt.resolve(self.model)
        require(resolved.is_constant, "opt", self.opt, "must have a constant rate and batch, the same for every budget")
        require(float(resolved.rate(0)) > 0, "lr", self.opt.lr, "must be > 0")

    @property
    def batch(self) -> int:
        """Samples per step."""
        return int(self.opt.resolve(self.model).batch_at(0))

    @property
    def ratio(self) -> Fraction | None:
        """The kept v/d; None when v is infinite."""
        return None if math.isinf(self.model.data_dimension) else Fraction(int(self.model.data_dimension), self.model.d)

    def sizes(self, per_decade: int) -> tuple[int, ...]:
        """Whole sizes up to 1e36, even in log d where they are dense enough, that keep v/d exactly from 4 q on."""
        return _sizes(self.ratio.denominator if self.ratio else 1, per_decade)

    def at(self, d: int) -> PLRF:
        """Give the model at size d."""
        ratio = self.ratio
        return replace(self.model, d=d, v=math.inf if ratio is None else max(round(ratio * d), d + 1))

    def curve(self, d: int) -> SizeCurve:
        """Risk curve at size d, kept for the next time.

        Raises
        ------
        InputError
            If the rate is unstable at this size.
        """
        if d not in self._made:
            self._made[d] = self._make(d)
        return self._made[d]

    def _make(self, d: int) -> SizeCurve:
        model = self.at(d)
        lr = float(self.opt.resolve(model).rate(0))
        limit = feature_limit(model)
        rate = ConstantRate(limit=limit, lr=lr, batch=self.batch, label_noise=model.label_noise)
        if rate.kernel_norm >= 1.0:
            raise InputError(f"lr = {lr:.6g}: diverges at d = {d}; relative_lr gives a rule stable at every size")
        risk = rate.curves().risk
        log_factor = np.asarray(log1p(risk.q), dtype=np.complex128)
        return SizeCurve(d=d, log_factor=log_factor, weight=np.asarray(risk.weight, dtype=np.complex128))


@lru_cache(maxsize=32)
def _sizes(unit: int, per_decade: int) -> tuple[int, ...]:
    raw = [10.0 ** (k / per_decade) for k in range(LARGEST * per_decade + 1)]
    return tuple(sorted({unit * round(x / unit) if x >= 4 * unit else round(x) for x in raw}))
