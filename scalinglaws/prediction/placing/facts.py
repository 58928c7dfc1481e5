"""What theory says of a point of the phase diagram."""

from __future__ import annotations

from scalinglaws.symbolic import known_phase

__all__ = ["facts"]


def facts(alpha: float, beta: float) -> tuple[str, float, float]:
    """Return phase, size exponent and loss exponent; "" and NaN where none is known."""
    here = known_phase(alpha, beta)
    return ("", float("nan"), float("nan")) if here is None else (here.name, here.size_exponent, here.loss_exponent)
