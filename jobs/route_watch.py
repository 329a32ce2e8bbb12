"""Which departures does each of the stored rules ask for?

in    topics departures (schemas/departure.py) and watches (schemas/watch.py): `headrace demo --tables` fills both
out   table route_watch_v1: a row for each departure and each rule that it met, as the rule was then;
      route_watch_v1_rules: what is wrong with each version of a rule, and how many departures have met it
late  a rule that comes late is tried on the departures of the last day since it is valid; a late departure meets the
      rules of its own time
"""

from pyspark.sql import DataFrame

from jobs import keeping
from jobs.answers.result import Late, Reads, Result
from jobs.answers.stored_queries import StoredQueries
from jobs.answers.versions import Versions
from jobs.events.changes.keyed_rows import ROWS
from jobs.run import Run, start
from schemas import departure, watch

WATCHES = Versions(key=("watch",)).named("versions")
HITS = StoredQueries(
    each="departures",
    rules=WATCHES,
    predicate="predicate",
    fields=("origin", "destination", "carrier", "flight", "tail_number", "delay_minutes", "distance_miles"),
    take=("owner",),
    show=("origin", "destination", "carrier", "flight", "delay_minutes"),
)


def departures(events: DataFrame) -> DataFrame:
    """Which aircraft left where, and how late."""
    return events.select("event_time", "record_partition", "record_offset", *HITS.fields)


def watches(changes: DataFrame) -> DataFrame:
    """All columns. It may only leave some out."""
    return changes


RESULT = Result(
    "route_watch_v1",
    (Reads(departure, departures), Reads(watch, watches, form=ROWS)),
    (WATCHES, HITS),
    late=Late("3 hours", idle_after="1 day"),
)


def main(run: Run) -> None:
    """Read both topics, bring the tables up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
