"""Values that are cut into partial panes in any way, and the windows that come of them, without Spark."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import DataType, StringType, StructField, StructType, TimestampType

from jobs.answers.windows import Tumbling, Window, merging
from jobs.facts import aggregation, pane_table
from jobs.facts.panes import Panes

HOUR = datetime(2024, 2, 29, 23, tzinfo=UTC)


def columns(kind: DataType) -> StructType:
    """Of events: a time, a group and a value."""
    time, group = StructField("event_time", TimestampType()), StructField("g", StringType())
    return StructType([time, group, StructField("v", kind)])


def whole(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def decimals(digits: int, scale: int) -> st.SearchStrategy[Decimal]:
    """Of any number of digits, the most of all among them."""
    most = 10**digits - 1
    numbers = st.integers(-most, most) | st.sampled_from([most, -most, 1, -1, 0])
    return numbers.map(lambda number: Decimal((int(number < 0), tuple(map(int, str(abs(number)))), -scale)))


def batches(rows: list[tuple[Any, Any, Any]], kinds: StructType) -> pa.Table:
    schema = to_arrow_schema(kinds, timezone="UTC")
    times = [HOUR + timedelta(seconds=row[0]) for row in rows]
    columns = [times, [row[1] for row in rows], [row[2] for row in rows]]
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def windows(
    rows: list[tuple[Any, Any, Any]],
    cuts: list[int],
    kinds: StructType,
    kept: Panes,
    some: tuple[Window, ...] = (Tumbling("1 hour"),),
) -> list[dict[str, Any]]:
    """Windows of the rows, whose panes are made of each part, added up once more in the table, and merged."""
    output = aggregation.output(kinds, kept)
    panes = to_arrow_schema(output, timezone="UTC")
    parts = [
        pa.Table.from_batches(
            aggregation._partials_of_batches(iter(batches(rows[a:b], kinds).to_batches()), kept, panes), panes
        )
        for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)
    ]
    half = len(parts) // 2
    tables = [pa.concat_tables(some) for some in (parts[:half], parts[half:]) if some]
    summed = [pa.Table.from_batches(pane_table.combine(table, kept, panes), panes) for table in tables if len(table)]
    target = to_arrow_schema(merging.output(output, kept), timezone="UTC")
    ordered = pa.concat_tables(summed).sort_by("pane_start")
    return pa.Table.from_batches(
        merging.window_batches(iter(ordered.to_batches()), kept, some, target, 0, None), target
    ).to_pylist()
