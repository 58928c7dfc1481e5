"""Measured families that ship with the package: small transformers it trained itself, with everything recorded.

Which name do I need?

- What there is: `names`; in a sentence or two each: `describe`.
- The runs of a family, as `read_curves` would give them: `load`.
- The ladder a family was trained from, to train it again: `recipe`, the path of a TOML file for `scalinglaws train`.

Two more recipes come without runs (`recipe("gpu")`, `recipe("gpu-standard")`): the same study for a GPU.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
