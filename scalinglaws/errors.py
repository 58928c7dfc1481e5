"""The errors a user can cause: one sentence with the name, the value and the rule.

The command line prints the sentence and exits with code 2; everything else is a bug and keeps its traceback.
"""

from __future__ import annotations

from typing import Any

__all__ = ["InputError", "require", "require_share", "require_whole", "shown"]


class InputError(ValueError):
    """Something the user gave breaks a rule; the message is the sentence to show."""


def require(condition: bool, name: str, value: Any, rule: str) -> None:
    """Raise unless `condition` holds.

    Parameters
    ----------
    condition
        The rule, evaluated.
    name
        What the user calls the thing: an argument, a column, a file.
    value
        What it was; shown by `repr`, shortened.
    rule
        What it must be, completing "<name> = <value>: ...".

    Raises
    ------
    InputError
        With the sentence "<name> = <value>: <rule>".

    Examples
    --------
    >>> require(3 > 0, "steps", 3, "must be positive")
    >>> require(-3 > 0, "steps", -3, "must be positive")
    Traceback (most recent call last):
        ...
    scalinglaws.errors.InputError: steps = -3: must be positive
    """
    if not condition:
        raise InputError(f"{name} = {shown(value)}: {rule}")


def require_whole(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Raise unless a value is an integer, no truth value, from `least` to `most`.

    Raises
    ------
    InputError
        With the name, the value and the range.

    Examples
    --------
    >>> require_whole("starts", 8, 1, 512)
    >>> require_whole("replicates", 1.5, 2)
    Traceback (most recent call last):
        ...
    scalinglaws.errors.InputError: replicates = 1.5: must be an integer, 2 or more
    """
    whole = isinstance(value, int) and not isinstance(value, bool)
    good = whole and value >= least and (most is None or value <= most)
    rule = f"must be an integer, {least} or more" if most is None else f"must be an integer from {least} to {most}"
    require(good, name, value, rule)


def require_share(name: str, value: Any) -> None:
    """Raise unless a value is a number strictly between 0 and 1, as a coverage or a probability is.

    Raises
    ------
    InputError
        With the name and the value.

    Examples
    --------
    >>> require_share("level", 90)
    Traceback (most recent call last):
        ...
    scalinglaws.errors.InputError: level = 90: must lie between 0 and 1
    """
    require(isinstance(value, int | float) and 0.0 < value < 1.0, name, value, "must lie between 0 and 1")


def shown(value: Any) -> str:
    """Return what a value looks like on one short line.

    Examples
    --------
    >>> shown(list(range(1000)))[-9:], len(shown(list(range(1000))))
    ('30, 31...', 120)
    """
    text = " ".join(repr(value).split())
    return text if len(text) <= 120 else f"{text[:117]}..."
