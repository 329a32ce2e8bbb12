"""headrace demo: real departures into the log, three results out of it, and what they say."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile
from jobs.running import diagnostics

if TYPE_CHECKING:
    import pyarrow as pa

    from jobs.running.places import Places

QUESTIONS = {
    "departure_delay_v1": (
        "Which days were the worst? (windows of one day, New York time)",
        "select origin, window_date, departures, delay_minutes_mean, delay_minutes_max, revision "
        'from "{0}_day_america_new_york" order by delay_minutes_mean desc limit 5',
    ),
    "unique_aircraft_v1": (
        "On which days did the most different aircraft leave? (HyperLogLog, with one standard error)",
        "select origin, window_date, departures, tail_number_estimate, tail_number_standard_error "
        'from "{0}_day_america_new_york" order by tail_number_estimate desc limit 5',
    ),
    "first_sighting_v1": (
        "How many departures were by aircraft not seen in the 30 days before? (Bloom filters)",
        "select origin, count(*) as departures, "
        "sum(case when seen_before = false then 1 else 0 end) as first_sightings "
        'from "{0}" group by origin order by origin',
    ),
}
"""For each result a question that an analyst has, and the SQL that answers it, without Java."""

EVENING = datetime(2014, 1, 1, 1, tzinfo=UTC)
"""20 o'clock in New York on the last day. The jobs run once over what had left by then, and once over the rest: so the
second run corrects windows that the first had published, by what left late."""


def demo(
    places_file: PlacesFile = DEFAULT_PLACES,
    arrivals: Annotated[
        bool, typer.Option("--arrivals", help="Fill topic arrivals as well, which jobs/turnaround.py reads.")
    ] = False,
    tables: Annotated[
        bool,
        typer.Option(
            "--tables",
            help="Fill topics aircraft, weather, watches and scheduled as well, which jobs/aircraft.py, jobs/board.py, "
            "jobs/departure_weather.py and jobs/route_watch.py read.",
        ),
    ] = False,
) -> None:
    """Fill the log with the real departures of 2013 from New York, run the three jobs, show what they found."""
    from jobs import departure_delay, first_sighting, unique_aircraft
    from jobs.run import LOCAL_PROFILE, Run, session
    from jobs.running.errors import Refused, one_line_errors
    from jobs.running.java import check_java, profile
    from jobs.running.places import read_places
    from jobs.running.progress import Progress

    with one_line_errors():
        places = read_places(places_file)
        if places.log != "archive":
            raise Refused(f"the demo fills the archive, and {places_file} has the log in {places.log}.")
        if arrivals:
            _fill_arrivals(places)
        if tables:
            _fill_tables(places)
        if _is_filled(places) and _is_all_read(places, list(QUESTIONS)):
            print("Nothing new in the log since the last run: the tables are as they were.")
        else:
            check_java()  # before the log is filled, which takes long
            spark = session(profile(Path(places_file).parent / LOCAL_PROFILE))
            for evening in (True, False):
                _fill(places, evening)
                for job in (departure_delay, unique_aircraft, first_sighting):
                    progress = Progress()
                    job.main(Run(spark, places, closed=progress.count))
                    progress.end(job.RESULT.name)
            spark.stop()
        for name, (question, sql) in QUESTIONS.items():
            _show(places, name, question, sql)
        print(_next_steps(places))


def _is_filled(places: "Places", evening: bool = False) -> bool:
    """Whether the log has all departures, or those until the evening."""
    from jobs.log.archive.snapshot import extents
    from schemas import departure

    times = [part.last_time for part in extents(places.archive, departure.TOPIC) if part.last_time]
    return bool(times) and (evening or max(times) >= EVENING)


def _fill(places: "Places", evening: bool) -> None:
    """Fill the log with what left until the evening, or with the rest, unless it has them."""
    from jobs.admin import demo_flights
    from jobs.log.archive import writer
    from schemas import departure

    if _is_filled(places, evening):
        return
    part = "until the last evening" if evening else "of the last night"
    diagnostics.inform(f"filling topic {departure.TOPIC} with the departures of 2013 {part}")
    departures = demo_flights.departures(demo_flights.table())
    departures = departures[(departures["departure_time"] < EVENING) == evening]
    done = writer.append(places.archive, departure.TOPIC, 4, demo_flights.records(departures))
    diagnostics.inform(f"{done.records:,} records in {len(done.ranges)} partitions")


def _fill_arrivals(places: "Places") -> None:
    """Fill the log with every arrival, unless it has them."""
    from jobs.admin import demo_flights
    from jobs.log.archive import writer
    from jobs.log.archive.snapshot import extents
    from schemas import arrival

    if extents(places.archive, arrival.TOPIC):
        return
    diagnostics.inform(f"filling topic {arrival.TOPIC} with the arrivals of 2013")
    frame = demo_flights.arrivals(demo_flights.table())
    done = writer.append(places.archive, arrival.TOPIC, 4, demo_flights.arrival_records(frame))
    diagnostics.inform(f"{done.records:,} records in {len(done.ranges)} partitions")


def _fill_tables(places: "Places") -> None:
    """Fill the log with the rows of aircraft, of the weather and of the last day's flights, and with rules, unless it
    has them.
    """
    from jobs.admin import demo_flights
    from jobs.log.archive import writer
    from jobs.log.archive.snapshot import extents
    from schemas import aircraft, scheduled, watch, weather

    for topic, records in (
        (aircraft.TOPIC, demo_flights.aircraft_records),
        (weather.TOPIC, demo_flights.weather_records),
        (watch.TOPIC, demo_flights.watch_records),
        (scheduled.TOPIC, _last_evening),
    ):
        if not extents(places.archive, topic):
            diagnostics.inform(f"filling topic {topic}")
            done = writer.append(places.archive, topic, 2, [records()])
            diagnostics.inform(f"{done.records:,} records in {len(done.ranges)} partitions")


def _last_evening() -> "pa.RecordBatch":
    from jobs.admin import demo_flights

    flights = demo_flights.table()
    return demo_flights.schedule_records(flights[(flights["month"] == 12) & (flights["day"] == 31)], EVENING)


def _is_all_read(places: "Places", names: list[str]) -> bool:
    """Whether each result has read all of the log and published its windows: then Spark need not start."""
    from jobs.keeping import ledger
    from jobs.log.archive.snapshot import extents
    from schemas import departure

    log = extents(places.archive, departure.TOPIC)
    last = {part.partition: 0 if part.last_offset is None else part.last_offset + 1 for part in log}
    rows = [ledger.last(places, name) for name in names]
    return all(row is not None and row.end_offsets == last and row.is_published for row in rows)


def _show(places: "Places", name: str, question: str, sql: str) -> None:
    from rich.console import Console

    from jobs.admin import row_table
    from jobs.publishing import results

    rows = results.query(places, sql.format(name))
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print()
    console.print(row_table.table(rows, title=question))
    console.print(f"{places.table(name)}", soft_wrap=True, highlight=False)


def _next_steps(places: "Places") -> str:
    here = os.path.relpath(places.tables)
    return (
        f"\nThe tables are Delta tables in {here}. What to do next:\n"
        "  source .venv/bin/activate               the command headrace, and spark-submit\n"
        "  headrace status                         how far each job is, what was late, what could not be read\n"
        "  headrace views                          a view of each kind of window, for headrace query and other SQL\n"
        "  headrace accuracy unique_aircraft_v1    estimates beside exact counts\n"
        "  headrace log departures                 the log itself\n"
        "  make notebook                           explore the tables\n"
        "  docs/tutorial.md                        your own topic in ten minutes"
    )
