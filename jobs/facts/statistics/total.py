"""The sum of a column in partial panes, and of how many values: shared by several statistics, and stored once.

Exact for whole numbers and decimals, however many digits the sum has. Pane columns: `NAME_count`, the values that are
not null; `NAME_sum`; and for decimals whose sums may have more than 38 digits `NAME_sum_beyond`, such a sum as text:
then `NAME_sum` is null.
"""

from collections.abc import Mapping
from decimal import Decimal

import numpy as np
import pyarrow as pa
from pyspark.sql.types import (
    DataType,
    DecimalType,
    DoubleType,
    FractionalType,
    LongType,
    NumericType,
    StringType,
    StructField,
)

from jobs.facts import partials
from jobs.facts.partials import Groups, PaneColumn

MOST_DIGITS = 38
"""Of a decimal, in Spark and in Delta."""
SPARE_DIGITS = 10
"""A sum has this many more digits than the values that are added up; if that is more than MOST_DIGITS, see BEYOND."""
BEYOND = "_beyond"
"""Suffix of the column beside a column of sums that has the sums of more than 38 digits, exactly, as text."""


def fault(field: str, column: str, kind: DataType) -> str | None:
    """Why a column of this type has no sum, and what to do; None if it has one. `field`: of Panes, which names it."""
    if isinstance(kind, NumericType):
        return None
    remedy = f'Make a number of it in the transform: F.col("{column}").try_cast("double")'
    return f"{field} has {column}, which is {kind.simpleString()}: no number. {remedy}"


def count_column(column: str) -> StructField:
    """The pane column of the number of values."""
    return StructField(f"{column}_count", LongType())


def sum_columns(column: str, kind: DataType) -> list[StructField]:
    """The pane columns of the sum, for a column of type `kind`."""
    fields = [StructField(f"{column}_sum", _sum_type(kind))]
    if isinstance(kind, DecimalType) and kind.precision > MOST_DIGITS - SPARE_DIGITS:
        fields.append(StructField(f"{column}_sum{BEYOND}", StringType()))
    return fields


def _sum_type(kind: DataType) -> DataType:
    """32-bit numbers sum exactly in 64 bits, 64-bit numbers could overflow there."""
    if isinstance(kind, LongType):
        return DecimalType(30, 0)
    if isinstance(kind, DecimalType):
        return DecimalType(min(MOST_DIGITS, kind.precision + SPARE_DIGITS), kind.scale)
    return DoubleType() if isinstance(kind, FractionalType) else LongType()


def counts_from_events(column: str, events: pa.Table, groups: Groups) -> dict[str, PaneColumn]:
    """How many values there are in each group."""
    valid = events[column].combine_chunks().is_valid().to_numpy(zero_copy_only=False)
    return {f"{column}_count": groups.combine(PaneColumn(valid.astype(np.int64), np.add, 0, pa.int64()))}


def from_events(column: str, events: pa.Table, groups: Groups, target: pa.Schema) -> dict[str, PaneColumn]:
    """Number and sum of the values in each group."""
    sums = partials.summands(events[column].combine_chunks(), target.field(f"{column}_sum").type)
    return counts_from_events(column, events, groups) | {f"{column}_sum": groups.combine(sums)}


def counts_from_panes(column: str, panes: pa.Table) -> dict[str, PaneColumn]:
    """The number of values, out of the table of panes."""
    return {f"{column}_count": partials.numeric_column(panes[f"{column}_count"].combine_chunks(), np.add)}


def from_panes(column: str, panes: pa.Table) -> dict[str, PaneColumn]:
    """Number and sum of the values, out of the table of panes."""
    name = f"{column}_sum"
    sums = partials.numeric_column(panes[name].combine_chunks(), np.add)
    if f"{name}{BEYOND}" in panes.column_names:
        sums = _with_beyond(sums, panes[f"{name}{BEYOND}"].to_pylist())
    return counts_from_panes(column, panes) | {name: sums}


def _with_beyond(sums: PaneColumn, texts: list[str | None]) -> PaneColumn:
    """The sums, with those of more digits than a decimal, which the column beside them has as text."""
    values = sums.values.astype(object)
    for row, text in enumerate(texts):
        if text is not None:
            values[row] = int(Decimal(text).scaleb(sums.kind.scale, partials.EXACTLY))
    return sums.with_values(values)


def counts_to_panes(column: str, columns: Mapping[str, PaneColumn]) -> dict[str, pa.Array]:
    """The number of values, for the table of panes."""
    return {f"{column}_count": partials.to_arrow(columns[f"{column}_count"])}


def to_panes(column: str, columns: Mapping[str, PaneColumn], names: list[str]) -> dict[str, pa.Array]:
    """Number and sum of the values, for a table with columns of these `names`; the sum of no value is null."""
    name = f"{column}_sum"
    arrays = counts_to_panes(column, columns) | {name: partials.to_arrow(columns[name], is_none(column, columns))}
    if f"{name}{BEYOND}" in names:
        arrays[f"{name}{BEYOND}"] = partials.beyond_texts(columns[name])
    return arrays


def is_none(column: str, columns: Mapping[str, PaneColumn]) -> np.ndarray:
    """Where there is no value."""
    none: np.ndarray = columns[f"{column}_count"].values == 0
    return none
