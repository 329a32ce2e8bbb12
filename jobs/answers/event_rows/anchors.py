"""What answers with a row for an event have in common: the order of events, the checks of columns, `due_time`, `final`.

The canonical order of the events of a topic is (event_time, record_partition, record_offset). A null in a group's
column equals nothing, as in SQL: such an event is alone in its group.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import (
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    IntegerType,
    LongType,
    NumericType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.answers.event_rows import order
from jobs.answers.event_rows.event_answer import SHOWN
from jobs.running.errors import Mistake

PLACE = ("event_time", "record_partition", "record_offset")
"""The columns that say which event a row is about."""
PLACE_TYPES = (TimestampType(), IntegerType(), LongType())
"""The types of PLACE."""
MICROS = 1_000_000
"""In a second."""

_COMPARABLE = (BooleanType, NumericType, DateType, TimestampType, BinaryType)


@dataclass(frozen=True)
class EventOrder:
    """Events in canonical order, those of a group side by side; the arrays have an entry for each event."""

    rows: np.ndarray
    """Where in the table each event is."""
    times: np.ndarray
    """Its time, in microseconds since 1970."""
    begins: np.ndarray
    """The place in this order of the first event of its group."""


def micros(table: pa.Table, column: str) -> np.ndarray:
    """A column of times without nulls, in microseconds since 1970."""
    values: np.ndarray = table[column].cast(pa.int64()).to_numpy()
    return values


def event_order(events: pa.Table, by: tuple[str, ...], further: np.ndarray | None = None) -> EventOrder:
    """The order of these events. `further`: tells events of one record apart, which a transform may have made."""
    ties = [events[name].to_numpy() for name in PLACE[1:]] + ([] if further is None else [further])
    line = order.timeline(order.group_codes([events], by), micros(events, "event_time"), ties)
    is_first = np.ones(len(line), bool)
    is_first[1:] = line.groups[1:] != line.groups[:-1]
    begins = np.maximum.accumulate(np.where(is_first, np.arange(len(line)), 0))
    return EventOrder(line.order, line.times, begins)


def place_columns(given: StructType, by: tuple[str, ...]) -> list[StructField]:
    """The columns that each row begins with: its group, and which event it is about."""
    fields = [StructField(name, given[name].dataType) for name in by]
    return [*fields, *(StructField(name, kind) for name, kind in zip(PLACE, PLACE_TYPES, strict=True))]


def end_columns() -> list[StructField]:
    """The columns that each row ends with."""
    return [StructField("due_time", TimestampType()), StructField("final", BooleanType())]


def to_table(
    arrays: Mapping[str, pa.Array], due_micros: np.ndarray, complete_micros: int, early: bool, columns: StructType
) -> pa.Table:
    """The rows, in these columns, and SHOWN: a row is shown once it is final; with `early` at once."""
    final = due_micros <= complete_micros
    ends = {
        "due_time": pa.array(due_micros, pa.timestamp("us", tz="UTC")),
        "final": pa.array(final),
        SHOWN: pa.array(final | early),
    }
    target = to_arrow_schema(columns, timezone="UTC").append(pa.field(SHOWN, pa.bool_()))
    return in_columns({**arrays, **ends}, target)


def in_columns(arrays: Mapping[str, pa.Array], target: pa.Schema) -> pa.Table:
    """A table with exactly these columns; arrays of another type are cast."""
    return pa.Table.from_arrays([_cast(arrays[field.name], field.type) for field in target], schema=target)


def _cast(array: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    return array if array.type == kind else pc.cast(array, kind)


def check_names(owner: str, by: tuple[str, ...], *others: tuple[str, ...]) -> None:
    """Raises Mistake unless the columns of `by`, and those of each of `others`, are texts and named once each."""
    for names in (by, *others):
        if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
            raise Mistake(f'{owner}: {names!r} is no tuple of names of columns, such as ("account",)')
        twice = sorted(name for name, times in Counter(names).items() if times > 1)
        if twice:
            raise Mistake(f"{owner}: {', '.join(twice)}: named twice")


def only_topic(owner: str, given: Mapping[str, StructType]) -> StructType:
    """The columns of the events. Raises Mistake unless there is one topic."""
    if len(given) != 1:
        raise Mistake(f"{owner} is of one topic, and the result reads {len(given)}: {', '.join(given)}")
    (columns,) = given.values()
    return columns


def check_columns(owner: str, columns: StructType, needed: tuple[str, ...]) -> None:
    """Raises Mistake unless the `needed` columns are there."""
    missing = [name for name in dict.fromkeys(needed) if name not in columns.names]
    if missing:
        there = ", ".join(columns.names)
        raise Mistake(f"{owner}: the transform does not return {', '.join(missing)}; it returns {there}")


def check_comparable(owner: str, columns: StructType, field: str, names: tuple[str, ...]) -> None:
    """Raises Mistake unless the values of the columns `names`, which stand in `field`, can be told apart."""
    for name in names:
        kind = columns[name].dataType
        if not is_comparable(kind):
            remedy = f'Take a field of it, F.col("{name}.city").alias("city"), or a text made of it'
            raise Mistake(f"{owner}: {field} has {name}, which is {kind.simpleString()}. {remedy}")


def is_comparable(kind: DataType) -> bool:
    """Whether values of the type are equal or not in every engine: no lists, maps, structures or collated texts."""
    return isinstance(kind, _COMPARABLE) or kind == StringType()


def check_output(owner: str, columns: StructType) -> None:
    """Raises Mistake if two columns of the rows would have one name; capital and small letters are the same."""
    twice = sorted(name for name, times in Counter(name.lower() for name in columns.names).items() if times > 1)
    if twice:
        raise Mistake(
            f"{owner}: two columns of the table would be called {', '.join(twice)} (capital and small letters are the "
            "same). Rename one in the transform or in the answer"
        )
