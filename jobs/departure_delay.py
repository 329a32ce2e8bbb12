"""How late do aircraft leave each airport of New York, by the hour and by the day?

in    topic departures (schemas/departure.py)
out   table departure_delay_v1: windows of the scheduled departure time by origin, with the number of departures and
      their mean, minimum and maximum delay in minutes
late  an aircraft that leaves late comes late into the log; its window, published already, is corrected
      (`revision`, `updated_time`). More than LATENESS behind it counts as late in the ledger. Nothing is dropped
"""

from pyspark.sql import DataFrame

from jobs import keeping
from jobs.answers.result import Late, Reads, Result
from jobs.answers.windows import CalendarDay, Hopping, Tumbling, Windows
from jobs.facts.panes import Panes
from jobs.run import Run, start
from schemas import departure

PANES = Panes(every="5 minutes", by=("origin",), count="departures", averages=("delay_minutes",))
WINDOWS = Windows(PANES, Tumbling("1 hour"), Hopping("1 hour", every="5 minutes"), CalendarDay("America/New_York"))
BATCH = 100_000
LATENESS = "6 hours"


def transform(departures: DataFrame) -> DataFrame:
    """The delay of each departure at its scheduled time."""
    return departures.select("event_time", "origin", "delay_minutes")


RESULT = Result(
    "departure_delay_v1",
    Reads(departure, transform),
    WINDOWS,
    late=Late(LATENESS),
    max_records_per_batch=BATCH,
)


def main(run: Run) -> None:
    """Read the log, bring the table up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
