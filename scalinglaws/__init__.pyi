# The public names, each imported on first use (SPEC 1): this file is their one list.
from . import schedules as schedules
from .models import PLRF as PLRF
from .models import GaussianLeastSquares as GaussianLeastSquares
from .optimizers import SGD as SGD
from .optimizers import relative_lr as relative_lr
from .schedules import Schedule as Schedule
from .simulation import simulate as simulate
from .simulation import simulate_many as simulate_many
from .steps import log_steps as log_steps
from .symbolic import Phase as Phase
from .symbolic import phase as phase
from .theory.solve import solve as solve
from .theory.stability import critical_lr as critical_lr
