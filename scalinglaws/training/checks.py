"""Checks of described values that more than one description needs."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

from scalinglaws.errors import InputError, require

__all__ = ["check_torch", "check_type", "json_object"]


def check_type(name: str, value: Any, annotation: str) -> None:
    """Require that a value is of its field's type, as the annotation spells it.

    Examples
    --------
    >>> check_type("seed", None, "int | None")
    >>> check_type("seed", True, "int")
    Traceback (most recent call last):
        ...
    scalinglaws.errors.InputError: seed = True: must be an integer
    """
    if annotation.endswith(" | None"):
        if value is None:
            return
        annotation = annotation.removesuffix(" | None")
    accepted: dict[str, tuple[type | tuple[type, ...], str]] = {
        "str": (str, "text"),
        "int": (int, "an integer"),
        "float": ((int, float), "a number"),
        "bool": (bool, "true or false"),
    }
    kind, said = accepted[annotation]
    is_bool = isinstance(value, bool)
    require(isinstance(value, kind) and is_bool == (annotation == "bool"), name, value, f"must be {said}")


def check_torch() -> None:
    """Raise an `InputError` if torch is not installed."""
    if importlib.util.find_spec("torch") is None:
        raise InputError("torch is not installed, and training needs it: pip install 'scalinglaws[train]'")


def json_object(name: str, text: str) -> dict[str, Any]:
    """Read options that a description keeps as the text of a JSON object.

    Examples
    --------
    >>> json_object("schedule_options", '{"decay": 0.3}')
    {'decay': 0.3}
    """
    try:
        options = json.loads(text)
    except ValueError as error:
        raise InputError(f"{name} = {text!r}: must be a JSON object") from error
    require(isinstance(options, dict), name, text, "must be a JSON object")
    return dict(options)
