# The public names, each imported on first use (SPEC 1): this file is their one list.
from .advise import advise as advise
from .candidates import Candidate as Candidate
from .result import Advice as Advice
