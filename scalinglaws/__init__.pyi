# The public names, each imported on first use (SPEC 1): this file is their one list.
from . import schedules as schedules
from .schedules import Schedule as Schedule
from .simulation import simulate as simulate
from .simulation import simulate_many as simulate_many
from .symbolic import Phase as Phase
from .symbolic import phase as phase
