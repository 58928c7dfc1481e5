"""Compute-optimal exponents from measured tables and curves: Chinchilla's three approaches, side by side.

`compare_approaches` runs all that the input allows and says whether they agree: start there. `isoflop` alone gives
the optimum of each budget with codes for what is wrong with it, `envelope` needs whole curves, `isoflop_bias` says
how far a parabola is off on the very grid that was measured. Models that are known exactly, and curves without
noise, belong to `prediction.approaches` instead.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
