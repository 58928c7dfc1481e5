"""Compute-optimal sizes and held-out validation, each with an interval.

`optimal` says how large and how long to train for a budget; `predict_held_out` says whether to believe it.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
