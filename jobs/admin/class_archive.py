"""Writes Java's archive of parsed classes: python -m jobs.admin.class_archive FILE.

Runs two jobs of the demo once over a few made-up departures, in a folder that is thrown away, and lets Java keep what
it loaded (class data sharing). A later start of Spark with the local profile reads the file, or does without it if it
was written by another version of Java.
"""

import os
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from jobs.run import LOCAL_PROFILE, Run, session
from jobs.running import jvm
from jobs.running.errors import one_line_errors
from jobs.running.java import profile
from jobs.running.places import Places

JAVA_OPTIONS = "spark.driver.extraJavaOptions"


def sample_departures(records: int) -> pd.DataFrame:
    """Invented departures, a minute apart, in the columns of demo_flights.departures."""
    times = [datetime(2013, 1, 1, 12, tzinfo=UTC) + timedelta(minutes=minute) for minute in range(records)]
    return pd.DataFrame(
        {
            "scheduled_time": pd.DatetimeIndex(times),
            "departure_time": pd.DatetimeIndex(times),
            "origin": "JFK",
            "destination": "BOS",
            "carrier": "B6",
            "flight": range(records),
            "tail_number": [f"N{number % 20}" for number in range(records)],
            "delay_minutes": 0,
            "distance_miles": 187.0,
        }
    )


def main() -> None:
    """The command line."""
    with one_line_errors():
        write(sys.argv[1], Path("conf") / LOCAL_PROFILE)


def write(target: str, profile_file: Path) -> None:
    """Make the file `target`, for sessions of this profile."""
    with tempfile.TemporaryDirectory() as place:
        os.environ.pop("SPARK_CONF_DIR", None)
        settings = profile(profile_file)
        others = [word for word in settings[JAVA_OPTIONS].split() if not word.startswith("-XX:SharedArchiveFile")]
        partial = f"{target}.partial"
        settings[JAVA_OPTIONS] = " ".join([*others, f"-XX:ArchiveClassesAtExit={partial}"])
        spark = session(settings)
        java = jvm.process(spark)
        run_jobs(Run(spark, Places(archive=f"{place}/log", tables=f"{place}/tables", checkpoints=f"{place}/state")))
        spark.stop()
        assert java.stdin
        java.stdin.close()  # Java ends when nobody talks to it, and writes the file then
        java.wait(timeout=300)
        if Path(partial).exists():
            Path(partial).rename(target)
        else:
            print("headrace: Java wrote no archive of its classes; Spark will start more slowly", file=sys.stderr)
            Path(target).touch()


def run_jobs(run: Run) -> None:
    """Run a job with panes and one with membership over made-up departures, and again over a few more."""
    from jobs import departure_delay, first_sighting
    from jobs.admin import demo_flights
    from jobs.log.archive import writer
    from schemas import departure

    for records in (200, 20):
        writer.append(run.places.archive, departure.TOPIC, 4, demo_flights.records(sample_departures(records)))
        for job in (departure_delay, first_sighting):
            job.main(run)


if __name__ == "__main__":
    main()
