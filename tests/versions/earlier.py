"""Results that earlier versions have begun, and how they were begun: python -m tests.versions.earlier FOLDER.

It was run with the code of the version itself, and what it made lies beside this file, in a folder of its name.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import (
    BooleanType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs import run
from jobs.answers.result import Late, Reads, Result
from jobs.answers.windows import CalendarDay, Hopping, Tumbling, Windows
from jobs.decisions.membership import Membership
from jobs.facts.panes import Panes
from tests.altered import altered

START = datetime(2013, 3, 9, 12, tzinfo=UTC)
"""The clocks of New York change the day after."""


def schema(site_required: bool) -> Any:
    return SimpleNamespace(
        TOPIC="readings",
        KEY="device",
        EVENT_TIME="taken_ms",
        COLUMNS=StructType(
            [
                StructField("taken_ms", LongType(), False),
                StructField("site", StringType(), not site_required),
                StructField("device", StringType(), False),
                StructField("reading", IntegerType(), True),
                StructField("large", LongType(), True),
                StructField("level", DoubleType(), True),
                StructField("ok", BooleanType(), True),
                StructField("sent_time", TimestampType(), True),
            ]
        ),
    )


STRICT, MENDED = schema(True), schema(False)


def picked(readings: DataFrame) -> DataFrame:
    return readings.select("event_time", "site", "device", "reading", "large", "level", "ok")


def changed(readings: DataFrame) -> DataFrame:
    kept = readings.where(readings.reading >= 0)
    return kept.select("event_time", "device", (kept.reading * 2).alias("doubled"))


def placed(readings: DataFrame) -> DataFrame:
    return readings.select("record_partition", "record_offset", "record_key", "event_time", "site", "sent_time")


COUNTED = Result(
    "counted_v1",
    Reads(STRICT, picked),
    Windows(
        Panes("30 minutes", ("site",), averages=("reading", "large", "level"), uniques=("device",), counts=("ok",)),
        Tumbling("1 hour"),
        Hopping("1 hour", every="30 minutes"),
        CalendarDay("America/New_York"),
    ),
    late=Late("2 hours"),
)
MADE = Result("made_v1", Reads(STRICT, changed), Windows(Panes("1 hour", averages=("doubled",)), Tumbling("1 day")))
SEEN = Result("seen_v1", Reads(STRICT, placed, decide=Membership("1 day", bucket="12 hours", expected_keys=100)))
RESULTS = (COUNTED, MADE, SEEN)


def readings(first: int, after: int) -> list[dict[str, Any]]:
    """Each fifth has no site; some are late."""
    found = []
    for n in range(first, after):
        taken = START + timedelta(minutes=37 * n - (300 if n % 7 == 3 else 0))
        reading = {"taken_ms": int(taken.timestamp() * 1000), "site": ["north", "south"][n % 2], "device": f"d{n % 6}"}
        reading |= {"reading": [None, 7, -3][n % 3], "large": 2**62 + n, "level": n / 4, "ok": n % 4 == 0}
        reading["sent_time"] = f"{taken:%Y-%m-%dT%H:%M:%SZ}"
        if n % 5 == 4:
            del reading["site"]
        found.append(reading)
    return found


def write(places: run.Places, first: int, after: int) -> None:
    """Into two partitions of the archive."""
    from jobs.log.archive import writer

    some = readings(first, after)
    columns = [
        pa.array([reading["device"].encode() for reading in some], pa.binary()),
        pa.array([json.dumps(reading).encode() for reading in some], pa.binary()),
        pa.array([START + timedelta(minutes=37 * n) for n in range(first, after)], pa.timestamp("us", "UTC")),
    ]
    writer.append(places.archive, "readings", 2, [pa.record_batch(columns, ["key", "value", "timestamp"])])


def keep(job: run.Run, mended: bool = False) -> None:
    """Bring all results up to date."""
    from jobs.keeping import microbatch

    for result in RESULTS:
        microbatch.keep(job, altered(result, topic=MENDED) if mended else result)


def places_in(folder: Path) -> run.Places:
    return run.Places(archive=f"{folder}/archive", tables=f"{folder}/tables", checkpoints=f"{folder}/checkpoints")


def main(folder: Path) -> None:
    """Two runs of each result, of which one reads its quarantine again."""
    from jobs.keeping import requeue

    spark = run.session(run.profile(Path("conf") / run.LOCAL_PROFILE))
    places = places_in(folder)
    for first, after in ((0, 20), (20, 30)):
        write(places, first, after)
        keep(run.Run(spark, places))
    requeue.requeue(run.Run(spark, places), altered(COUNTED, topic=MENDED))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
