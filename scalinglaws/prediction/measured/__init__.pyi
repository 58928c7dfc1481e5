# The public names, each imported on first use (SPEC 1): this file is their one list.
from .bias import corrected as corrected
from .bias import isoflop_bias as isoflop_bias
from .compare import Approaches as Approaches
from .compare import compare_approaches as compare_approaches
from .differences import Difference as Difference
from .envelope import Envelope as Envelope
from .envelope import envelope as envelope
from .isoflop import IsoFlop as IsoFlop
from .isoflop import isoflop as isoflop
from .lines import PowerLine as PowerLine
from .lines import power_line as power_line
from .minima import METHODS as METHODS
from .quality import CODES as CODES
from .quality import Budget as Budget
from .slices import Slice as Slice
from .slices import cut as cut
