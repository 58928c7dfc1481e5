"""Exact theory of SGD on the solvable models: risk curves without simulation.

- `solve`      the front door: a labelled risk curve, for one draw of the features or in the large-d limit;
- `stability`  the critical learning rate;
- `limit`      resolvents of the random features without drawing them;
- `constant`   constant rates in the limit: a contour integral, any number of steps at the same cost;
- `secular`    constant rates given the features: a sum of exponentials from a secular equation;
- `modes`, `blocks`, `stepping`  changing rates and batches: modes, real or complex, advanced in blocks of
  steps;
- `contour`, `curves`  the quadrature and the sums of exponentials they share;
- `dynamics`   noise dynamics: any spectrum, any schedule, noise that feeds back or not; compiled.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, submodules=["dynamics"])
