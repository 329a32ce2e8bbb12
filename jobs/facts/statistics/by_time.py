"""The first and the last value of a column, by event time: `NAME_first`, `NAME_last`. Null if there is no value.

Null is no value: `NAME_last` is the last that is not null. If several values have the same event time, the smallest of
them is the first and the largest the last (NaN is larger than any number, true larger than false, texts and bytes go by
their bytes): where records stand in the log is not known to panes, and so it cannot matter how the log is cut.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import (
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    NumericType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.facts import partials
from jobs.facts.partials import Groups, PaneColumn

_KINDS = (BooleanType, NumericType, DateType, TimestampType, BinaryType)
_NEVER = np.iinfo(np.int64).max
"""The key of no value."""
_PAIR = np.dtype([("key", np.int64), ("value", object)])
"""A value with its event time in microseconds since 1970; times -1 for last values, so the least key always wins."""


@dataclass(frozen=True)
class _Nearest:
    """Combines pairs: the one with the least key, and of those the one with the smallest value, or the largest."""

    is_last: bool

    def __call__(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        pairs = np.stack([one, other], axis=1).ravel()
        return self.reduceat(pairs, np.arange(0, len(pairs), 2))

    def reduceat(self, values: np.ndarray, starts: np.ndarray) -> np.ndarray:
        if not len(starts):
            return values
        places, begins = _least(values["key"], starts)
        nearest: np.ndarray = values[places[begins]]
        ends = np.append(begins[1:], len(places))
        for group in np.flatnonzero((ends - begins > 1) & (nearest["key"] != _NEVER)).tolist():
            equal = values["value"][places[begins[group] : ends[group]]].tolist()
            nearest["value"][group] = max(equal, key=_rank) if self.is_last else min(equal, key=_rank)
        return nearest


@dataclass(frozen=True)
class ByTime:
    """The first value of `column` by event time, or the last."""

    column: str
    is_last: bool
    is_optional = False

    @property
    def _name(self) -> str:
        return f"{self.column}_{'last' if self.is_last else 'first'}"

    @property
    def _time(self) -> str:
        return f"{self._name}_time"

    def fault(self, kind: DataType) -> str | None:
        """Of any type that a group may have: its values have an order."""
        if isinstance(kind, _KINDS) or kind == StringType():
            return None
        field = "lasts" if self.is_last else "firsts"
        remedy = 'Take a field of it, F.col("place.city").alias("city"), or a text made of it'
        return f"{field} has {self.column}, which is {kind.simpleString()}: its values have no order. {remedy}"

    def pane_columns(self, kinds: StructType) -> list[StructField]:
        """The value and its event time."""
        return [StructField(self._name, kinds[self.column].dataType), StructField(self._time, TimestampType())]

    def from_events(self, events: pa.Table, groups: Groups, target: pa.Schema) -> dict[str, PaneColumn]:
        """The nearest value of each group."""
        values = events[self.column].combine_chunks()
        keys = self._keys(events["event_time"].combine_chunks(), values)[groups.order]
        if not len(keys):
            return {self._name: self._column(keys, values)}
        places, begins = _least(keys, groups.begins)
        rows = groups.order[places]
        lengths = np.diff(begins, append=len(rows))
        nearest = rows[begins]
        several = lengths > 1
        tied = rows[np.repeat(several, lengths)]
        if len(tied):
            numbers = np.repeat(np.arange(np.count_nonzero(several)), lengths[several])
            candidates = pa.table({"group": numbers, "value": values.take(pa.array(tied))})
            order = pc.sort_indices(candidates, [("group", "ascending"), ("value", "ascending")]).to_numpy()
            ends = np.cumsum(lengths[several])
            nearest[several] = tied[order[ends - 1 if self.is_last else ends - lengths[several]]]
        keys = np.minimum.reduceat(keys, groups.begins)
        return {self._name: self._column(keys, values.take(pa.array(nearest)))}

    def from_panes(self, panes: pa.Table) -> dict[str, PaneColumn]:
        """The value and its event time."""
        values = panes[self._name].combine_chunks()
        return {self._name: self._column(self._keys(panes[self._time].combine_chunks(), values), values)}

    def to_panes(self, columns: Mapping[str, PaneColumn], target: pa.Schema) -> dict[str, pa.Array]:
        """The value and its event time; null if there is no value."""
        keys = columns[self._name].values["key"]
        times = pa.array(-keys if self.is_last else keys, pa.int64(), mask=keys == _NEVER)
        return self.finish(columns, len(keys)) | {self._time: times.cast(pa.timestamp("us", tz="UTC"))}

    def window_columns(self, kinds: StructType) -> list[StructField]:
        """The value."""
        return [StructField(self._name, kinds[self._name].dataType)]

    def finish(self, columns: Mapping[str, PaneColumn], length: int) -> dict[str, pa.Array]:
        """The value."""
        column = columns[self._name]
        kind = column.kind.field("value").type
        return {self._name: pa.array(column.values["value"].tolist(), _plain(kind)).cast(kind)}

    def comments(self, comment: str) -> dict[str, str]:
        """Of the value."""
        return {self._name: f"{'Last' if self.is_last else 'First'} by event time of: {comment}"}

    def _keys(self, times: pa.Array, values: pa.Array) -> np.ndarray:
        micros = times.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).fill_null(0).to_numpy()
        present = values.is_valid().to_numpy(zero_copy_only=False)
        keys: np.ndarray = np.where(present, -micros if self.is_last else micros, _NEVER)
        return keys

    def _column(self, keys: np.ndarray, values: pa.Array) -> PaneColumn:
        pairs = np.empty(len(keys), _PAIR)
        pairs["key"] = keys
        pairs["value"] = partials.object_array(values.cast(_plain(values.type)).to_pylist())
        kind = pa.struct([("key", pa.int64()), ("value", values.type)])
        return PaneColumn(pairs, _Nearest(self.is_last), np.array((_NEVER, None), _PAIR)[()], kind)


def _least(keys: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places of the least key of each group, which begin at `starts`; and where those of each group begin."""
    lengths = np.diff(starts, append=len(keys))
    is_least = keys == np.repeat(np.minimum.reduceat(keys, starts), lengths)
    counts = np.add.reduceat(is_least.astype(np.int64), starts)
    return np.flatnonzero(is_least), np.cumsum(counts) - counts


def _rank(value: Any) -> Any:
    """By what values of one column are compared: NaN is larger than any number, as in Arrow and Spark."""
    return (value != value, value)


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type in which values are held: times and dates as numbers."""
    if pa.types.is_timestamp(kind):
        return pa.int64()
    return pa.int32() if pa.types.is_date32(kind) else kind
