"""What a profile works on: a fit's objective, the quantities to hold, its minimum, and what an excess is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import require
from scalinglaws.fitting.constrained import Held, Objective, refit_held
from scalinglaws.fitting.estimators import Estimator
from scalinglaws.fitting.quantities import OPTIMA, evaluate, places
from scalinglaws.fitting.resampling import inflated_residuals, with_noise
from scalinglaws.fitting.solve import refit

if TYPE_CHECKING:
    from scalinglaws.fitting.result import Fit

__all__ = ["Scene", "dispersion", "f_quantile"]

Array = NDArray[np.float64]

_CALIBRATION = 400  # simulated tables behind the dispersion of a robust objective
_SMOOTH = 0.05  # absolute values are rounded off below this share of their mean


@dataclass(frozen=True, slots=True)
class Scene:
    """What a profile needs of a fit: objective, quantities on log scale, the minimum.

    The first quantity is moved; the others, if any, are held at `beside` meanwhile.
    """

    fit: Fit
    names: tuple[str, ...]
    objective: Objective
    quantities: Callable[[Array], Array]
    theta: Array
    minimum: float
    best: Array
    places: dict[str, float]
    free: int
    beside: tuple[float, ...] = ()

    @classmethod
    def of(cls, fit: Fit, names: tuple[str, ...], at: Mapping[str, ArrayLike]) -> Scene:
        """Check the quantities and prepare the objective; "l1" is smoothed and refitted.

        Raises
        ------
        InputError
            For what cannot be profiled; see `profile`.
        """
        require(fit.converged, "fit: converged", False, "there is no minimum to profile around")
        checked = {name: _places_of(fit, name, names, at) for name in names}
        problem = fit.problem()
        smooth = _smoothed(fit)
        problem = replace(problem, estimator=smooth)
        theta = fit.theta
        if smooth != fit.estimator:
            theta = refit(problem, theta[None], fit.table.weight[None], problem.y[None]).theta[0]
        objective = Objective(problem, fit.table)

        def quantities(batch: Array) -> Array:
            values = problem.to_values(batch)
            found = [evaluate(fit.law, values, name, checked[name]) for name in names]
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                return np.stack([np.log(q) for q in found], axis=1)

        best = quantities(theta[None])[0]
        for name, value in zip(names, best, strict=True):
            require(bool(np.isfinite(value)), f"profile: {name}", float(np.exp(value)), "has no finite positive value")
        merged = {key: float(array) for some in checked.values() for key, array in some.items()}
        free = int(np.sum(~problem.held))
        return cls(fit, names, objective, quantities, theta, _noisy(objective, theta), best, merged, free)

    def hold(self, where: float, theta: Array) -> Held:
        """Refit with the log of the first quantity at `where` and the others at `beside`, started at theta."""
        return refit_held(self.objective, self.quantities, np.array([where, *self.beside]), theta)

    def alone(self, index: int) -> Scene:
        """Return the scene of one of its quantities."""
        return self._of((index,), ())

    def across(self, index: int, beside: float) -> Scene:
        """Return the scene in which the other of two quantities moves and this one is held."""
        return self._of((1 - index, index), (beside,))

    def _of(self, order: tuple[int, ...], beside: tuple[float, ...]) -> Scene:
        quantities, columns = self.quantities, list(order)
        return replace(
            self,
            names=tuple(self.names[k] for k in order),
            quantities=lambda batch: quantities(batch)[:, columns],
            best=self.best[columns],
            beside=beside,
        )


def _places_of(fit: Fit, name: str, names: tuple[str, ...], at: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """Check one quantity; of two quantities each takes the places it needs."""
    require(name != "loss", "name", name, "is the loss of one further run; profile 'surface', the law's loss")
    require(name not in fit.fixed, "name", name, "is held in this fit, so there is nothing to profile")
    own = at
    if len(names) > 1:
        own = {k: v for k, v in at.items() if name not in fit.law.parameters and (k == "flops") == (name in OPTIMA)}
    checked = places("profile", name, fit.law, own)
    for key, value in checked.items():
        require(value.ndim == 0, key, at[key], "must be one number: a profile is of one quantity")
    return checked


def _smoothed(fit: Fit) -> Estimator:
    if fit.estimator.delta > 0:
        return fit.estimator
    size = float(np.mean(np.abs(fit.residuals())))
    return Estimator(name="huber", log=True, delta=max(_SMOOTH * size, 1e-12))


def _noisy(objective: Objective, theta: Array) -> float:
    """Return the objective at the minimum, which must be more than rounding."""
    value = objective.value(theta)
    scale = 1.0 if objective.problem.estimator.log else float(np.mean(objective.measured))
    rounding = float(np.sum(objective.table.weight) * objective.problem.estimator.rho(np.array(1e-11 * scale)))
    require(value > rounding, "objective", value, "the law fits every row exactly, so nothing says how far it may go")
    return value


def dispersion(scene: Scene) -> tuple[float, str]:
    """Return the excess that one free parameter costs on average, and where that number comes from.

    It is about the noise of the rows alone: what a prior adds to the objective is left out.
    """
    rows = scene.fit.table.rows - scene.free
    require(rows >= 1, "rows - free parameters", rows, "leaves nothing to estimate the noise from")
    estimator = scene.objective.problem.estimator
    if not np.isfinite(estimator.delta):
        return scene.objective.misfit(scene.theta) / rows, f"objective over {rows} degrees of freedom"
    fit, problem = scene.fit, replace(scene.objective.problem, pull=np.zeros(scene.theta.size))
    generator = np.random.default_rng(0)
    residuals = inflated_residuals(fit, scene.free)
    noise = generator.choice(residuals, size=(_CALIBRATION, fit.table.rows))
    measured = with_noise(fit, noise)
    weight = np.broadcast_to(fit.table.weight, measured.shape)
    ends = refit(problem, scene.theta, weight, measured / problem.unit)
    here = estimator.rho(estimator.residuals(fit.fitted(), measured))
    drop = (weight * here).sum(axis=1) - ends.objective
    return float(drop.mean()) / scene.free, f"mean drop per parameter over {_CALIBRATION} simulated tables"


def f_quantile(level: float, one: int, two: int) -> float:
    """Return the quantile of Fisher's F(one, two)."""
    from scipy.stats import f

    return float(f.ppf(level, one, two))
