"""One self-contained page, and the same numbers as JSON, from measured runs."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
