"""Scaling laws fitted to measured tables: estimators, certificates, uncertainty.

`fit` is the one call most need; `as_table` says what it accepts, `estimator` what it minimises, `laws` which
forms it knows.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
