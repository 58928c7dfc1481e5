"""Monte Carlo of one-pass SGD: single runs, as noisy as training is.

- `simulate(model, opt, steps)`  replicates of one problem; exact in law, O(d) an update for any v and batch.
- `simulate_many(cases, steps)`  the same for several problems at once, which is what fills a GPU.
- `simulate(..., method="explicit")`  draws every sample: thousands of times slower, and the same.

For the mean over replicates use `solve(..., method="instance")`, which is exact and has no noise.
"""

from scalinglaws.simulation.monte_carlo import simulate, simulate_many

__all__ = ["simulate", "simulate_many"]
