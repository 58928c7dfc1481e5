"""Cells described: their grid, their values in plain form, the key of each and its own random numbers.

Everything that decides where a result is kept, and which random numbers it used, is in this module. A key is the hash
of canonical JSON (sorted names, shortest text that gives the same float64 back), so it is the same in every process,
on every machine and for every order of the names, and different whenever a value is.
"""

from __future__ import annotations

import hashlib
import inspect
import itertools
import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from scalinglaws.errors import InputError, require

__all__ = ["SCHEMA", "VERSION", "call", "canonical_json", "cell_rng", "grid", "header", "key_of", "name_of", "plain"]

SCHEMA = 1
"""Version of the files a sweep keeps; another one is never read."""

VERSION = version("scalinglaws")
"""Version of the package; read once, because finding it takes longer than a quick cell."""


def grid(**axes: Any) -> list[dict[str, Any]]:
    """List the product of some axes; the last one varies fastest.

    Parameters
    ----------
    axes
        Name -> values: a list, a tuple, a range or an array. Anything else, text included, is one value.

    Returns
    -------
    list of dict
        One mapping per cell; NumPy's numbers have become Python's.

    Raises
    ------
    InputError
        If an axis has no values or an array more than one dimension.

    Examples
    --------
    >>> grid(alpha=[0.5, 1.0], beta=0.7)
    [{'alpha': 0.5, 'beta': 0.7}, {'alpha': 1.0, 'beta': 0.7}]
    """
    columns = {name: _axis(name, values) for name, values in axes.items()}
    return [dict(zip(columns, choice, strict=True)) for choice in itertools.product(*columns.values())]


def _axis(name: str, values: Any) -> list[Any]:
    if isinstance(values, np.ndarray):
        require(values.ndim <= 1, f"grid: {name}", values, "must have one dimension")
        values = values.tolist()
    listed = list(values) if isinstance(values, list | tuple | range) else [values]
    require(len(listed) > 0, f"grid: {name}", values, "must hold one value or more")
    return [value.item() if isinstance(value, np.generic) else value for value in listed]


def plain(name: str, value: Any, *, specs: bool = False) -> Any:
    """Turn a value into what JSON keeps exactly: None, bool, int, float, text, lists, and dicts with text keys.

    Parameters
    ----------
    name
        What to call the value in an error.
    value
        NumPy's numbers become Python's, tuples and arrays lists.
    specs
        Whether objects with `to_dict` are welcome; their class becomes part of the value.

    Raises
    ------
    InputError
        If a part of the value is anything else.

    Examples
    --------
    >>> import numpy as np
    >>> plain("result", {"risk": np.array([0.5, 0.25]), "steps": np.int64(7)})
    {'risk': [0.5, 0.25], 'steps': 7}
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool):
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, list | tuple):
        return [plain(name, part, specs=specs) for part in value]
    if isinstance(value, dict) or (specs and isinstance(value, Mapping)):
        for key in value:
            require(isinstance(key, str), f"{name}: key", key, "must be text")
        return {str(key): plain(f"{name}: {key}", part, specs=specs) for key, part in value.items()}
    if specs and hasattr(value, "to_dict"):
        kind = type(value)
        return {"class": f"{kind.__module__}.{kind.__qualname__}", "values": plain(name, value.to_dict())}
    allowed = "numbers, text, lists, mappings" + (" or objects with to_dict" if specs else " or one xarray.Dataset")
    require(False, name, value, f"is a {type(value).__name__}; must be made of {allowed}")
    return None


def canonical_json(value: Any) -> str:
    """Write plain values as the one text that stands for them.

    Examples
    --------
    >>> canonical_json({"b": 1.0, "a": [True, None]})
    '{"a":[true,null],"b":1.0}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def name_of(function: Callable[..., Any]) -> str:
    """Name a function by its module and its place in it; the main module by its file.

    Examples
    --------
    >>> name_of(grid), name_of(partial(grid, alpha=1.0))
    ('scalinglaws.sweep.specs.grid', 'scalinglaws.sweep.specs.grid')
    """
    inner = function
    while isinstance(inner, partial):
        inner = inner.func
    module = getattr(inner, "__module__", None)
    if module in ("__main__", "__mp_main__"):
        module = Path(getattr(sys.modules[module], "__file__", None) or "__main__").stem
    return f"{module}.{getattr(inner, '__qualname__', type(inner).__qualname__)}"


def header(function: Callable[..., Any]) -> dict[str, Any]:
    """Say what was computed, by what: the part of a key that all cells of a sweep share.

    Parameters
    ----------
    function
        A function defined at the top of a module, or a `functools.partial` of one.

    Raises
    ------
    InputError
        If the function cannot be told from another by its name: a lambda, a local function, a method.
    """
    given: list[Any] = []
    inner = function
    while isinstance(inner, partial):
        given.append([list(inner.args), inner.keywords])
        inner = inner.func
    name = name_of(inner)
    free = isinstance(getattr(inner, "__self__", None), ModuleType | None)  # a method's owner would not be in the name
    rule = "must be a function at the top of a module, or functools.partial of one, so that its name tells what it is"
    require(free and hasattr(inner, "__qualname__") and "<" not in name, "function", function, rule)
    bound = plain("function: partial", given, specs=True)
    return {"schema": SCHEMA, "version": VERSION, "function": name, "bound": bound}


def key_of(head: Mapping[str, Any], spec: Any) -> str:
    """Hash what was computed and of which cell: 32 hexadecimal digits (128 bits of SHA-256).

    Examples
    --------
    >>> key_of({}, {"alpha": 1.0, "beta": 0.7}) == key_of({}, {"beta": 0.7, "alpha": 1.0})
    True
    >>> key_of({}, {"alpha": 1.0}) == key_of({}, {"alpha": 1})
    False
    """
    return hashlib.sha256(canonical_json([dict(head), spec]).encode()).hexdigest()[:32]


def cell_rng(spec: Any) -> np.random.Generator:
    """Make the generator of one cell from its plain spec alone: the same wherever and whenever it is computed.

    Examples
    --------
    >>> one, two = cell_rng({"alpha": 1.0}), cell_rng({"alpha": 1.0})
    >>> one.standard_normal() == two.standard_normal()
    True
    """
    digest = hashlib.sha256(canonical_json(spec).encode()).digest()
    return np.random.default_rng(np.random.SeedSequence(int.from_bytes(digest[:16], "big")))


def call(function: Callable[..., Any], spec: Any, plain_spec: Any) -> Any:
    """Compute one cell: a mapping is given as keywords, any other spec as the one argument.

    A function with a parameter `rng` that neither the spec nor a partial sets gets `cell_rng`.

    Examples
    --------
    >>> call(pow, {"base": 2, "exp": 3}, None), call(abs, -3, None)
    (8, 3)
    """
    args, keywords = ((), dict(spec)) if isinstance(spec, Mapping) else ((spec,), {})
    if "rng" not in keywords and _takes_rng(function):
        keywords["rng"] = cell_rng(plain_spec)
    return function(*args, **keywords)


def _takes_rng(function: Callable[..., Any]) -> bool:
    while isinstance(function, partial):
        if "rng" in function.keywords:
            return False
        function = function.func
    try:
        return "rng" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # some builtins do not say what they take
        return False


def refuse(function: Callable[..., Any], error: BaseException) -> InputError:
    """Say that an executor cannot run a function at all."""
    text = " ".join(str(error).split())
    return InputError(f"function = {name_of(function)}: the executor cannot run it ({type(error).__name__}: {text})")
