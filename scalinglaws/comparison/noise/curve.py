"""One measured run as a curve over gradient-flow time: what is used of it, and from which record on it was annealed.

=======================================  ==========================================================================
what is found                            what happens
=======================================  ==========================================================================
losses that are not finite and positive  those records are left out, noted
loss spikes that come back               those records are left out, noted (rule of `collapsing.damage.spikes`)
noise traces missing or not positive     unknown there: the record is not compared, a reference is interpolated
records before the rate was positive     left out: nothing has been learned yet
fewer than 8 usable records              the run is left out, named
run diverged                             the run is left out, named
no learning rates, or impossible ones    the run is left out, named with the reason
=======================================  ==========================================================================

Files are cleaned when they are read (restarted steps keep the later record, see `curves.clean`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.collapsing.damage import spikes
from scalinglaws.comparison.noise.smooth import local_linear
from scalinglaws.comparison.path import Path
from scalinglaws.curves import Run
from scalinglaws.errors import InputError

__all__ = ["AT_PEAK", "FEWEST", "Curve", "first_fall"]

Array = NDArray[np.float64]

FEWEST = 8
"""Usable records that a run needs."""

_SAME_PEAK = 0.01

AT_PEAK = 0.999
"""A rate this close to its peak, over it, has reached it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """A cleaned run.

    Parameters
    ----------
    name, schedule
        As stored.
    kin
        Parameters, width, depth, batch and sequence length, -1 where unknown: runs are compared within equal `kin`.
    path
        Learning rate of every update.
    fell
        Update from which the rate has fallen; None for a run at constant rate.
    step, tau, loss
        Usable records, shape (n,).
    trace
        Trace of the noise covariance there, NaN where unknown.
    notes
        What was left out; sentences that go on after the name of the run.
    """

    name: str
    schedule: str
    kin: tuple[float, ...]
    path: Path
    fell: int | None
    step: NDArray[np.int64]
    tau: Array
    loss: Array
    trace: Array
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: Run, *, fall: float) -> Curve:
        """Clean one run by the rules of this module.

        Parameters
        ----------
        fall
            Fraction of the peak by which the rate must have fallen.

        Raises
        ------
        InputError
            With the reason why the run cannot be used, to go on after its name.
        """
        if run.status == "diverged":
            raise InputError("it diverged")
        try:
            path = Path.of_run(run)
        except InputError as error:
            raise InputError(f"its learning rates cannot be used ({error})") from error
        begun = path.tau[np.clip(run.step, 0, path.steps)] > 0
        usable = np.isfinite(run.loss) & (run.loss > 0)
        bad = int((begun & ~usable).sum())
        notes = [f"{bad} record(s) without a usable loss were left out"] if bad else []
        kept = np.flatnonzero(begun & usable)
        jumps = spikes(run.loss[kept]) if kept.size else np.zeros(0, dtype=bool)
        if jumps.any():
            notes.append(f"{int(jumps.sum())} record(s) in loss spikes were left out")
        kept = kept[~jumps]
        if kept.size < FEWEST:
            raise InputError(f"it holds {kept.size} usable record(s), and {FEWEST} are needed")
        trace = _trace(run)
        step = run.step[kept]
        return cls(
            name=run.name,
            schedule=run.schedule,
            kin=_kin(run),
            path=path,
            fell=first_fall(path, fall),
            step=step,
            tau=path.tau_at(step),
            loss=np.asarray(run.loss[kept], dtype=np.float64),
            trace=np.where(trace > 0, trace, np.nan)[kept],
            notes=tuple(notes),
        )

    @property
    def has_trace(self) -> bool:
        """Whether the noise was measured at two records or more."""
        return int(np.isfinite(self.trace).sum()) >= 2

    @property
    def peak(self) -> float:
        """Largest rate."""
        return self.path.peak

    def is_like(self, path: Path) -> bool:
        """Whether a path has this run's peak rate, to 1 %: recorded rates may miss the very peak."""
        return abs(path.peak / self.peak - 1.0) < _SAME_PEAK

    def rate_at(self, tau: Array) -> Array:
        """Rate of the update that reaches `tau`, over the peak; 0 past the end."""
        after = np.searchsorted(self.path.tau, tau, side="left")
        rate = np.append(self.path.rate, 0.0) / self.peak
        return np.asarray(rate[np.clip(after - 1, 0, self.path.steps)])

    def loss_at(self, tau: Array) -> Array:
        """Measured loss at equal gradient-flow time, linear between records."""
        return np.interp(tau, self.tau, self.loss)

    def trace_at(self, tau: Array) -> Array:
        """Measured noise trace at equal gradient-flow time, linear between records."""
        known = np.isfinite(self.trace)
        return np.interp(tau, self.tau[known], self.trace[known])

    def smooth_loss_at(self, tau: Array) -> Array:
        """Loss without the scatter of single records."""
        logs, loss = self._smooth_loss
        return np.asarray(np.interp(np.log(np.maximum(tau, self.tau[0])), logs, loss))

    def smooth_trace_at(self, tau: Array) -> Array:
        """Noise trace without the scatter of single records."""
        logs, log_trace = self._smooth_log_trace
        return np.asarray(np.exp(np.interp(np.log(np.maximum(tau, self.tau[0])), logs, log_trace)))

    @cached_property
    def _smooth_loss(self) -> tuple[Array, Array]:
        logs = np.log(self.tau)
        return logs, local_linear(logs, self.loss)

    @cached_property
    def _smooth_log_trace(self) -> tuple[Array, Array]:
        known = np.isfinite(self.trace)
        logs = np.log(self.tau[known])
        return logs, local_linear(logs, np.log(self.trace[known]))


def first_fall(path: Path, fall: float) -> int | None:
    """Return the first update, once the peak was reached, whose rate lies `fall` of the peak or more below it.

    Examples
    --------
    >>> first_fall(Path(rate=[0.5, 1.0, 1.0, 0.9]), 0.01), first_fall(Path(rate=[0.5, 1.0]), 0.01)
    (3, None)
    """
    top = int(np.argmax(path.rate >= AT_PEAK * path.peak))
    below = np.flatnonzero(path.rate[top:] < (1.0 - fall) * path.peak)
    return top + int(below[0]) if below.size else None


def _trace(run: Run) -> Array:
    """Take the trace that the theory speaks of, preconditioned by the optimizer, where a run holds both."""
    for trace in (run.noise_trace_preconditioned, run.noise_trace):
        if trace is not None and bool(np.isfinite(trace).any()):
            return np.asarray(trace, dtype=np.float64)
    return np.full(run.step.shape, np.nan)


def _kin(run: Run) -> tuple[float, ...]:
    """Compare size, shape and batch; what is unknown is equal to what is unknown."""
    size = float(sum(run.params.values())) if run.params else np.nan
    facts = (size, run.width, run.depth, run.batch, run.seq_len)
    return tuple(-1.0 if np.isnan(fact) else float(fact) for fact in facts)
