"""A look at the first records of a result: is the event time in the unit that is assumed where the schema file names
none?"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import getitem
from typing import Any

from pyspark.sql.types import LongType

from jobs.events import event_time
from jobs.events.event_time import BIGINT_UNIT, UNITS
from jobs.events.topic_schema import file_name
from jobs.log import home
from jobs.running.errors import Refused
from jobs.running.places import Places

RECORDS = 100
"""How many records of a partition are looked at."""
PARTITIONS = 8
"""Of how many partitions."""
LIKELY_FROM = datetime(1990, 1, 1, tzinfo=UTC)
POSSIBLE_FROM = datetime(1971, 1, 1, tzinfo=UTC)
"""Seconds of this century, taken for milliseconds, are in the first weeks of 1970: such times are not possible."""
LIKELY_UNTIL = datetime(2100, 1, 1, tzinfo=UTC)
"""Latest plausible time where the records' own timestamps are not trusted; else these bound it."""


def check(places: Places, topic: Any, starts: dict[int, int], ends: dict[int, int]) -> None:
    """Raises Refused if most event times of the first records in [start, end) of each partition cannot be in
    BIGINT_UNIT, but can be in another unit. Checked only for a bigint whose unit the schema file leaves open.
    """
    event = event_time.of_topic(topic)
    if not isinstance(event.kind, LongType) or getattr(topic, "EVENT_TIME_UNIT", None) is not None:
        return
    firsts = home.topic(places, topic.TOPIC).firsts
    numbers: list[tuple[int, datetime]] = []
    for partition in sorted(ends)[:PARTITIONS]:
        start = max(starts.get(partition, 0), firsts.get(partition, 0))
        records = home.records(places, topic.TOPIC, partition, start, min(RECORDS, max(0, ends[partition] - start)))
        numbers += _numbers(records.select(["value", "timestamp"]).to_pylist(), event.path)
    ahead = event.max_ahead_seconds

    def share(unit: str, since: datetime) -> float:
        """The share of the numbers that are plausible times in the unit."""
        good = 0
        for number, timestamp in numbers:
            until = LIKELY_UNTIL if ahead is None else timestamp + timedelta(seconds=ahead)
            good += since.timestamp() <= number / UNITS[unit] <= until.timestamp()
        return good / len(numbers)

    if not numbers or share(BIGINT_UNIT, POSSIBLE_FROM) >= 0.5:
        return
    likely = max(UNITS, key=lambda unit: share(unit, LIKELY_FROM))
    if share(likely, LIKELY_FROM) >= 0.5:
        raise Refused(
            f"topic {topic.TOPIC}: the first records have no event time {event.name} that can be {BIGINT_UNIT} since "
            f'1970, and can be {likely}. Say it in {file_name(topic)}: EVENT_TIME_UNIT = "{likely}" (or, if they are '
            f'{BIGINT_UNIT} all the same, "{BIGINT_UNIT}"). Nothing was written.'
        )


def _numbers(records: list[dict[str, Any]], path: tuple[str, ...]) -> Iterator[tuple[int, datetime]]:
    """The whole numbers at `path`, with the timestamps of their records."""
    for record in records:
        try:
            number = reduce(getitem, path, json.loads(record["value"]))
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
        if isinstance(number, int) and not isinstance(number, bool):
            yield number, record["timestamp"]
