"""The front door of theory: the expected risk curve of a model under an optimizer, as a labelled dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws._random import RNGLike, seed_sequence
from scalinglaws.curves.risk import risk_curves
from scalinglaws.errors import require
from scalinglaws.models import PLRF, GaussianLeastSquares, Instance, Model
from scalinglaws.optimizers import SGD, ResolvedSGD
from scalinglaws.steps import check_steps
from scalinglaws.theory.constant import ConstantRate
from scalinglaws.theory.curves import ExponentialSum, RiskCurves
from scalinglaws.theory.limit import feature_limit
from scalinglaws.theory.modes import Modes, instance_modes, limit_modes
from scalinglaws.theory.secular import instance_curves
from scalinglaws.theory.stability import METHODS, critical_rate, limit_critical_rate
from scalinglaws.theory.stepping import blocks_of_steps, recursion

__all__ = ["solve"]

Float = NDArray[np.float64]
Steps = NDArray[np.int64]

LONGEST_RECURSION = 4e9
"""Parameters times steps up to which a schedule on an instance is done step by step (about ten seconds)."""
NEAR = 1e-3
"""Closer than this to the threshold, sums of exponentials cancel: the solvers for schedules are used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Solution:
    """Curves before labelling: forcing and learned as far as components are asked for.

    `critical` is the critical rate where the rate is constant.
    """

    risk: Float
    forcing: Float | None
    learned: Float | None
    floor: float
    critical: float | None


def solve(
    model: Model,
    opt: SGD,
    steps: ArrayLike,
    *,
    method: str = "deterministic",
    rng: RNGLike = None,
    components: bool = False,
) -> xr.Dataset:
    r"""Solve for the expected risk of one-pass SGD, without simulating it.

    Method "instance" is exact given one draw of the random features: the mean over samples of what `simulate`
    does with the same `rng`. Method "deterministic" is its limit for many features, without drawing any: any
    d and v, infinite v included. Both treat steps as discrete. A constant rate costs the same for every
    number of steps; schedules of rates and batches cost a few hundred blocks of steps ("deterministic",
    relative error about 1e-9) or one O(d) update a step ("instance", exact; blocks beyond 4e9 updates of a
    mode).

    Parameters
    ----------
    model
        `PLRF`, or `GaussianLeastSquares`, which draws nothing: both methods are the same for it.
    opt
        Learning rate and batch, constant or scheduled.
    steps
        Numbers of updates after which the risk is given, increasing whole numbers >= 0; see `log_steps`.
    method
        "deterministic" or "instance".
    rng
        Draws the features of an instance: integer, SeedSequence, Generator or None (SPEC 7).
    components
        Add the terms of the risk, which sum to it exactly: `irreducible` (F_0, label noise included);
        `pure_point`, sum_j c_j^2 s_j/(s_j + kappa_0) prod_t g_t(s_j), the learnable energy c_j^2 of each
        population direction decaying at its own rate s_j; `absolutely_continuous`, the rest of the noiseless
        risk, caused by the distortion of the features (small and possibly negative early, where features
        hardly matter); and `noise`, what gradient noise adds. Where the paper's four-term estimate of the
        risk applies, F_pp, F_ac and F_0 are asymptotic to the first three, and K_pp / (lr B) to the late
        part of the noise.

    Returns
    -------
    Dataset with `risk`, `lr`, `samples` and `flops` = d * samples over `step`, and `status`: "diverged" when
    a constant rate exceeds `critical_lr` (then `attrs["reason"]` is a sentence) or the risk overflows, else
    "finished". A diverging risk is given as far as it is finite.

    Raises
    ------
    InputError
        For steps that do not increase, an unknown method, a model whose features cannot be drawn
        ("instance"), or v = d ("deterministic").

    References
    ----------
    Paquette, Paquette, Xiao, Pennington, 4+3 Phases of Compute-Optimal Neural Scaling Laws, arXiv 2405.15074,
    sections 1 and 2.

    Examples
    --------
    >>> from scalinglaws.optimizers import relative_lr
    >>> model, opt = PLRF(alpha=1.0, beta=0.7, d=100), SGD(lr=relative_lr(0.5))
    >>> solve(model, opt, [0, 10, 10_000])["risk"].values
    array([1.13866354e+00, 1.14255020e-01, 9.15655023e-04])
    >>> ds = solve(PLRF(alpha=1.0, beta=0.7, d=10**12), opt, [10**15], components=True)
    >>> f"{ds['risk'].item():.6e}", f"{ds['irreducible'].item():.6e}"
    ('1.391741e-18', '6.028217e-24')
    """
    known = isinstance(model, PLRF | GaussianLeastSquares)
    require(known, "model", model, "must be a PLRF or a GaussianLeastSquares")
    require(isinstance(opt, SGD), "opt", opt, "must be an SGD")
    require(method in METHODS, "method", method, f"must be one of {', '.join(METHODS)}")
    at, resolved = check_steps(steps), opt.resolve(model)
    seed = None
    if method == "deterministic" and isinstance(model, PLRF):
        solution = _solve_limit(model, resolved, at, components)
    else:
        seed = seed_sequence(rng) if isinstance(model, PLRF) else None
        solution = _solve_instance(model, model.instance(seed), resolved, at, components)
    reason = _divergence(solution, float(resolved.rate(0)), at)
    variables = _variables(solution, components)
    variables["status"] = ((), "diverged" if reason else "finished")
    ds = risk_curves(model, opt, at, variables, method=method, seed=seed)
    if reason:
        ds.attrs["reason"] = reason
    return ds


