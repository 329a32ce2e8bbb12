"""Which departures are next at each airport, with which aircraft, in which weather?

in    topics scheduled, aircraft, weather (schemas/scheduled.py, aircraft.py, weather.py): rows of tables, each as it is
      now. `headrace demo --tables` fills them, as they were on the last evening of 2013
out   table board_v1: the next ten departures of each airport, `place` 1 is the next one; board_v1_flights,
      board_v1_planes and board_v1_observations: the rows of the three tables
late  the order is that of the topics, so no row is too late
"""

from pyspark.sql import DataFrame

from jobs import keeping
from jobs.answers.latest import Latest
from jobs.answers.result import Reads, Result
from jobs.answers.views.view import View
from jobs.events.changes.keyed_rows import ROWS
from jobs.run import Run, start
from schemas import aircraft, scheduled, weather

BOARD = View(
    sql="""
        select f.origin, f.flight_day, f.scheduled_time, f.destination, p.model, p.seats,
            o.visibility_miles, o.wind_miles_per_hour,
            row_number() over (partition by f.origin order by f.scheduled_time, f.flight_day) as place
        from flights f
        left join planes p on p.tail_number = f.tail_number
        left join observations o on o.origin = f.origin
        qualify place <= 10
    """,
    key=("origin", "flight_day"),
    by=("origin",),
)


def columns(changes: DataFrame) -> DataFrame:
    """All of them."""
    return changes


RESULT = Result(
    "board_v1",
    tuple(Reads(topic, columns, form=ROWS) for topic in (scheduled, aircraft, weather)),
    (
        Latest(key=("flight_day",), topic=scheduled.TOPIC).named("flights"),
        Latest(key=("tail_number",), topic=aircraft.TOPIC).named("planes"),
        Latest(key=("origin",), topic=weather.TOPIC).named("observations"),
        BOARD,
    ),
)


def main(run: Run) -> None:
    """Read new rows, bring the tables and the board up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
