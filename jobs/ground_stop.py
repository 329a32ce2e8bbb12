"""When do very late departures pile up at an airport: three or more within half an hour, each more than an hour late?

in    topic departures (schemas/departure.py)
out   table ground_stop_v1: a row for each departure more than an hour late that was, by the schedule, the third or a
      later one of its airport within 30 minutes: how many they are up to then (`very_late`), of how many airlines
      (carrier_unique), their mean, minimum and maximum delay in minutes
late  a departure more than LATENESS behind is a straggler: it corrects the rows of the 30 minutes after it. If it is
      more than a day later still, it waits in ground_stop_v1_quarantine with reason `too_late`
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs import keeping
from jobs.answers.result import Late, Reads, Result
from jobs.answers.sliding import Sliding
from jobs.run import Run, start
from schemas import departure

PILES = Sliding(
    by=("origin",),
    size="30 minutes",
    count="very_late",
    averages=("delay_minutes",),
    uniques=("carrier",),
    least=3,
)
LATENESS = "3 hours"


def transform(departures: DataFrame) -> DataFrame:
    """The departures more than an hour late, at their scheduled times."""
    columns = ("event_time", "record_partition", "record_offset", "origin", "carrier", "delay_minutes")
    return departures.where(F.col("delay_minutes") > 60).select(*columns)


RESULT = Result("ground_stop_v1", Reads(departure, transform), PILES, late=Late(LATENESS), facts_for="1 day")


def main(run: Run) -> None:
    """Read the log, bring the table up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
