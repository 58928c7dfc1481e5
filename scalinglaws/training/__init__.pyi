# The public names, each imported on first use (SPEC 1): this file is their one list.
from .config import TrainConfig as TrainConfig
from .coordinates import coordinate_check as coordinate_check
from .corpus import Corpus as Corpus
from .corpus import load_corpus as load_corpus
from .counting import ModelShape as ModelShape
from .counting import count_flops as count_flops
from .counting import count_params as count_params
from .ladder import Ladder as Ladder
from .ladder import demo_ladder as demo_ladder
from .planning import Plan as Plan
from .planning import plan as plan
from .provenance import configs_of as configs_of
from .runner import train_ladder as train_ladder
from .runner import worker_pool as worker_pool
from .single import train as train
