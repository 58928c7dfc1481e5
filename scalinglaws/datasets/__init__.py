"""Measured families that ship with the package: small transformers it trained itself, with everything recorded.

Which name do I need?

- What there is: `names`; in a sentence or two each: `describe`.
- The runs of a family, as `read_curves` would give them: `load`.
- The ladder a family was trained from, to train it again: `recipe`, the path of a TOML file; `recipes` lists them.

Two recipes come without runs, "gpu" and "gpu-standard": the same study on a GPU, wider than two cores can go.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
