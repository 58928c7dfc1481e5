"""The command line: parse, call, print. Wrong input ends with one sentence and exit code 2."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
