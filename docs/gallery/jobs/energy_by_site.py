"""How much energy does each building use, by the hour and by the day, and did all its meters report?

in    topic meters (docs/gallery/schemas/meter.py)
out   table energy_by_site_v1: a row for each hour and each day of Zurich and site, with the number of readings, the sum
      of their energy, and the number of different meters
late  meters that were offline send their readings later: these are counted, and correct their hour and day. Each that
      is more than LATENESS behind has a row in energy_by_site_v1_stragglers
"""

from pyspark.sql import DataFrame

from jobs import keeping
from jobs.answers.result import Late, Reads, Result
from jobs.answers.windows import CalendarDay, Tumbling, Windows
from jobs.facts.panes import Panes
from jobs.run import Run, start
from schemas import meter

PANES = Panes(every="15 minutes", by=("site",), count="readings", sums=("energy_wh",), uniques=("meter",))
WINDOWS = Windows(PANES, Tumbling("1 hour"), CalendarDay("Europe/Zurich"))
LATENESS = "30 minutes"


def transform(readings: DataFrame) -> DataFrame:
    """The energy of each meter."""
    return readings.select("event_time", "site", "energy_wh", "meter")


RESULT = Result("energy_by_site_v1", Reads(meter, transform), WINDOWS, late=Late(LATENESS))


def main(run: Run) -> None:
    """Read the log, bring the table up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
