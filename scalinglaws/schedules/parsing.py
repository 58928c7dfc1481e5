"""The text form of a schedule, as typed on a command line: a name, then what makes it special.

`cosine`, `wsd:0.2`, `wsd:0.2,cooldown=sqrt`, `linear:floor=0.1`, `stages:at=[0.8,0.9],rates=[0.3,0.1]`.
"""

from __future__ import annotations

import json
from typing import Any

from scalinglaws.errors import InputError, require
from scalinglaws.schedules.shapes import SHAPES, names
from scalinglaws.schedules.spec import Schedule

__all__ = ["parse"]


def parse(text: str, *, peak: float, steps: int, warmup: int = 0) -> Schedule:
    """Read the short form of a schedule.

    Parameters
    ----------
    text
        A registered shape, optionally followed by a colon and a comma-separated list: `option=value`, where a
        bare first value sets the shape's main option (`decay` of "wsd", `exponent` of "power", `final` of
        "exponential", `halves` of "multicosine"). `floor` and `warmup` are understood too.
    peak, steps, warmup
        As for `Schedule`.

    Raises
    ------
    InputError
        For an unknown shape, option or value.

    Examples
    --------
    >>> parse("wsd:0.5,cooldown=sqrt", peak=1.0, steps=8)([3, 4, 6, 8]).round(3)
    array([1.   , 1.   , 0.293, 0.   ])
    """
    name, _, rest = text.strip().partition(":")
    require(name in SHAPES, "schedule", text, f"must begin with one of {', '.join(names())}")
    values: dict[str, Any] = {"peak": peak, "steps": steps, "warmup": warmup}
    for place, part in enumerate(_split(rest)):
        key, equals, value = part.partition("=")
        if not equals:
            main = SHAPES[name].main
            if place or main is None:
                raise InputError(f"schedule = {text!r}: {part!r} must have the form option=value")
            key, value = main, key
        values[key.strip()] = _value(value.strip())
    return Schedule.from_dict({"shape": name, **values})


def _split(text: str) -> list[str]:
    """Split at commas that are not inside brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part for part in parts if part.strip()]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
