# The public names, each imported on first use (SPEC 1): this file is their one list.
from . import schedules as schedules
from .curves import end_points as end_points
from .curves import load_curves as load_curves
from .curves import read_curves as read_curves
from .curves import read_table as read_table
from .curves import save_curves as save_curves
from .fitting import Fit as Fit
from .fitting import Table as Table
from .fitting import fit as fit
from .prediction import optimal as optimal
from .prediction import predict_held_out as predict_held_out
from .report import analyse as analyse
from .report import write_report as write_report
from .schedules import Schedule as Schedule
from .training import train as train
from .training import train_ladder as train_ladder
