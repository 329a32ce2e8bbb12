"""When an aircraft has left New York late, does it leave late the next time, too?

in    topic departures (schemas/departure.py)
out   table delay_passed_on_v1: a row for each departure that was 15 minutes late or more. `outcome` says what the next
      departure of the aircraft from New York was, if one was scheduled within 12 hours. passed_on: late as well, see
      next_time, next_delay_minutes; passed_on_corrected: the same, but it was a straggler; broken: not late;
      not_again: there was none; open: too early to say
late  a departure more than LATENESS behind is a straggler: it corrects the rows that it belongs to. If it is more than
      a day later still, it waits in delay_passed_on_v1_quarantine with reason `too_late`
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs import keeping
from jobs.answers.outcomes import Outcomes, Then
from jobs.answers.result import Late, Reads, Result
from jobs.run import Run, start
from schemas import departure

NEXT = Then("is_late", within="12 hours", without="is_in_time", name="next")
PASSED_ON = Outcomes(
    each="is_late", by=("tail_number",), then=(NEXT,), called=("passed_on", "not_again", "passed_on_corrected")
)
LATENESS = "3 hours"


def transform(departures: DataFrame) -> DataFrame:
    """Which aircraft left where, and whether it was late, at its scheduled time."""
    is_late = F.col("delay_minutes") >= 15
    return departures.select(
        *("event_time", "record_partition", "record_offset", "tail_number", "origin", "delay_minutes"),
        is_late.alias("is_late"),
        (~is_late).alias("is_in_time"),
    )


RESULT = Result("delay_passed_on_v1", Reads(departure, transform), PASSED_ON, late=Late(LATENESS), facts_for="1 day")


def main(run: Run) -> None:
    """Read the log, bring the table up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
