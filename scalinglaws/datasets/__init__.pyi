# The public names, each imported on first use (SPEC 1): this file is their one list.
from .shipped import describe as describe
from .shipped import load as load
from .shipped import names as names
from .shipped import recipe as recipe
from .shipped import recipes as recipes
