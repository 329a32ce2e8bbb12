"""Rows of a table that are found by their key."""

from functools import reduce
from operator import and_

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.facts.partials import group_keys


def read(table: DeltaTable, wanted: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """The rows of the table whose columns `key` are those of a row of `wanted`. No null is wanted."""
    columns = pa.schema(table.schema().to_arrow())
    values = [pc.unique(wanted[name]).cast(columns.field(name).type) for name in key]
    may_be = reduce(and_, (pc.field(name).isin(each) for name, each in zip(key, values, strict=True)))
    found = table.to_pyarrow_dataset().to_table(filter=may_be).cast(columns)
    if len(key) == 1 or not len(found):
        return found
    asked = wanted.select(key).cast(found.select(key).schema)
    codes = group_keys(pa.concat_tables([found.select(key), asked]), key)
    return found.filter(pa.array(np.isin(codes[: len(found)], codes[len(found) :])))
