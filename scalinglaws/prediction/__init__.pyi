# The public names, each imported on first use (SPEC 1): this file is their one list.
from .advising import Advice as Advice
from .advising import advise as advise
from .health import Finding as Finding
from .health import check_curves as check_curves
from .health import check_table as check_table
from .holdout import HeldOut as HeldOut
from .holdout import predict_held_out as predict_held_out
from .measured import compare_approaches as compare_approaches
from .measured import corrected as corrected
from .measured import envelope as envelope
from .measured import isoflop as isoflop
from .measured import isoflop_bias as isoflop_bias
from .multiplier import compute_multiplier as compute_multiplier
from .optimum import optimal as optimal
from .planning import plan_runs as plan_runs
from .rolling import rolling_origin as rolling_origin
from .sensitivity import counting_sensitivity as counting_sensitivity
