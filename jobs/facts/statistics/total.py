"""The sum of a column in partial panes, and of how many values: what several statistics need and keep once.

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
from jobs.facts.partials import Groups, Part

MOST_DIGITS = 38
"""Of a decimal, in Spark and in Delta."""
SPARE_DIGITS = 10
"""A sum has so many more digits than what is added up; where they are not to be had, see BEYOND."""
BEYOND = "_beyond"
"""Ends the name of the column, beside a column of sums, for sums of more than 38 digits: as text, exactly."""


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


def counts_of_events(column: str, events: pa.Table, groups: Groups) -> dict[str, Part]:
    """How many values there are in each group."""
    valid = events[column].combine_chunks().is_valid().to_numpy(zero_copy_only=False)
    return {f"{column}_count": groups.combined(Part(valid.astype(np.int64), np.add, 0, pa.int64()))}


def of_events(column: str, events: pa.Table, groups: Groups, target: pa.Schema) -> dict[str, Part]:
    """Number and sum of the values in each group."""
    sums = partials.summands(events[column].combine_chunks(), target.field(f"{column}_sum").type)
    return counts_of_events(column, events, groups) | {f"{column}_sum": groups.combined(sums)}


def counts_of_panes(column: str, panes: pa.Table) -> dict[str, Part]:
    """The number of values, out of the table of panes."""
    return {f"{column}_count": partials.part(panes[f"{column}_count"].combine_chunks(), np.add)}


def of_panes(column: str, panes: pa.Table) -> dict[str, Part]:
    """Number and sum of the values, out of the table of panes."""
    name = f"{column}_sum"
    sums = partials.part(panes[name].combine_chunks(), np.add)
    if f"{name}{BEYOND}" in panes.column_names:
        sums = _with_beyond(sums, panes[f"{name}{BEYOND}"].to_pylist())
    return counts_of_panes(column, panes) | {name: sums}


def _with_beyond(sums: Part, texts: list[str | None]) -> Part:
    """The sums, with those that stand in the column beside them, as they have more digits than a decimal."""
    values = sums.values.astype(object)
    for row, text in enumerate(texts):
        if text is not None:
            values[row] = int(Decimal(text).scaleb(sums.kind.scale, partials.EXACTLY))
    return sums.of(values)


def counts_to_panes(column: str, parts: Mapping[str, Part]) -> dict[str, pa.Array]:
    """The number of values, for the table of panes."""
    return {f"{column}_count": partials.arrow(parts[f"{column}_count"])}


def to_panes(column: str, parts: Mapping[str, Part], names: list[str]) -> dict[str, pa.Array]:
    """Number and sum of the values, for a table with columns of these `names`; the sum of no value is null."""
    name = f"{column}_sum"
    columns = counts_to_panes(column, parts) | {name: partials.arrow(parts[name], is_none(column, parts))}
    if f"{name}{BEYOND}" in names:
        columns[f"{name}{BEYOND}"] = partials.beyond(parts[name])
    return columns


def is_none(column: str, parts: Mapping[str, Part]) -> np.ndarray:
    """Where there is no value."""
    none: np.ndarray = parts[f"{column}_count"].values == 0
    return none
