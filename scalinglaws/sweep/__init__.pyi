# The public names, each imported on first use (SPEC 1): this file is their one list.
from .executors import open_executor as open_executor
from .records import Failure as Failure
from .results import Cell as Cell
from .results import Results as Results
from .running import sweep as sweep
from .specs import grid as grid
