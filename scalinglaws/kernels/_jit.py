"""How every Numba kernel is compiled: one place for the flags.

- `nogil`: the callers' threads run kernels side by side.
- `error_model="numpy"`: division by zero gives inf or NaN, as in NumPy, and lets loops vectorise.
- `contract` (fused multiply-add) everywhere; `reassoc` only for sums, which do not vectorise without it.
  The result then depends on the processor's vector width in the last bits, never on workers or chunks.
- `forceinline` for the small functions inside a hot loop: LLVM vectorises no loop that still holds a call.
- No cache on disk unless `SCALINGLAWS_CACHE_KERNELS=1`: stale caches across machines are worse than seconds.

The undecorated function stays reachable as `.py_func`, which is what the tests compare with.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

__all__ = ["inlined", "kernel", "summing"]

F = TypeVar("F", bound=Callable[..., Any])

_CACHE = os.environ.get("SCALINGLAWS_CACHE_KERNELS", "") == "1"


def _compile(function: F, *, inline: bool, flags: set[str]) -> F:
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": flags}
    compiled: Any = numba.njit(**options, forceinline=inline, cache=_CACHE)(function)
    return cast("F", compiled)


def kernel(function: F) -> F:
    """Compile a loop."""
    return _compile(function, inline=False, flags={"contract"})


def inlined(function: F) -> F:
    """Compile a small function that must vanish into the loop that calls it."""
    return _compile(function, inline=True, flags={"contract"})


def summing(function: F) -> F:
    """Compile a loop that adds many terms, in an order the compiler may choose."""
    return _compile(function, inline=False, flags={"contract", "reassoc"})
