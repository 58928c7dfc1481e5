# The public names, each imported on first use (SPEC 1): this file is their one list.
from . import laws as laws
from .bootstrap import Bootstrap as Bootstrap
from .estimate import fit as fit
from .estimators import ESTIMATORS as ESTIMATORS
from .estimators import Estimator as Estimator
from .estimators import estimator as estimator
from .identifiability import check_design as check_design
from .information import compare_laws as compare_laws
from .result import Fit as Fit
from .result import Starts as Starts
from .table import Table as Table
from .table import as_table as as_table
