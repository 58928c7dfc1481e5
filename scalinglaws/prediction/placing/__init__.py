"""Where measured runs lie on the phase diagram of the solvable model, and how sure that is."""

from __future__ import annotations

from scalinglaws.prediction.placing.place import place
from scalinglaws.prediction.placing.result import Placement

__all__ = ["Placement", "place"]
