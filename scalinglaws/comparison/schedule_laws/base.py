"""The interface of all schedule laws: fit on some runs, predict the loss curve under any learning-rate schedule.

A law is linear in its amplitudes once its shapes are known:

    loss(record) = sum_a amplitude_a * feature_a(record; shapes)

A new law is one file with one function of the shapes and a `History`, and one line in the registry; search, robust
fit, certificate, intervals, metrics and contest need nothing else. A function without derivatives is wrapped in
`numeric`. Laws that need every single rate find the paths in `History.curves`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.comparison.path import Path
from scalinglaws.comparison.schedule_laws.history import History
from scalinglaws.comparison.separable.law import SeparableLaw, Shape, numeric
from scalinglaws.errors import InputError
from scalinglaws.schedules import Schedule

__all__ = ["ScheduleLaw", "Shape", "numeric", "path_of"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ScheduleLaw(SeparableLaw[History]):
    """A named law of the loss curve under any learning-rate schedule.

    Its parameters are those of `SeparableLaw`; `features` and `starts` read a `History`.

    Examples
    --------
    >>> from scalinglaws import schedules
    >>> from scalinglaws.comparison.schedule_laws import find_schedule_law
    >>> law = find_schedule_law("tau-power")
    >>> law.parameters
    ('L0', 'A', 'alpha')
    >>> law.predict({"L0": 2.0, "A": 1.0, "alpha": 0.5}, schedules.constant(0.1, steps=40), [10, 40])
    array([3. , 2.5])
    """

    def predict(
        self, values: Mapping[str, float], path: Path | Schedule, steps: ArrayLike | None = None, *, exact: bool = False
    ) -> Array:
        """Return the loss after `steps` updates, shape (n,); infinite as long as every rate was zero.

        Parameters
        ----------
        values
            A number for each of `parameters`.
        path
            The learning rates: a `Path`, or a schedule that knows its length.
        steps
            Updates done, whole numbers between 1 and the length of the path, which is the default.
        exact
            Sum over every single rate change rather than over blocks (see `History`).

        Raises
        ------
        InputError
            For parameters that are missing or unknown, and for steps outside the path.
        """
        if set(values) != set(self.parameters):
            raise InputError(f"{self.name}: parameters {sorted(values)}: must be {', '.join(self.parameters)}")
        path = path_of(path)
        look = History.of(path, [path.steps] if steps is None else steps, exact=exact)
        shapes = np.array([values[shape.name] for shape in self.shapes], dtype=np.float64)
        amplitudes = np.array([values[name] for name in self.amplitudes], dtype=np.float64)
        loss = np.full(look.step.size, np.inf)
        moved = np.flatnonzero(look.tau > 0)
        if moved.size:
            loss[moved] = self.features(shapes, look.take(moved))[0] @ amplitudes
        return loss


def path_of(schedule: Path | Schedule) -> Path:
    """Return the rates of a schedule, or a path as it is."""
    return schedule if isinstance(schedule, Path) else Path.of_schedule(schedule)
