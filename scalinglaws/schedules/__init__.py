"""Learning-rate schedules: one definition for theory, simulation, training and prediction.

A constructor below builds a `Schedule`: call it with a step to get a rate, ask `tau` for the gradient-flow time.
`parse` reads the short text form used on the command line, `from_table` takes measured rates. A new shape is one
function in `shapes.py`, registered by its decorator, and one constructor in `constructors.py`.
"""

from scalinglaws.schedules.constructors import (
    constant,
    cosine,
    eight_one_one,
    exponential,
    from_table,
    linear,
    multicosine,
    power,
    quadratic,
    stages,
    two_stage,
    wsd,
)
from scalinglaws.schedules.parsing import parse
from scalinglaws.schedules.shapes import names
from scalinglaws.schedules.spec import Schedule

__all__ = [
    "Schedule",
    "constant",
    "cosine",
    "eight_one_one",
    "exponential",
    "from_table",
    "linear",
    "multicosine",
    "names",
    "parse",
    "power",
    "quadratic",
    "stages",
    "two_stage",
    "wsd",
]
