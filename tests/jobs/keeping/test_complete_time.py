"""Complete time against a walk over single records; partitions that fall silent, and what they hold back."""

from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from jobs.answers.outcomes import Outcomes, Then
from jobs.answers.result import Late
from jobs.events.lateness import Lateness
from jobs.events.lateness_rule import LatenessRule
from jobs.keeping import complete_time
from jobs.keeping.complete_time import Clock
from tests.jobs.keeping import searches
from tests.jobs.keeping.searches import Visit, Visits

SECOND = 1_000_000
RULE = LatenessRule(3, idle_seconds=5)
RECORDS = st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 40)), st.integers(0, 40)), min_size=1, max_size=30)
"""Event time (None for a bad record) and record timestamp in seconds, in order of offset."""


def walk(records: list[tuple[int | None, int]]) -> tuple[list[int], int]:
    """Record by record: the offsets of those that are late, and stream time at the end, in seconds."""
    late, clock, latest = [], -5, -(10**6)
    for offset, (event, timestamp) in enumerate(records):
        clock = max(clock, timestamp - 5)
        if event is not None:
            if max(latest, clock) - event > 3:
                late.append(offset)
            latest = max(latest, event)
    return late, max(latest, clock)


@given(RECORDS, st.lists(st.integers(1, 29), max_size=3))
def test_record_timestamps_move_stream_time_too_however_the_log_is_cut(
    records: list[tuple[int | None, int]], cuts: list[int]
) -> None:
    places = sorted({0, len(records), *(cut for cut in cuts if cut < len(records))})
    stream, late = None, []
    for first, after in pairwise(places):
        part = records[first:after]
        one = Lateness(0, stream, RULE)
        times = pa.array([None if event is None else event * SECOND for event, _ in part], pa.int64())
        one.add(np.arange(first, after), np.array([timestamp * SECOND for _, timestamp in part]), times)
        measures: dict[str, Any] = one.measures()
        stream = measures["stream_micros"]
        if measures["stragglers"]:
            with pa.ipc.open_stream(measures["stragglers"]) as reader:
                late += reader.read_all()["offset"].to_pylist()
    assert stream is not None
    assert (late, stream) == (walk(records)[0], walk(records)[1] * SECOND)


def test_a_partition_that_is_read_to_its_end_is_idle_and_one_with_unread_records_is_not() -> None:
    rule = LatenessRule(10, idle_seconds=60)
    behind, ahead = 1000 * SECOND, 2000 * SECOND
    read = {0: 7, 1: 9}
    for ends, complete in (
        ({0: 7, 1: 9}, 1930),  # partition 0 is at its end: the largest record timestamp less idle_after, less allowed
        ({0: 8, 1: 9}, 990),
        (None, 990),
    ):
        clock = Clock({0: behind, 1: ahead}, read, ends)
        assert complete_time.micros([clock], 2000 * SECOND, rule) == complete * SECOND
    assert complete_time.micros([Clock({}, {}, {})], None, rule) is None


def test_a_silent_topic_holds_rows_back_unless_it_may_be_idle(spark: SparkSession, tmp_path: Path) -> None:
    answer = Outcomes("searches", ("user",), (Then("clicks", "3 minutes"),))
    start, minute = searches.START, timedelta(minutes=1)
    visits = [
        Visit("searches", "ann", start, "w0", False),
        Visit("clicks", "bob", start, "w0", False),
        *(Visit("searches", "cid", start + number * minute, "w0", False) for number in range(1, 31)),
    ]
    found = {}
    for idle_after in (None, "5 minutes"):
        late = Late("2 minutes", idle_after=idle_after)
        world = Visits(spark, tmp_path / str(idle_after), searches.result("r_v1", answer, late=late), timedelta(0))
        world.add(visits)
        world.keep()
        found[idle_after] = {row["event_time"]: row["outcome"] for row in world.rows()}
    assert set(found[None].values()) == {"open"}
    # Complete to 30 - 5 - 2 = 23 minutes after the start: what began more than 3 minutes before that is decided.
    assert found["5 minutes"] == {
        visit.at: "not_matched" if visit.at < start + 20 * minute else "open"
        for visit in visits
        if visit.topic == "searches"
    }
