"""Theory and laws against measured curves: schedules, noise, collapse.

`fit_schedule` and `contest` predict whole curves for any learning-rate schedule, `explain` and `forecast` follow
the gradient noise, `fit_family` fits one law to several sizes, `collapse` judges a family of sizes, `rate_transfer` a
sweep of learning rates over widths.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
