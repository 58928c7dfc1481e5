"""What is wrong with a single curve, and the rule for each case; the curve that is left is fit to be normalised.

===================================  ==============================================================================
what is found                        what happens
===================================  ==============================================================================
run not finished (partial, diverged) left out, named
loss not finite at the end           the run diverged: left out, named
loss not finite between others       those observations are dropped, and interpolated over
loss spike that comes back           its observations are dropped, and interpolated over; named, and counted as a fault
loss spike at the end                the end cannot normalise the curve: left out, named
fewer than 4 observations            left out, named
log begins after half of training    left out, named (`family`)
tokens unknown for an observation    the run is timed in steps (a common horizon law cannot be used then)
the same token count twice           the later record counts (a resumed run repeats itself)
token count that falls               error
===================================  ==============================================================================

Files are cleaned when they are read (`curves.clean`: restarted steps, blank cells); families built in memory come
through here alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.curves import Run
from scalinglaws.errors import InputError

__all__ = ["SPIKE", "Repaired", "repair", "spikes"]

Array = NDArray[np.float64]

SPIKE = 0.01
"""A loss this far above the median of its neighbours is a spike, if it is also ten times their usual scatter."""

_REACH = 5  # neighbours on each side: an excursion of up to five observations that comes back is seen whole
_SCATTER = 10.0
_FEWEST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """A curve fit to be normalised, or the reason why there is none.

    Parameters
    ----------
    clock
        Tokens seen, or updates done where tokens are unknown, increasing; shape (n,).
    loss
        Nats per token, finite, shape (n,).
    lr
        Learning rate, shape (n,), if known throughout.
    in_tokens
        Whether `clock` counts tokens.
    notes
        What was repaired; sentences that go on after the name of the run.
    refused
        Why the run is left out, or "".
    """

    clock: Array
    loss: Array
    lr: Array | None
    in_tokens: bool
    notes: tuple[str, ...] = ()
    refused: str = ""


def repair(run: Run, tokens: Array) -> Repaired:
    """Apply the rules of this module to one run.

    Parameters
    ----------
    run
        The run.
    tokens
        Training tokens seen at its observations, NaN where unknown, shape (n,).

    Raises
    ------
    InputError
        When a count of tokens falls.

    Examples
    --------
    >>> run = Run(name="a", step=np.arange(1, 7), loss=np.array([3.0, 2.8, np.nan, 2.6, 2.5, 2.4]), params={})
    >>> done = repair(run, 100.0 * run.step)
    >>> done.clock.tolist(), done.notes
    ([100.0, 200.0, 400.0, 500.0, 600.0], ('1 observation without a finite loss was dropped',))
    """
    finite = np.isfinite(run.loss)
    known = finite & np.isfinite(tokens)
    in_tokens = bool((known == finite).all())
    clock = np.asarray(tokens if in_tokens else run.step, dtype=np.float64)
    reason = _refusal(run, finite)
    if reason:
        return Repaired(clock=clock, loss=run.loss, lr=run.lr, in_tokens=in_tokens, refused=reason)
    notes = []
    if not finite.all():
        notes.append(f"{_observations(int(np.sum(~finite)))} without a finite loss {_was(~finite)} dropped")
    kept = np.flatnonzero(finite)
    back = np.flatnonzero(np.diff(clock[kept]) < 0)
    if back.size:
        pair = clock[kept[back[0] : back[0] + 2]]
        raise InputError(f"run {run.name}: tokens fall from {pair[0]:g} to {pair[1]:g}: must not decrease")
    kept = kept[np.append(np.diff(clock[kept]) > 0, True)]
    jump = spikes(run.loss[kept])
    if jump[-1]:
        reason = f"its loss ends {_height(run.loss[kept], jump):.1f} % above the values before it, in a spike"
    elif jump.any():
        where = run.step[kept][jump]
        notes.append(
            f"a loss spike of {_height(run.loss[kept], jump):.1f} % ({_observations(int(jump.sum()))} between steps "
            f"{where[0]} and {where[-1]}) was cut out and interpolated over"
        )
    kept = kept[~jump]
    if kept.size < _FEWEST and not reason:
        reason = f"only {_observations(int(kept.size))} of it {'is' if kept.size == 1 else 'are'} usable"
    lr = None if run.lr is None or not np.isfinite(run.lr[kept]).all() else run.lr[kept]
    return Repaired(
        clock=clock[kept], loss=run.loss[kept], lr=lr, in_tokens=in_tokens, notes=tuple(notes), refused=reason
    )


def spikes(loss: Array) -> NDArray[np.bool_]:
    """Mark the observations of loss spikes: short excursions up, against the median of eleven neighbours.

    Parameters
    ----------
    loss
        Positive losses in the order of training, shape (n,).

    Returns
    -------
        Shape (n,). A monotone curve has none, however steep: every observation is its own median.

    Examples
    --------
    >>> curve = np.linspace(3.0, 2.5, 12)
    >>> curve[6] = 3.4
    >>> np.flatnonzero(spikes(curve))
    array([6])
    """
    values = np.log(loss)
    return np.asarray(_above(values) > max(SPIKE, _SCATTER * _scatter(values)))


def _scatter(values: Array) -> float:
    """Noise of single observations from second differences, which a slope does not enter; robust to a few jumps.

    1.4826 / sqrt(6) times their median size is the standard deviation of independent Gaussian noise.
    """
    if values.size < 3:
        return 0.0
    return 0.605271 * float(np.median(np.abs(np.diff(values, n=2))))


def _above(values: Array) -> Array:
    """Each value less the median of its neighbours: as many on both sides at the start, the past alone at the end."""
    padded = np.pad(values, _REACH, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _REACH + 1).copy()
    for i in range(min(_REACH, values.size)):
        windows[i, _REACH + i + 1 :] = np.nan
    return np.asarray(values - np.nanmedian(windows, axis=1))


def _height(loss: Array, mask: NDArray[np.bool_]) -> float:
    return 100.0 * float(np.expm1(_above(np.log(loss))[mask].max()))


def _refusal(run: Run, finite: NDArray[np.bool_]) -> str:
    if run.status != "finished":
        return f"it is {run.status}"
    if not finite[-1]:
        return "its loss stops being finite: it diverged"
    if (run.loss[finite] <= 0).any():
        return "its loss is not positive everywhere, so it is no loss in nats per token"
    return ""


def _observations(count: int) -> str:
    return f"{count} observation{'' if count == 1 else 's'}"


def _was(mask: NDArray[np.bool_]) -> str:
    return "was" if int(mask.sum()) == 1 else "were"
