"""From a table to an answer one can defend: the laws compared, one chosen, and how far to trust it.

`advise` is the one call; `candidates` fits and tests every law, `choice` picks one, `words` says what follows.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