def _solve_limit(model: PLRF, opt: ResolvedSGD, at: Steps, components: bool) -> _Solution:
    limit = feature_limit(model)
    learned = _learned(model, limit.resolvent.kappa_0) if components else None
    floor, largest = limit.irreducible + model.label_noise, _largest(opt)
    if largest == 0.0:
        return _standing_still(model.initial_risk, floor, at)
    lr, batch = _constant(opt)
    solver = ConstantRate(limit=limit, lr=lr, batch=batch, label_noise=model.label_noise)
    critical = limit_critical_rate(limit, batch) if opt.is_constant else None
    if critical is None or abs(solver.kernel_norm - 1.0) < NEAR:
        modes = limit_modes(limit, 2.0 / largest, model.label_noise)
        risk, forcing, pure = blocks_of_steps(modes, opt, at, learned)
        return _Solution(risk=risk, forcing=forcing, learned=pure, floor=floor, critical=critical)
    return _evaluate(solver.curves(), at, learned, (lr, batch), floor, critical)


def _solve_instance(model: Model, instance: Instance, opt: ResolvedSGD, at: Steps, components: bool) -> _Solution:
    learned = None
    if components and isinstance(model, PLRF):
        reaches_zero = model.data_dimension == model.d
        learned = _learned(model, 0.0 if reaches_zero else feature_limit(model).resolvent.kappa_0)
    elif components:
        learned = instance_modes(instance)
    if _largest(opt) == 0.0:
        return _standing_still(instance.initial_risk, instance.irreducible, at)
    lr, batch = _constant(opt)
    critical = critical_rate(instance.eigenvalues, batch) if opt.is_constant else None
    if critical is None or abs(lr / critical - 1.0) < NEAR:
        run = recursion if float(at[-1]) * instance.d <= LONGEST_RECURSION else blocks_of_steps
        risk, forcing, pure = run(instance_modes(instance), opt, at, learned)
        return _Solution(risk=risk, forcing=forcing, learned=pure, floor=instance.irreducible, critical=critical)
    return _evaluate(instance_curves(instance, lr, batch), at, learned, (lr, batch), instance.irreducible, critical)


def _evaluate(
    curves: RiskCurves,
    at: Steps,
    learned: Modes | None,
    rate: tuple[float, int],
    floor: float,
    critical: float,
) -> _Solution:
    lr, batch = rate
    forcing = pure = None
    if learned is not None:
        decay = lr * batch * learned.z * (2.0 - lr * (batch + 1) * learned.z)
        forcing, pure = curves.forcing(at), ExponentialSum(q=-decay, weight=learned.initial)(at)
    return _Solution(risk=curves.risk(at), forcing=forcing, learned=pure, floor=floor, critical=critical)


def _standing_still(risk: float, floor: float, at: Steps) -> _Solution:
    still = np.full(at.size, risk)
    return _Solution(risk=still, forcing=still, learned=still - floor, floor=floor, critical=np.inf)


def _learned(model: PLRF, kappa_0: float) -> Modes:
    """Learnable part of the population's target energy, as modes without noise."""
    p = model.population
    return Modes(z=p.s, initial=p.energy * p.s / (p.s + kappa_0), source=np.zeros_like(p.s), floor=0.0)


def _largest(opt: ResolvedSGD) -> float:
    """Bound lr (B + 1) over all steps."""
    sizes = np.asarray(opt.batch.sizes, dtype=np.float64)
    rates = opt.factor * opt.schedule.peak / (sizes if opt.per_sample else 1.0)
    return float(np.max(rates * (sizes + 1.0)))


def _constant(opt: ResolvedSGD) -> tuple[float, int]:
    return float(opt.rate(0)), int(opt.batch_at(0))


def _variables(solution: _Solution, components: bool) -> dict[str, tuple[Any, ArrayLike]]:
    variables: dict[str, tuple[Any, ArrayLike]] = {"risk": ("step", solution.risk)}
    if components and solution.forcing is not None and solution.learned is not None:
        with np.errstate(invalid="ignore"):  # inf - inf, where a diverging run has overflowed
            rest = solution.forcing - solution.floor - solution.learned
            noise = solution.risk - solution.forcing
        variables["irreducible"] = ((), solution.floor)
        variables["pure_point"] = ("step", solution.learned)
        variables["absolutely_continuous"] = ("step", rest)
        variables["noise"] = ("step", noise)
    return variables


def _divergence(solution: _Solution, lr: float, at: Steps) -> str:
    """Say why the run diverges; empty if it does not."""
    if solution.critical is not None and lr >= solution.critical:
        return f"lr = {lr:.6g}: the critical rate is {solution.critical:.6g}; the risk grows without bound"
    overflow = ~np.isfinite(solution.risk)
    if bool(overflow.any()):
        return f"the risk overflowed before step {int(at[overflow][0])}: the rate is too large for too long"
    return ""
