r"""Gradient noise and learning-rate schedules: what a schedule did to a loss curve, and what another one would do.

All compare a run with the constant run of the same size, batch and peak rate at equal gradient-flow time tau, the sum
of the rates so far. A lower rate removes the loss that gradient noise adds.

- `explain` tells a schedule's gain from the noise measured on the run itself (arXiv 2507.02119, Eq. 16): it confirms
  the mechanism and predicts nothing.
- `forecast` needs the constant run only: it predicts the whole curve under any schedule of the same peak rate, with
  an interval, from a few schedules to learn from. With no measured noise it learns that too.
- `pair_runs` is the pairing both begin with: which runs are compared, which are left out, and why.

A law of one size that needs no constant run is "noise" of `scalinglaws.comparison.schedule_laws`.
"""

from __future__ import annotations

from scalinglaws.comparison.noise.explain import Explanation, explain
from scalinglaws.comparison.noise.fitting import forecast
from scalinglaws.comparison.noise.forecast import NoiseForecast
from scalinglaws.comparison.noise.pairs import Pair, Pairing, pair_runs

__all__ = ["Explanation", "NoiseForecast", "Pair", "Pairing", "explain", "forecast", "pair_runs"]
