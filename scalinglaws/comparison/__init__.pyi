# The public names, each imported on first use (SPEC 1): this file is their one list.
from . import family_laws as family_laws
from . import noise as noise
from . import schedule_laws as schedule_laws
from .collapsing.analysis import collapse as collapse
from .family_laws.contest import contest_families as contest_families
from .family_laws.fit import fit_family as fit_family
from .path import Path as Path
from .schedule_laws.contest import contest as contest
from .schedule_laws.fit import fit_schedule as fit_schedule
from .schedule_laws.forecast import forecast_schedule as forecast_schedule
from .schedule_laws.search import search_schedule as search_schedule
from .solvable import model_family as model_family
from .transfer import rate_transfer as rate_transfer
