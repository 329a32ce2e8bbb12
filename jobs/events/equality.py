"""When two values are one group, one key, one distinct value: a single definition for every engine that compares them.

Texts and bytes are equal if their bytes are: case, blanks at the end and Unicode forms tell them apart. Numbers are
equal if they are the same number: negative zero is zero. NaN equals NaN, and null equals null. Arrow would take the
two zeros, and two NaN of different bits, for different values, and Spark would not; so events and panes have one zero
and one NaN each before anything compares them.
"""

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import DataType


def normalise(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """A column of fractions with 0.0 for negative zero, and the same NaN for all; any other type is left as it is."""
    if not pa.types.is_floating(column.type):
        return column
    zero, nan = (pa.scalar(number, column.type) for number in (0.0, float("nan")))
    column = pc.add(column, zero)  # -0.0 + 0.0 is 0.0
    return pc.if_else(pc.is_nan(column), nan, column)


def normalise_columns(table: pa.Table, names: tuple[str, ...]) -> pa.Table:
    """The table, with `normalise` done to its columns of these names."""
    for name in names:
        if pa.types.is_floating(table.schema.field(name).type):
            table = table.set_column(table.schema.get_field_index(name), name, normalise(table[name]))
    return table


def normalise_zero(column: Column, kind: DataType) -> Column:
    """Spark's column of fractions of type `kind`, with 0.0 for negative zero. (JSON has no NaN.)"""
    zero = F.lit(0.0).cast(kind)
    return F.when(column == zero, zero).otherwise(column)
