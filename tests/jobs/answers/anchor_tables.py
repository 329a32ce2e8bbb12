"""Events with a place in the log, as Arrow tables, and the laws of answers that have a row for an event."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = -(2**63)
LAW_CHECKS = 6
"""Spans and complete times that are tried with each set of events."""
Event = dict[str, Any]
Rows = Callable[[list[Event], int], list[Event]]
"""The rows of these events at a complete time in microseconds, in order of their key."""


def moment(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def micros(time: datetime) -> int:
    return (time - EPOCH) // timedelta(microseconds=1)


def table(events: list[Event], kinds: pa.Schema) -> pa.Table:
    """The events in several chunks, with the columns of every event before `kinds`."""
    places = [("event_time", pa.timestamp("us", tz="UTC")), ("record_partition", pa.int32())]
    places += [("record_offset", pa.int64()), ("late", pa.bool_())]
    schema = pa.schema([*places, *kinds])
    half = len(events) // 3
    parts = [pa.Table.from_pylist(part, schema=schema) for part in (events[:half], events[half:])]
    return pa.concat_tables(parts)


def placed(rows: list[Event]) -> list[Event]:
    """The events with a place in the log and a flag `late`, in any order of time."""
    offsets: dict[int, int] = {}
    for row in rows:
        partition = row["record_partition"]
        row["record_offset"] = offsets[partition] = offsets.get(partition, -1) + 1
        row["late"] = False
    return rows


def answer_rows(answer: Any, kinds: pa.Schema) -> Rows:
    """Of an answer; also checks that its table has the columns that it says."""

    def rows(events: list[Event], complete: int) -> list[Event]:
        given = {"topic": table(events, kinds)}
        made = answer.rows(given, complete)
        columns = answer.columns({"topic": from_arrow_schema(given["topic"].schema)})
        assert made.schema == to_arrow_schema(columns, timezone="UTC").append(pa.field("__shown", pa.bool_()))
        return sorted(made.to_pylist(), key=lambda row: (row["record_partition"], row["record_offset"]))

    return rows


def check_laws(rows: Rows, events: list[Event], reach: tuple[int, int], dice: random.Random) -> None:
    """Order does not matter, nor what lies out of reach; and what is final stays, whatever comes in time."""
    whole = rows(events, NEVER)
    shuffled = dice.sample(events, len(events))
    assert rows(shuffled, NEVER) == whole
    times = sorted(micros(event["event_time"]) for event in events)
    if not times:
        return
    for _ in range(LAW_CHECKS):
        _check_reach(rows, events, reach, whole, sorted(dice.choice(times) + dice.choice([-1, 0, 1]) for _ in range(2)))
        moments = [*times, *(micros(row["due_time"]) for row in whole)]
        complete = dice.choice(moments) + dice.choice([-1, 0, 0, 1])
        share = dice.choice([0.0, 0.5, 0.9])
        now = [e for e in events if micros(e["event_time"]) < complete or dice.random() < share]
        _check_final(rows(now, complete), rows(events, complete), complete)


def _check_reach(rows: Rows, events: list[Event], reach: tuple[int, int], whole: list[Event], span: list[int]) -> None:
    start, end = span
    near = [e for e in events if start - reach[0] <= micros(e["event_time"]) <= end + reach[1]]
    inside = [row for row in whole if start <= micros(row["event_time"]) <= end]
    assert [row for row in rows(near, NEVER) if start <= micros(row["event_time"]) <= end] == inside


def _check_final(now: list[Event], later: list[Event], complete: int) -> None:
    """`later`: when all events are there that come in time."""
    for row in now:
        assert row["final"] == (micros(row["due_time"]) <= complete)
    assert [row for row in now if row["final"]] == [row for row in later if row["final"]]
