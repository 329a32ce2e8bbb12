"""When two values are one group, one key, one distinct value: a single definition for every engine that compares them.

Texts and bytes are equal if their bytes are: case, blanks at the end and Unicode forms tell them apart. Numbers are
equal if they are the same number: negative zero is zero. NaN equals NaN, and null equals null. Arrow would take the
two zeros, and two NaN with other bits, for different values, and Spark would not; so events and panes have only one
zero and one NaN each, before anybody compares them.
"""

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import DataType


def settled(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """The column with 0.0 for negative zero, and one NaN for all; any type but those of fractions is left as it is."""
    if not pa.types.is_floating(column.type):
        return column
    zero, nan = (pa.scalar(number, column.type) for number in (0.0, float("nan")))
    column = pc.add(column, zero)  # -0.0 + 0.0 is 0.0
    return pc.if_else(pc.is_nan(column), nan, column)


def settled_columns(table: pa.Table, names: tuple[str, ...]) -> pa.Table:
    """The table, whose columns of these names are `settled`."""
    for name in names:
        if pa.types.is_floating(table.schema.field(name).type):
            table = table.set_column(table.schema.get_field_index(name), name, settled(table[name]))
    return table


def one_zero(column: Column, kind: DataType) -> Column:
    """Spark's column of fractions of type `kind`, with 0.0 for negative zero. (JSON has no NaN.)"""
    zero = F.lit(0.0).cast(kind)
    return F.when(column == zero, zero).otherwise(column)
