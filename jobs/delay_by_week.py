"""How late do aircraft leave each airport by the day, the week and the month: on average, mostly, and at worst?

in    topic departures (schemas/departure.py)
out   table delay_by_week_v1: days, weeks and months of New York by origin, with the number of departures and the mean,
      p50 and p95 of their delay in minutes; the percentiles within 1 %. `final` says that only a straggler can still
      change the row
late  more than LATENESS behind, a departure is a straggler: it corrects its day, week and month, and has a row in
      delay_by_week_v1_stragglers
"""

from pyspark.sql import DataFrame

from jobs import keeping
from jobs.answers.result import Late, Reads, Result
from jobs.answers.windows import CalendarDay, CalendarMonth, CalendarWeek, Windows
from jobs.facts.panes import Panes
from jobs.run import Run, start
from schemas import departure

ZONE = "America/New_York"
PANES = Panes(
    every="1 hour",
    by=("origin",),
    count="departures",
    averages=("delay_minutes",),
    percentiles={"delay_minutes": (0.5, 0.95)},
)
WINDOWS = Windows(PANES, CalendarDay(ZONE), CalendarWeek(ZONE), CalendarMonth(ZONE))
LATENESS = "12 hours"


def transform(departures: DataFrame) -> DataFrame:
    """The delay of each departure at its scheduled time."""
    return departures.select("event_time", "origin", "delay_minutes")


RESULT = Result("delay_by_week_v1", Reads(departure, transform), WINDOWS, late=Late(LATENESS))


def main(run: Run) -> None:
    """Read the log, bring the table up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
