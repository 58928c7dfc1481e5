# The public names, each imported on first use (SPEC 1): this file is their one list.
from .model_family import model_family as _mf
from .path import Path as Path
