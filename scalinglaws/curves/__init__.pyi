# The public names, each imported on first use (SPEC 1): this file is their one list.
from . import schema as schema
from .counting import flops_by as flops_by
from .counting import params_by as params_by
from .counting import tokens_by as tokens_by
from .family import Run as Run
from .family import from_runs as from_runs
from .family import iter_runs as iter_runs
from .family import join as join
from .family import select as select
from .read import read_curves as read_curves
from .source import read_any as read_any
from .store import load_curves as load_curves
from .store import save_curves as save_curves
from .table import end_points as end_points
from .table import read_table as read_table
from .tokenizers import from_nats as from_nats
from .tokenizers import per_byte as per_byte
