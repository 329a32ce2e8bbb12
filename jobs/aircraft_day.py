"""How long is the working day of an aircraft: departures from New York with less than six hours between them?

in    topic departures (schemas/departure.py)
out   table aircraft_day_v1: a row for each session of an aircraft, with its first and last scheduled departure, their
      number, their mean, minimum and maximum delay in minutes, and the number of different airports. Open sessions are
      shown, `final` false
late  a departure that comes late extends its session; if it closes a gap it joins two: the row of the first grows
      (`revision`), that of the second is withdrawn
"""

from pyspark.sql import DataFrame

from jobs import keeping
from jobs.answers.result import Late, Reads, Result
from jobs.answers.sessions import Sessions
from jobs.run import Run, start
from schemas import departure

DAYS = Sessions(
    by=("tail_number",), gap="6 hours", count="departures", averages=("delay_minutes",), uniques=("origin",)
)
LATENESS = "3 hours"


def transform(departures: DataFrame) -> DataFrame:
    """Which aircraft left where, how late, at its scheduled time."""
    return departures.select("event_time", "tail_number", "origin", "delay_minutes")


RESULT = Result("aircraft_day_v1", Reads(departure, transform), DAYS, late=Late(LATENESS))


def main(run: Run) -> None:
    """Read the log, bring the table up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
