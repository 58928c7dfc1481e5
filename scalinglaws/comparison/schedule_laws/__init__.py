"""Laws that predict a whole loss curve for any learning-rate schedule, behind one interface.

`fit_schedule` fits one law to some runs of one size, `contest` compares laws on schedules held out, `search_schedule`
looks for a better schedule under a law. Choose "noise", derived from the noise dynamics, unless your own contest says
otherwise; "multi-power", "functional" and "momentum" are the published laws, "convex" the shape of a bound,
"remembered-rate" five numbers for language models, "tau-power" the baseline that sees no schedule.
"""

from __future__ import annotations

from scalinglaws.comparison.schedule_laws.base import ScheduleLaw, Shape, numeric, path_of
from scalinglaws.comparison.schedule_laws.contest import Contest, contest
from scalinglaws.comparison.schedule_laws.convex import best_base_rate, convex_bound
from scalinglaws.comparison.schedule_laws.fit import fit_schedule
from scalinglaws.comparison.schedule_laws.forecast import Forecast, forecast_schedule
from scalinglaws.comparison.schedule_laws.history import History
from scalinglaws.comparison.schedule_laws.records import Records, by_size
from scalinglaws.comparison.schedule_laws.registry import SCHEDULE_LAWS, find_schedule_law
from scalinglaws.comparison.schedule_laws.result import ScheduleFit
from scalinglaws.comparison.schedule_laws.search import defects, find_schedule, search_schedule

__all__ = [
    "SCHEDULE_LAWS",
    "Contest",
    "Forecast",
    "History",
    "Records",
    "ScheduleFit",
    "ScheduleLaw",
    "Shape",
    "best_base_rate",
    "by_size",
    "contest",
    "convex_bound",
    "defects",
    "find_schedule",
    "find_schedule_law",
    "fit_schedule",
    "forecast_schedule",
    "numeric",
    "path_of",
    "search_schedule",
]
