# The public names, each imported on first use (SPEC 1): this file is their one list.
from .path import Path as Path
