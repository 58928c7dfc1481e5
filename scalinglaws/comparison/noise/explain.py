r"""What a schedule did, from the gradient noise measured under it (arXiv 2507.02119, Eq. 13 to 16).

At equal gradient-flow time a target run (primed) and its constant run differ by the loss that gradient noise adds,
alpha eta Tr Sigma each, where a quadratic loss whose modes have all relaxed gives alpha = 1/4:

    eq16      L' - L = alpha (eta' - eta) Tr Sigma'            the published form; fits networks best
    eq15      L' - L = alpha (eta' Tr Sigma' - eta Tr Sigma)   exact for a quadratic loss; needs both traces
    constant  L' - L = alpha (eta' - eta)                      noise that never changes; alpha in nats

Sigma' is measured on the target run: this confirms a mechanism and forecasts nothing (`forecast` does). Losses here
are those of a gradient, such as cross-entropy or half a squared error; for a squared error without the half, alpha is
twice as large.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws._random import RNGLike
from scalinglaws.comparison.noise.curve import FEWEST
from scalinglaws.comparison.noise.pairs import Pair, Pairing, label
from scalinglaws.comparison.noise.resample import check, counts, interval
from scalinglaws.errors import InputError

__all__ = ["MODELS", "Explanation", "explain"]

Array = NDArray[np.float64]


def _eq16(pair: Pair) -> Array:
    return np.asarray(pair.contrast.change * pair.trace)


def _eq15(pair: Pair) -> Array:
    at = pair.contrast
    before = (at.rate - at.change) * pair.reference.trace_at(at.tau)
    return np.asarray(at.rate * pair.trace - before)


def _constant(pair: Pair) -> Array:
    return pair.contrast.change


MODELS: dict[str, Callable[[Pair], Array]] = {"eq16": _eq16, "eq15": _eq15, "constant": _constant}
"""What alpha multiplies, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The noise model with one alpha for all targets.

    Parameters
    ----------
    model
        One of `MODELS`.
    alpha, low, high
        Least squares over all records, and its percentile interval when targets are resampled; NaN for one target.
    level
        Of the interval.
    objective
        Sum of squared errors, nats squared; the minimum of a quadratic, so found exactly and without a search.
    points
        Records.
    mae
        Mean absolute error over records, nats per token.
    relative
        Mean over targets of the mean relative error of the loss; a fraction.
    relative_pooled
        The same over records.
    r2
        1 - sum of squared errors over the sum of squares of L' - L (about zero, as the model is 0 without a fall).
    targets
        Over `run`: points, mae, relative, bias (mean of measured less predicted) and end (that of the last record).
    curves
        Ragged over `run` and `obs`: step, tau, rate, loss, reference and predicted.
    excluded
        Why each run that takes no part was left out.
    notes
        What was left out of runs that do.
    """

    model: str
    alpha: float
    low: float
    high: float
    level: float
    objective: float
    points: int
    mae: float
    relative: float
    relative_pooled: float
    r2: float
    targets: xr.Dataset
    curves: xr.Dataset
    excluded: Mapping[str, str]
    notes: tuple[str, ...]

    def summary(self) -> str:
        """Return the result in a few lines for people."""
        lines = [
            f"{self.model}: alpha {self.alpha:.4f} [{self.low:.4f}, {self.high:.4f}] ({100 * self.level:.0f} %), "
            f"{self.points} records of {self.targets.sizes['run']} targets, least squares in closed form",
            f"mean absolute error {self.mae:.2e} nats, {100 * self.relative:.4f} % per target, "
            f"R2 of the difference {self.r2:.4f}",
            *(f"{name} left out: {reason}" for name, reason in self.excluded.items()),
        ]
        return "\n".join(lines)


def explain(
    runs: xr.Dataset | Pairing,
    model: str = "eq16",
    *,
    level: float = 0.9,
    replicates: int = 1000,
    rng: RNGLike = 0,
) -> Explanation:
    """Explain annealed runs by their constant runs and the gradient noise measured on them.

    Parameters
    ----------
    runs
        A family of measured runs with learning rates and noise traces, or its pairing by `pair_runs`.
    model
        "eq16", "eq15" or "constant".
    level
        Of the interval of alpha.
    replicates
        Resamples of the targets.
    rng
        Seed or generator of the resamples.

    Raises
    ------
    InputError
        For an unknown model, a level outside (0, 1), and when no run can be compared, with the reasons.

    References
    ----------
    Qiu, Xiao, Wilson, Pennington, Agarwala, Scaling Collapse Reveals Universal Dynamics in Compute-Optimally Trained
    Neural Networks, arXiv 2507.02119, section 4 and appendix.

    Examples
    --------
    >>> from scalinglaws.curves import Run, from_runs
    >>> step = np.arange(10, 210, 10)
    >>> flat, decay = np.full(20, 0.1), np.linspace(0.1, 0.0, 20)
    >>> noise = np.full(20, 0.4)
    >>> made = [Run(name=n, step=step, loss=3.0 - 0.25 * (1 - lr / 0.1) * noise, params={}, lr=lr, noise_trace=noise)
    ...         for n, lr in (("flat", flat), ("decay", decay))]
    >>> round(explain(from_runs(made)).alpha, 2)
    0.25
    """
    if model not in MODELS:
        raise InputError(f"model = {model!r}: must be one of {', '.join(MODELS)}")
    check(level, replicates)
    pairing = Pairing.of(runs)
    pairs, excluded = _measured(pairing, model)
    if not pairs:
        raise pairing.refusal(excluded)
    factors = [MODELS[model](pair) for pair in pairs]
    gains = [pair.loss - pair.reference.loss_at(pair.contrast.tau) for pair in pairs]
    xx, xy = (np.array([f @ v for f, v in zip(factors, vs, strict=True)]) for vs in (factors, gains))
    alpha = float(xy.sum() / xx.sum())
    drawn = counts(len(pairs), replicates, rng)
    low, high = interval(drawn @ xy / (drawn @ xx), level) if len(pairs) > 1 else (float("nan"), float("nan"))
    predicted = [pair.loss - gain + alpha * f for pair, gain, f in zip(pairs, gains, factors, strict=True)]
    targets = _by_target(pairs, predicted)
    error, gain = np.concatenate([p.loss for p in pairs]) - np.concatenate(predicted), np.concatenate(gains)
    objective = float(error @ error)
    reference = [pair.loss - gain for pair, gain in zip(pairs, gains, strict=True)]
    return Explanation(
        model=model,
        alpha=alpha,
        low=low,
        high=high,
        level=level,
        objective=objective,
        points=int(error.size),
        mae=float(np.abs(error).mean()),
        relative=float(targets["relative"].mean()),
        relative_pooled=float(np.average(targets["relative"], weights=targets["points"])),
        r2=1.0 - objective / float(gain @ gain),
        targets=targets,
        curves=label(pairs, {"reference": reference, "predicted": predicted}, {"model": model, "alpha": alpha}),
        excluded=excluded,
        notes=pairing.notes,
    )


def _measured(pairing: Pairing, model: str) -> tuple[list[Pair], dict[str, str]]:
    """Keep the pairs, and of them the records, whose noise is known where the model needs it."""
    excluded = dict(pairing.excluded)
    kept = []
    for pair in pairing.pairs:
        known = np.isfinite(pair.trace) if model != "constant" else np.ones(pair.loss.shape, dtype=bool)
        if int(known.sum()) < FEWEST:
            excluded[pair.target.name] = (
                f"its noise was measured at {int(known.sum())} records, and {FEWEST} are needed"
            )
        elif model == "eq15" and not pair.reference.has_trace:
            excluded[pair.target.name] = f"the noise of its constant run {pair.reference.name} was not measured"
        else:
            kept.append(pair if known.all() else pair.at(known))
    return kept, excluded


def _by_target(pairs: list[Pair], predicted: list[Array]) -> xr.Dataset:
    errors = [pair.loss - curve for pair, curve in zip(pairs, predicted, strict=True)]
    columns = {
        "points": [e.size for e in errors],
        "mae": [np.abs(e).mean() for e in errors],
        "relative": [(np.abs(e) / pair.loss).mean() for e, pair in zip(errors, pairs, strict=True)],
        "bias": [e.mean() for e in errors],
        "end": [e[-1] for e in errors],
        "schedule": np.array([p.target.schedule for p in pairs], dtype=object),
        "params": [p.target.kin[0] for p in pairs],
    }
    names = np.array([p.target.name for p in pairs], dtype=object)
    return xr.Dataset({k: ("run", np.asarray(v)) for k, v in columns.items()}, coords={"run": names})
