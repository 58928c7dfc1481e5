"""The errors a user can cause: one sentence with the name, the value and the rule.

The command line prints the sentence and exits with code 2; everything else is a bug and keeps its traceback.
"""

from __future__ import annotations

from typing import Any

__all__ = ["InputError", "require"]


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
        shown = repr(value)
        shown = shown if len(shown) <= 120 else f"{shown[:117]}..."
        raise InputError(f"{name} = {shown}: {rule}")
