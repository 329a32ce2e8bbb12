"""Visits of a few people to one site, for tests: some have no site, some are no JSON; and what must come of them."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import StringType, StructField, StructType, TimestampType

from jobs.answers.result import Reads, Result
from jobs.answers.windows import Tumbling, Windows
from jobs.decisions.membership import Membership
from jobs.facts.panes import Panes
from jobs.log.archive import writer
from jobs.running.places import Places

START = datetime(2024, 5, 1, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def visits(site_required: bool) -> Any:
    return SimpleNamespace(
        TOPIC="visits",
        KEY="who",
        EVENT_TIME="visit_time",
        COLUMNS=StructType(
            [
                StructField("visit_time", TimestampType(), False),
                StructField("who", StringType(), False),
                StructField("site", StringType(), not site_required),
            ]
        ),
    )


STRICT, MENDED = visits(True), visits(False)


def by_site(events: DataFrame) -> DataFrame:
    return events.select("event_time", "site", "who")


def placed(events: DataFrame) -> DataFrame:
    return events.select("record_partition", "record_offset", "record_key", "event_time")


COUNTED = Result(
    "visits_v1",
    Reads(STRICT, by_site),
    Windows(Panes("10 minutes", ("site",), count="visits", uniques=("who",)), Tumbling("1 hour")),
)
SEEN = Result("again_v1", Reads(STRICT, placed, decide=Membership("2 days", expected_keys=100)))


def write(places: Places, first: int, after: int) -> None:
    """Visits first to after: every third has no site, every seventh is no JSON at all."""
    values = []
    for n in range(first, after):
        visit = {"visit_time": f"{START + n * 7 * MINUTE:%Y-%m-%dT%H:%M:%SZ}", "who": f"w{n % 5}", "site": "s"}
        if n % 3 == 0:
            del visit["site"]
        values.append(b"garbage" if n % 7 == 0 else json.dumps(visit).encode())
    keys = [b"w%d" % (n % 5) for n in range(first, after)]
    times = [START + n * 7 * MINUTE for n in range(first, after)]
    kinds = [pa.binary(), pa.binary(), pa.timestamp("us", "UTC")]
    columns = [pa.array(c, kind) for c, kind in zip([keys, values, times], kinds, strict=True)]
    batch = pa.record_batch(columns, ["key", "value", "timestamp"])
    writer.append(places.archive, "visits", 2, [batch])


def expected(after: int, without_site: bool) -> dict[tuple[datetime, str | None], tuple[int, int]]:
    """{(hour, site): (visits, visitors)}"""
    inside: dict[tuple[datetime, str | None], list[int]] = {}
    for n in range(after):
        if n % 7 == 0 or (n % 3 == 0 and not without_site):
            continue
        hour = (START + n * 7 * MINUTE).replace(minute=0)
        inside.setdefault((hour, None if n % 3 == 0 else "s"), []).append(n % 5)
    return {key: (len(who), len(set(who))) for key, who in inside.items()}
