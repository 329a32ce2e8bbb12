"""How late the records of a topic are: each partition followed in order of offset, without Spark.

Lateness is stream time less event time, as a job measures it (jobs/events/lateness.py), in whole seconds, rounded up.
Records that Arrow cannot decode for certain are left out: they are counted, and stream time does not know them. Columns
that Spark alone decodes, such as lists, are not looked at: a record in which only these are wrong is taken for good.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import StructType

from jobs.admin.second_counts import SecondCounts
from jobs.events import arrow_json, event_time, fast_decoder, gate
from jobs.events.stream_time import StreamTime
from jobs.events.topic_schema import TopicSchema, file_name
from jobs.running.errors import Refused

COLUMNS = ("partition", "offset", "timestamp", "key", "value")
"""What is needed of each record, by the names of schemas/archive.py."""
MOST_VALUES = 10_000
"""Different values of the column by which lateness is shown: more would not fit into memory, nor help anybody."""


class TopicLateness:
    """Follows the records of a topic, block by block."""

    def __init__(self, topic: TopicSchema, by: str | None = None) -> None:
        """`by`: a column of the topic, for whose values lateness is measured, too. Raises Refused when Spark alone
        decodes it, or the event time.
        """
        columns, self.columns_left_out = arrow_json.readable_part(topic)
        declared = {name: getattr(topic, name) for name in dir(topic) if not name.startswith("__")}
        narrow: Any = SimpleNamespace(**(declared | {"COLUMNS": columns}))
        _check(topic, columns, by)
        self._plain = arrow_json.plain_topic(narrow, fast_decoder.event_columns(narrow))
        self._by = by
        self._streams: dict[int, StreamTime] = {}
        self.records = 0
        """Those that were read."""
        self.measured = 0
        """Those that were decoded."""
        self.values: dict[Any, int] = {}
        """The values of the column `by`, and the group of each in `value_behind` and `value_ahead`."""
        self.behind, self.value_behind = SecondCounts(), SecondCounts()
        """Lateness, by partition and by value; 0 for a record that is in order."""
        self.ahead, self.value_ahead = SecondCounts(), SecondCounts()
        """How far an event time is after its record timestamp, where it is; by partition and by value."""

    def add(self, records: pa.RecordBatch) -> None:
        """Take in the next records of one partition, at least one, in COLUMNS. Raises Refused when the column `by` has
        more than MOST_VALUES values.
        """
        plain = fast_decoder.with_json(_without_huge(records), self._plain)
        columns = arrow_json.decode_certain(plain, self._plain, smallest_block=1)
        good = columns["__good"]
        event_micros = columns["event_time"].cast(pa.int64()).filter(good).to_numpy()
        partition = records["partition"][0].as_py()
        stream = self._streams.setdefault(partition, StreamTime(None))
        behind = stream.follow(records["offset"].to_numpy(), event_micros)
        self.records += len(records)
        self.measured += len(event_micros)
        ahead = event_micros - records["timestamp"].cast(pa.int64()).filter(good).to_numpy()
        is_ahead = ahead > 0
        groups = np.full(len(behind), partition, np.int64)
        self.behind.add(groups, behind)
        self.ahead.add(groups[is_ahead], ahead[is_ahead])
        if self._by is not None:
            values = self._value_groups(columns[self._by].filter(good))
            self.value_behind.add(values, behind)
            self.value_ahead.add(values[is_ahead], ahead[is_ahead])

    def _value_groups(self, column: pa.Array) -> np.ndarray:
        """The group of each value; those that are new get the next numbers."""
        encoded = column.dictionary_encode(null_encoding="encode")
        different = [self.values.setdefault(value, len(self.values)) for value in encoded.dictionary.to_pylist()]
        if len(self.values) > MOST_VALUES:
            raise Refused(
                f"column {self._by} has more than {MOST_VALUES:,} different values; take one with few, such as the "
                "producer of the records."
            )
        groups: np.ndarray = np.array(different, np.int64)[encoded.indices.to_numpy()]
        return groups


def _check(topic: TopicSchema, columns: StructType, by: str | None) -> None:
    """Raises Refused if the event time, or the column `by`, is not among the columns that Arrow reads."""
    file, time = file_name(topic), event_time.of_topic(topic)
    if not time.is_quick:
        raise Refused(f"only Spark decodes the event time of {file}, which is {time.kind.simpleString()}.")
    if by is not None and by not in columns.names:
        raise Refused(f"only Spark decodes column {by} of {file}: take another one.")


def _without_huge(records: pa.RecordBatch) -> pa.RecordBatch:
    """The records, without the values that the gate does not read, as they are too long."""
    huge = pc.greater(pc.binary_length(records["value"]), gate.MAX_VALUE_BYTES)
    if not pc.any(huge).as_py():
        return records
    index = records.schema.get_field_index("value")
    return records.set_column(index, "value", pc.if_else(huge, None, records["value"]))
