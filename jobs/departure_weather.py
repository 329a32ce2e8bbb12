"""What was the weather of the hour in which each departure was scheduled?

in    topics departures (schemas/departure.py) and weather (schemas/weather.py): `headrace demo --tables` fills both
out   table departure_weather_v1: a row for each departure with the observation that was valid then: version_valid_from
      says from which hour it is, version_time when it was told. departure_weather_v1_observations: all of these
late  an observation that comes late, or corrects an earlier one, restates the departures since its hour, a week back;
      a departure whose weather is not there yet waits for it, with null
"""

from pyspark.sql import DataFrame

from jobs import keeping
from jobs.answers.enriched import Enriched
from jobs.answers.result import Late, Reads, Result
from jobs.answers.versions import Versions
from jobs.events.changes.keyed_rows import ROWS
from jobs.run import Run, start
from schemas import departure, weather

OBSERVED = Versions(key=("origin",), valid_from="observed_time").named("observations")
WITH_WEATHER = Enriched(
    each="departures",
    versions=OBSERVED,
    on=("origin",),
    take=("temperature_fahrenheit", "wind_miles_per_hour", "visibility_miles", "rain_inches"),
    restate="7 days",
)


def departures(events: DataFrame) -> DataFrame:
    """Which aircraft left where, and how late."""
    return events.select(
        "event_time", "record_partition", "record_offset", "origin", "destination", "carrier", "flight", "delay_minutes"
    )


def observations(changes: DataFrame) -> DataFrame:
    """All columns. It may only leave some out."""
    return changes


RESULT = Result(
    "departure_weather_v1",
    (Reads(departure, departures), Reads(weather, observations, form=ROWS)),
    (OBSERVED, WITH_WEATHER),
    late=Late("3 hours"),
)


def main(run: Run) -> None:
    """Read both topics, bring the tables up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
