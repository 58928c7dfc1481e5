"""What theory says of a point of the phase diagram."""

from __future__ import annotations

from scalinglaws.symbolic import phase

__all__ = ["facts"]


def facts(alpha: float, beta: float) -> tuple[str, float, float]:
    """Return phase, size exponent and loss exponent; "" and NaN where none is known."""
    if 2.0 * (alpha + beta) <= 1.0:
        return "", float("nan"), float("nan")
    here = phase(alpha, beta)
    return here.name, here.size_exponent, here.loss_exponent
