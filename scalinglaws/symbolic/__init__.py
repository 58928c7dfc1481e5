"""Exponents derived, not tabulated.

- `phases.phase(alpha, beta)`    the compute-optimal phase of one point, in microseconds, without sympy;
- `derivation.derive()`          the whole derivation it rests on, from spectra to regions, in seconds;
- `asymptotics`, `terms`         the sums behind the risk of SGD on PLRF, with constants and conditions;
- `duality.optimum`, `diagram.phase_diagram`  the same engine for anybody's power laws;
- `mellin`, `cells`              the two pieces of mathematics underneath.

Importing this package or `phases` does not import sympy.
"""

from __future__ import annotations

from scalinglaws.symbolic.phases import Phase, known_phase, phase

__all__ = ["Phase", "known_phase", "phase"]
