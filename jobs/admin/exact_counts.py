"""Exact distinct counts of published windows, worked out from the records of the log without Spark."""

import json
import random
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import reduce
from operator import getitem
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from pyspark.sql.types import (
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegralType,
    TimestampType,
)

from jobs.admin import published_values
from jobs.answers.result import Result
from jobs.events import event_time
from jobs.publishing import window_column
from jobs.publishing.results import query
from jobs.running.errors import Refused
from jobs.running.places import Places

LARGEST = 16
"""Largest size of datasketch's sketches, base-2 logarithm of the registers."""


@dataclass
class SampledWindow:
    """A published window, and what the log holds for it."""

    window: str
    start: datetime
    end: datetime
    group: tuple[Any, ...]
    records: int
    """As published."""
    estimates: dict[str, int]
    """As published, by column."""
    values: dict[str, set[Any]]
    """The distinct values in the log, by column."""
    counted: int = field(default=0)
    """Records in the log."""


def check(result: Result) -> None:
    """Raises Refused if the result has no distinct counts, or counts or groups by what the topic does not have."""
    if result.panes is None or not result.panes.uniques:
        raise Refused(f"{result.name} counts no distinct values: its panes have no uniques.")
    topic = result.topic.COLUMNS.fieldNames()
    for name in (*result.panes.by, *result.panes.uniques):
        if name not in topic:
            raise Refused(
                f"{result.name}: {name} is not a column of topic {result.topic.TOPIC} but made by the transform, which "
                f"runs in Spark only. The exact count needs columns of the topic: {', '.join(topic)}."
            )


def sample(places: Places, result: Result, number: int, rng: random.Random) -> list[SampledWindow]:
    """At most `number` windows of the table, drawn by `rng`. Raises Refused if it has none with distinct counts."""
    assert result.panes
    groups, uniques = result.panes.by, result.panes.uniques
    kind = window_column.as_stored(places, result).window_column
    columns = [kind, "window_start", "window_end", *groups, result.panes.count]
    estimates = [f"{name}_estimate" for name in uniques]
    wanted = ", ".join(f'"{column}"' for column in [*columns, *estimates])
    order = ", ".join(f'"{column}"' for column in (kind, "window_start", *groups))
    sql = f'select {wanted} from "{result.name}" where "{estimates[0]}" is not null order by {order}'
    rows = query(places, sql, result.name)
    if not len(rows):
        raise Refused(f"{result.name} has no published windows with distinct counts yet: run its job.")
    chosen = sorted(rng.sample(range(len(rows)), min(number, len(rows))))
    return [
        SampledWindow(
            row[kind],
            row["window_start"],
            row["window_end"],
            tuple(row[name] for name in groups),
            row[result.panes.count],
            {name: row[f"{name}_estimate"] for name in uniques},
            {name: set() for name in uniques},
        )
        for row in rows.take(pa.array(chosen)).to_pylist()
    ]


def count(places: Places, result: Result, windows: list[SampledWindow]) -> None:
    """Put into each window the distinct values that the log holds for it.

    Counted are the records that the published windows hold: those that the ledger says were read, without those that
    wait in quarantine. Raises Refused if a window does not count the same records as the log.
    """
    assert result.panes
    by_group: dict[tuple[Any, ...], list[SampledWindow]] = {}
    for window in windows:
        by_group.setdefault(window.group, []).append(window)
    kinds = {column.name: column.dataType for column in result.topic.COLUMNS}
    groups = [(name, kinds[name]) for name in result.panes.by]
    uniques = [(name, kinds[name]) for name in result.panes.uniques]
    time = event_time.of_topic(result.topic)
    try:
        for text, timestamp in published_values.read(
            places, result, [(window.start, window.end) for window in windows]
        ):
            record = json.loads(text, parse_float=Decimal)
            same_group = by_group.get(tuple(_as_type(record.get(name), kind, time.zone) for name, kind in groups))
            if same_group:
                moment = timestamp if time.is_of_record else time.moment(reduce(getitem, time.path, record))
                _add(record, moment, same_group, uniques)
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
        raise Refused(
            f"{result.name}: the log holds a record that Spark can read and this command cannot, for example with an "
            "event time that is not ISO-8601."
        ) from None
    unlike = sum(window.counted != window.records for window in windows)
    if unlike:
        raise Refused(
            f"{result.name}: {unlike} of {len(windows)} windows do not hold the records that the log has for them. "
            "Its transform leaves out or changes records, which this command cannot follow; or retention took some of "
            "them from the log; or the table is wrong."
        )


def _add(
    record: dict[str, Any], moment: datetime, windows: list[SampledWindow], uniques: list[tuple[str, DataType]]
) -> None:
    """Count the record in those of the windows, all of its group, that hold its event time."""
    for window in windows:
        if window.start <= moment < window.end:
            window.counted += 1
            for name, kind in uniques:
                if record.get(name) is not None:
                    window.values[name].add(_as_type(record[name], kind, "UTC"))


def _as_type(value: Any, kind: DataType, zone: str) -> Any:
    """A value of JSON, with decimals for fractions, as the tables have it."""
    if value is None:
        return None
    if isinstance(kind, TimestampType):
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
    if isinstance(kind, DateType):
        return date.fromisoformat(value)
    if isinstance(kind, DecimalType):
        return Decimal(str(value)).quantize(Decimal(1).scaleb(-kind.scale), ROUND_HALF_UP, Context(prec=80))
    if isinstance(kind, DoubleType | FloatType):
        return float(value)
    return int(Decimal(str(value))) if isinstance(kind, IntegralType) else value


def second_estimate(values: set[Any], lg_k: int) -> float:
    """What datasketch's HyperLogLog++ makes of the same values, with its own hash; at most 2**16 registers."""
    from datasketch import HyperLogLogPlusPlus

    sketch = HyperLogLogPlusPlus(p=min(lg_k, LARGEST))
    for value in values:
        sketch.update(str(value).encode())
    return float(sketch.count())
