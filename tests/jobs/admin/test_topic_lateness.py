"""Lateness of a topic against a loop over its records, read with json, however they are cut into blocks."""

import json
import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.types import ArrayType, DecimalType, StringType, StructField, StructType, TimestampType

from jobs.admin import topic_lateness
from jobs.admin.second_counts import SecondCounts
from jobs.admin.topic_lateness import TopicLateness
from jobs.events import gate
from jobs.running.errors import Refused

START = datetime(2024, 3, 1, tzinfo=UTC)
TOPIC = SimpleNamespace(
    TOPIC="pulses",
    KEY=None,
    EVENT_TIME="at",
    COLUMNS=StructType([StructField("at", TimestampType(), False), StructField("sensor", StringType(), True)]),
)
BAD = (
    b"garbage",
    None,
    b'{"at":"soon","sensor":"a"}',
    b'{"sensor":"a"}',
    b'{"at":"2024-03-01T00:00:00Z","sensor":["a"]}',
)
Record = tuple[int, str | None, int] | bytes | None
"""Event time and record timestamp in tenths of a second after START, with the sensor between; or a bad value."""
RECORDS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 900), st.sampled_from(["a", "b", None]), st.integers(0, 900)), st.sampled_from(BAD)
    ),
    min_size=1,
    max_size=60,
)


def moment(tenths: int) -> datetime:
    return START + tenths * timedelta(milliseconds=100)


def block(partition: int, first: int, some: list[Record]) -> pa.RecordBatch:
    values = [
        json.dumps({"at": moment(one[0]).isoformat(), "sensor": one[1]}).encode() if isinstance(one, tuple) else one
        for one in some
    ]
    times = [moment(one[2]) if isinstance(one, tuple) else START for one in some]
    columns = {
        "partition": pa.array([partition] * len(some), pa.int32()),
        "offset": pa.array(range(first, first + len(some)), pa.int64()),
        "timestamp": pa.array(times, pa.timestamp("us", "UTC")),
        "key": pa.nulls(len(some), pa.binary()),
        "value": pa.array(values, pa.binary()),
    }
    return pa.record_batch(columns)


def found(counts: SecondCounts, group: int) -> list[int]:
    spread = counts.spread(group)
    return np.repeat(spread.seconds, spread.counts).tolist()


@settings(max_examples=60)
@given(RECORDS, RECORDS, st.lists(st.integers(1, 59), max_size=4))
def test_any_cut_measures_what_one_record_at_a_time_gives(
    left: list[Record], right: list[Record], cuts: list[int]
) -> None:
    measured = TopicLateness(TOPIC, "sensor")
    behind: dict[Any, list[int]] = defaultdict(list)
    ahead: dict[Any, list[int]] = defaultdict(list)
    for partition, log in ((0, left), (5, right)):
        stream = -math.inf
        for one in log:
            if isinstance(one, tuple):
                late = 0 if math.isinf(stream) else math.ceil(max(0, stream - one[0]) / 10)
                stream = max(stream, one[0])
                for key in (partition, str(one[1])):
                    behind[key].append(late)
                    ahead[key] += [math.ceil((one[0] - one[2]) / 10)] if one[0] > one[2] else []
        for start, end in pairwise(sorted({0, len(log), *(cut for cut in cuts if cut < len(log))})):
            measured.add(block(partition, start, log[start:end]))
    good = len(behind[0]) + len(behind[5])
    assert (measured.records, measured.measured) == (len(left) + len(right), good)
    groups = {0: 0, 5: 5}
    for key, group in groups.items():
        assert found(measured.behind, group) == sorted(behind[key])
        assert found(measured.ahead, group) == sorted(ahead[key])
    for value, group in measured.values.items():
        assert found(measured.value_behind, group) == sorted(behind[str(value)])
        assert found(measured.value_ahead, group) == sorted(ahead[str(value)])
    assert {str(value) for value in measured.values} == {key for key in behind if isinstance(key, str)}


def test_a_bad_record_takes_no_good_one_with_it_and_a_huge_one_is_left_out() -> None:
    measured = TopicLateness(TOPIC)
    log: list[Record] = [(n, "a", n) for n in range(40)]
    log[7] = b"garbage"
    log[20] = json.dumps({"at": START.isoformat(), "sensor": "x" * gate.MAX_VALUE_BYTES}).encode()
    measured.add(block(0, 0, log))
    assert (measured.records, measured.measured) == (40, 38)


def test_a_column_of_too_many_values_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_lateness, "MOST_VALUES", 2)
    measured = TopicLateness(TOPIC, "sensor")
    measured.add(block(0, 0, [(1, "a", 1), (2, None, 2)]))
    with pytest.raises(Refused, match="column sensor has more than 2 different values"):
        measured.add(block(0, 2, [(1, "b", 1)]))


@pytest.mark.parametrize("is_inside", [False, True])
@pytest.mark.parametrize("kind", [ArrayType(StringType()), DecimalType(9, 2), StructType()])
def test_columns_that_arrow_does_not_decode_are_left_out(kind: Any, is_inside: bool) -> None:
    """Beside the event time, or in one struct with it; the last record is bad in the column that is read."""
    more = StructField("more", kind, True)
    plain = [*TOPIC.COLUMNS, more]
    columns = StructType([StructField("meta", StructType(plain), False)] if is_inside else plain)
    declared = {"COLUMNS": columns, "EVENT_TIME": "meta.at" if is_inside else "at"}
    measured = TopicLateness(SimpleNamespace(**(vars(TOPIC) | declared)))
    records = block(0, 0, [(30, "a", 30), (10, "b", 10), (20, "c", 20), BAD[2]])
    texts = [value.decode()[:-1] + ', "more": ["a"]}' for value in records["value"].to_pylist()]
    texts = [f'{{"meta": {text}}}' for text in texts] if is_inside else texts
    values = pa.array([text.encode() for text in texts], pa.binary())
    measured.add(records.set_column(records.schema.get_field_index("value"), "value", values))
    assert measured.columns_left_out == ["meta.more" if is_inside else "more"]
    assert (measured.measured, found(measured.behind, 0)) == (3, [0, 1, 2])


def test_what_only_spark_decodes_is_refused_where_it_is_needed() -> None:
    more = StructField("more", ArrayType(StringType()), True)
    wide = vars(TOPIC) | {"COLUMNS": StructType([*TOPIC.COLUMNS, more])}
    with pytest.raises(Refused, match="only Spark decodes column more of the schema of topic pulses"):
        TopicLateness(SimpleNamespace(**wide), "more")
    timed = StructType([StructField("at", DecimalType(20, 3), False)])
    declared = vars(TOPIC) | {"COLUMNS": timed, "EVENT_TIME_UNIT": "seconds"}
    with pytest.raises(Refused, match=r"only Spark decodes the event time of .* which is decimal\(20,3\)"):
        TopicLateness(SimpleNamespace(**declared))
