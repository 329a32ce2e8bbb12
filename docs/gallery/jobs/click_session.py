"""How long is a visit to the shop, and how many pages does a visitor see in it?

in    topic clicks (docs/gallery/schemas/click.py)
out   table click_session_v1: a row for each visitor and session, with its first and last click, the number of clicks,
      and that of different pages
late  a click that comes late extends its session; if it closes a gap, two sessions become one
"""

from pyspark.sql import DataFrame

from jobs import keeping
from jobs.answers.result import Late, Reads, Result
from jobs.answers.sessions import Sessions
from jobs.run import Run, start
from schemas import click

VISITS = Sessions(by=("visitor",), gap="30 minutes", count="clicks", uniques=("page",))


def transform(clicks: DataFrame) -> DataFrame:
    """Who clicked on what."""
    return clicks.select("event_time", "visitor", "page")


RESULT = Result("click_session_v1", Reads(click, transform), VISITS, late=Late("1 hour"))


def main(run: Run) -> None:
    """Read the log, bring the table up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
