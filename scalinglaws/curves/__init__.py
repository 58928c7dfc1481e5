"""The labelled result that every producer fills and every consumer reads.

A family of measured loss curves is one `xarray.Dataset` (names in `schema`, built by `family`).
Files become a family with `read_curves`; a family becomes a file with `save_curves`; what fits take is the
table of `end_points`, or `read_table` when only final values are known.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
