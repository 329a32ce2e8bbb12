"""How many different people from each country read the newspaper, by the day and by the month?

in    topic page_views (docs/gallery/schemas/page_view.py)
out   table visitors_by_country_v1: a row for each day and month of Berlin and country, with the number of views, an
      estimate of the number of different visitors, and its sketch, which merges with those of other rows
late  a view that comes late is counted, and its day and month are corrected
"""

from pyspark.sql import DataFrame

from jobs import keeping
from jobs.answers.result import Late, Reads, Result
from jobs.answers.windows import CalendarDay, CalendarMonth, Windows
from jobs.facts.panes import Panes
from jobs.run import Run, start
from schemas import page_view

PANES = Panes(every="1 hour", by=("country",), count="views", uniques=("visitor",))
WINDOWS = Windows(PANES, CalendarDay("Europe/Berlin"), CalendarMonth("Europe/Berlin"))


def transform(views: DataFrame) -> DataFrame:
    """Who viewed a page from where."""
    return views.select("event_time", "country", "visitor")


RESULT = Result("visitors_by_country_v1", Reads(page_view, transform), WINDOWS, late=Late("6 hours"))


def main(run: Run) -> None:
    """Read the log, bring the table up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
