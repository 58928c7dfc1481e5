"""Train small networks and label their loss curves; torch is imported on first use.

The networks are decoder-only transformers on text; MLPs and the solvable model itself are other `tasks`.

Which name do I need?

- One run: `train`, given a `TrainConfig`, a mapping, or the path of a TOML file.
- A family of runs that resumes after any interruption: `Ladder` and `train_ladder`.
- What a run will cost before it starts: `plan`; a whole ladder, in FLOPs, time and memory: `estimate_ladder`.
- How many runs at once, on how many threads each: `tune_threads`. Which devices: `places_for`.
- How parameters and FLOPs are counted: `count_params` and `count_flops`.
- What text a run reads: `load_corpus`.
- What the runs of a trained family were: `configs_of`.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
