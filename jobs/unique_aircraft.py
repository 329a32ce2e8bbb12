"""How many different aircraft leave each airport of New York, by the hour and by the day?

in    topic departures (schemas/departure.py)
out   table unique_aircraft_v1: windows of the scheduled departure time by origin, with a HyperLogLog sketch of the tail
      numbers, its estimate and standard error; sketches can be merged over airports, days and months
late  a straggler is added to the sketch of its window, which is published anew. Nothing is dropped
"""

from pyspark.sql import DataFrame

from jobs import keeping
from jobs.answers.result import Late, Reads, Result
from jobs.answers.windows import CalendarDay, Tumbling, Windows
from jobs.facts.panes import Panes
from jobs.run import Run, start
from schemas import departure

PANES = Panes(every="1 hour", by=("origin",), count="departures", uniques=("tail_number",), lg_k=12)
WINDOWS = Windows(PANES, Tumbling("1 hour"), CalendarDay("America/New_York"))
BATCH = 100_000
LATENESS = "6 hours"


def transform(departures: DataFrame) -> DataFrame:
    """The aircraft of each departure at its scheduled time."""
    return departures.select("event_time", "origin", "tail_number")


RESULT = Result(
    "unique_aircraft_v1",
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
