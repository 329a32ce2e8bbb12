"""Rows of a table that are found by their key."""

from functools import reduce
from operator import and_

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from pyarrow.dataset import FileSystemDataset

from jobs.facts.partials import group_keys


def read(table: DeltaTable, wanted: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """The rows of the table whose columns `key` are those of a row of `wanted`. No null is wanted."""
    columns = pa.schema(table.schema().to_arrow())
    values = [pc.unique(wanted[name]).cast(columns.field(name).type) for name in key]
    everything = table.to_pyarrow_dataset()
    may_have = reduce(and_, (pc.field(name).isin(each) for name, each in zip(key, values, strict=True)))
    files = list(everything.get_fragments(filter=may_have))
    some_files = FileSystemDataset(files, everything.schema, everything.format, everything.filesystem)
    found = some_files.to_table(filter=reduce(and_, map(_is_any_of, key, values))).cast(columns)
    if len(key) == 1 or not len(found):
        return found
    asked = wanted.select(key).cast(found.select(key).schema)
    codes = group_keys(pa.concat_tables([found.select(key), asked]), key)
    return found.filter(pa.array(np.isin(codes[: len(found)], codes[len(found) :])))


def _is_any_of(name: str, values: pa.Array) -> pc.Expression:
    """Whether a column has one of these values. Texts of another Arrow type than that of the file: Delta's MERGE writes
    views of texts, and pyarrow compares them with no text as it looks at the statistics of a file.
    """
    if pa.types.is_string(values.type):
        return pc.field(name).cast(pa.large_string()).isin(values.cast(pa.large_string()))
    if pa.types.is_binary(values.type):
        return pc.field(name).cast(pa.large_binary()).isin(values.cast(pa.large_binary()))
    return pc.field(name).isin(values)
