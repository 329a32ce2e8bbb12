"""How long after it has landed elsewhere is an aircraft due to leave New York again?

in    topics arrivals (schemas/arrival.py) and departures (schemas/departure.py): `headrace demo --arrivals` fills both
out   table turnaround_v1: a row for each arrival. `outcome` says whether the aircraft was scheduled to leave New York
      within a day from then. back: next_time says when, next_origin where, next_delay_minutes how late it was;
      back_corrected: the same, but that departure was a straggler; not_back: it was not; open: too early to say
late  arrivals are never late, departures are: rows become final with the slower of both topics. A departure more than
      LATENESS behind is a straggler: it corrects the rows that it belongs to. If it is more than a day later still, it
      waits in turnaround_v1_quarantine with reason `too_late`
"""

from pyspark.sql import DataFrame

from jobs import keeping
from jobs.answers.outcomes import Outcomes, Then
from jobs.answers.result import Late, Reads, Result
from jobs.run import Run, start
from schemas import arrival, departure

BACK = Outcomes(
    each="arrivals",
    by=("tail_number",),
    then=(Then("departures", within="1 day", name="next"),),
    called=("back", "not_back", "back_corrected"),
)
LATENESS = "3 hours"
PLACE = ("event_time", "record_partition", "record_offset")


def arrivals(events: DataFrame) -> DataFrame:
    """Which aircraft landed where, when it did."""
    return events.select(*PLACE, "tail_number", "destination", "delay_minutes")


def departures(events: DataFrame) -> DataFrame:
    """Which aircraft left where, at its scheduled time."""
    return events.select(*PLACE, "tail_number", "origin", "delay_minutes")


RESULT = Result(
    "turnaround_v1",
    (Reads(arrival, arrivals), Reads(departure, departures)),
    BACK,
    late=Late(LATENESS),
    facts_for="1 day",
)


def main(run: Run) -> None:
    """Read both topics, bring the table up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
