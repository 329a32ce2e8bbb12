"""What is known of each aircraft now, and what was known of it when?

in    topic aircraft (schemas/aircraft.py): the rows of a table, each as it is now. `headrace demo --tables` fills it
out   table aircraft_v1: the row of each aircraft; aircraft_v1_history: each row that an aircraft ever had, valid from
      `valid_from` until `valid_to`; aircraft_v1_deleted and aircraft_v1_history_deleted: which were deleted
late  the order is that of the topic, so no row is too late
"""

from pyspark.sql import DataFrame

from jobs import keeping
from jobs.answers.latest import Latest
from jobs.answers.result import Reads, Result
from jobs.answers.versions import Versions
from jobs.events.changes.keyed_rows import ROWS
from jobs.run import Run, start
from schemas import aircraft

KEY = ("tail_number",)
HISTORY = Versions(KEY).named("history")


def rows(changes: DataFrame) -> DataFrame:
    """All columns. It may only leave some out."""
    return changes


RESULT = Result("aircraft_v1", Reads(aircraft, rows, form=ROWS), (Latest(KEY), HISTORY))


def main(run: Run) -> None:
    """Read new rows, bring both tables up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
