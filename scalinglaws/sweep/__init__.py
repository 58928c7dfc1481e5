"""Grids of cells: one function of one spec, computed anywhere, kept on disk, resumed after any interruption.

Which name do I need?

- The product of lists of values: `grid`.
- To compute every cell, in this process or on any executor, with or without a folder that keeps them: `sweep`.
- Local worker processes or an existing Dask cluster as an executor: `open_executor`.
- What comes back: `Results`, a sequence of `Cell`s, of which some may hold a `Failure`.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
