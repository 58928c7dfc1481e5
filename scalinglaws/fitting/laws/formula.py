"""Laws given by formulas: whatever is not a sum of monomials, and the form to write a new law in.

Write the logarithms of the columns once, with `jets.exp`, `jets.log` and their kin; search, exact derivatives,
prediction and the compute-optimal point follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting.laws.jets import Number
from scalinglaws.fitting.laws.law import Law, Numbers, Shape

__all__ = ["FormulaLaw"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormulaLaw(Law):
    """A law given by formulas of its columns.

    Parameters
    ----------
    columns
        Amplitude to its sign; 1 or -1.
    parts
        The function `Law.logs`, written with the operations of `jets`.
    shape_parameters
        The shapes.
    constants
        Amplitudes of columns that are constant.
    given
        Amplitudes that are 1 by definition.
    uses_amplitudes
        Whether `parts` reads logarithms of amplitudes.
    place
        `Law.locate`, where the grid is over other variables than the shapes.

    Examples
    --------
    >>> from scalinglaws.fitting.laws.jets import exp
    >>> decay = FormulaLaw(name="decay", formula="L = E + exp(-D/S)", columns={"E": 1.0, "one": 1.0}, given=("one",),
    ...     parts=lambda p, x: (x["tokens"] * 0.0, -exp(x["tokens"] - p["S"])), constants=("E",),
    ...     shape_parameters=(Shape(name="S", axis=(0.0,), bounds=(-9.0, 9.0), log=True),))
    >>> decay.parameters, round(float(decay.predict({"E": 2.0, "S": 1e9}, 1e9, 1e9)), 3)
    (('E', 'S'), 2.368)
    """

    columns: Mapping[str, float]
    parts: Callable[[Numbers, Numbers], Sequence[Number]]
    shape_parameters: tuple[Shape, ...]
    constants: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    uses_amplitudes: bool = False
    place: Callable[[dict[str, Array], float], dict[str, Array]] | None = None

    @property
    def amplitudes(self) -> tuple[str, ...]:
        """Names of the amplitudes, in the order of the columns."""
        return tuple(self.columns)

    @property
    def signs(self) -> tuple[float, ...]:
        """Sign of each column."""
        return tuple(self.columns.values())

    @property
    def units(self) -> tuple[str, ...]:
        """Amplitudes that are 1 by definition and no parameters."""
        return self.given

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The other parameters."""
        return self.shape_parameters

    @property
    def coupled(self) -> bool:
        """Whether columns depend on the amplitudes too."""
        return self.uses_amplitudes

    def is_constant(self, amplitude: str) -> bool:
        """Tell whether a column is the irreducible loss."""
        return amplitude in self.constants

    def logs(self, p: Numbers, x: Numbers) -> Sequence[Number]:
        """Return the logarithm of each column; see `Law.logs`."""
        return self.parts(p, x)

    @property
    def located(self) -> bool:
        """Whether the search grid is over other variables than the shapes; see `locate`."""
        return self.place is not None

    def locate(self, point: dict[str, Array], level: float) -> dict[str, Array]:
        """Return the shapes meant by a point of the search grid; see `Law.locate`."""
        return point if self.place is None else self.place(point, level)
