# The public names, each imported on first use (SPEC 1): this file is their one list.
from .health import Finding as Finding
from .health import check_curves as check_curves
from .health import check_table as check_table
from .holdout import HeldOut as HeldOut
from .holdout import predict_held_out as predict_held_out
from .optimum import optimal as optimal
