"""Two tables, row by row: keys that one of them alone has, and how the others differ, column by column.

Large tables are split by a hash of the key into parts on disk, so that few rows are in memory at once.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable

from jobs.admin.versions import column_comparison
from jobs.admin.versions.column_comparison import Largest
from jobs.answers.windows import EARLIER_KIND, KIND
from jobs.facts import partials
from jobs.lake import table_queries
from jobs.publishing import event_difference, window_column
from jobs.running.errors import Refused

OWN = ("revision", "updated_time", "sequence")
"""Columns that say how a row came about, and not what it says: they are not compared."""
PART_ROWS = 500_000
"""About how many rows of a table are compared at once."""
_SPLIT_ROWS = 100_000
"""So many rows are read before they are split."""


@dataclass
class Comparison:
    """What differs between two tables."""

    key: tuple[str, ...]
    old_rows: int = 0
    new_rows: int = 0
    missing: int = 0
    """Rows whose key the old one alone has."""
    added: int = 0
    """Rows whose key the new one alone has."""
    different: int = 0
    columns: Counter[str] = field(default_factory=Counter)
    """By name, how many rows differ in the column, among those whose key both have."""
    largest: dict[str, Largest] = field(default_factory=dict)
    """By column, the largest absolute difference between two numbers."""
    lone_columns: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    """Those that the old and the new one alone has."""
    unlike_types: tuple[str, ...] = ()
    """Columns whose types cannot be compared, with both."""
    examples: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    """Keys, by what is the matter with their rows: missing, added, different."""

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.added or self.different or any(self.lone_columns) or self.unlike_types)


@dataclass(frozen=True)
class Side:
    """Rows of a table. The kind of window is the column window_kind, also of a table that has it as window."""

    table: DeltaTable
    where: str = ""
    """SQL that holds for these rows; empty: for all."""

    @property
    def kind(self) -> str | None:
        """The column of the table with the kind of window."""
        return window_column.column(self.table)

    @property
    def schema(self) -> pa.Schema:
        """The columns."""
        fields = pa.schema(self.table.schema().to_arrow())
        return pa.schema([field.with_name(KIND) if field.name == self.kind else field for field in fields])

    def batches(self, columns: pa.Schema, reader: ThreadPoolExecutor) -> Iterator[pa.RecordBatch]:
        """Its rows in these columns, read by `reader`."""
        names = [self.kind or name if name == KIND else name for name in columns.names]
        stored = pa.schema([field.with_name(name) for field, name in zip(columns, names, strict=True)])
        for batch in table_queries.batches(self.table, stored, reader, self.where):
            yield batch.rename_columns(columns.names)


def compare(
    old: Side,
    new: Side,
    key: tuple[str, ...],
    tolerance: float,
    examples: int = 0,
    part_rows: int = PART_ROWS,
    ignored: tuple[str, ...] = OWN,
) -> Comparison:
    """Compare rows by `key`, in all columns but the `ignored` ones. Doubles are equal if they differ by no more than
    `tolerance` of the larger one.

    Keeps at most `examples` keys of each sort. Raises Refused if the columns of the key do not tell rows apart.
    """
    schemas = [side.schema for side in (old, new)]
    if EARLIER_KIND in (old.kind, new.kind):
        key = tuple(KIND if name == EARLIER_KIND else name for name in key)
    found = Comparison(key)
    schema, found.unlike_types = _common_schema(schemas, key, ignored)
    pairs = (schemas, schemas[::-1])
    lone = [[n for n in one.names if n not in other.names and n not in ignored] for one, other in pairs]
    found.lone_columns = tuple(lone[0]), tuple(lone[1])
    count = 1 + max(_rows(side.table) for side in (old, new)) // part_rows
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="headrace-compare-")))
        reader = held.enter_context(ThreadPoolExecutor(1))
        sides = [
            _parts(side.batches(schema[place], reader), schema[place], key, count, folder / str(place))
            for place, side in enumerate((old, new))
        ]
        for before, now in zip(*sides, strict=True):
            _compare_part(found, before, now, tolerance, examples)
    return found


def _common_schema(
    schemas: Sequence[pa.Schema], key: tuple[str, ...], ignored: tuple[str, ...]
) -> tuple[list[pa.Schema], tuple[str, ...]]:
    """The columns of each side that are compared, and those that both have in types that cannot be compared. Columns of
    the key have the same types on both sides.
    """
    names = [name for name in schemas[0].names if name in schemas[1].names and name not in ignored]
    for name in key:
        if name not in names:
            raise Refused(f"the key has the column {name}, which one of the tables has not: name others with --key.")
    sides: list[list[pa.Field]] = [[], []]
    unlike = []
    for name in names:
        kinds = [schema.field(name).type for schema in schemas]
        if name in key and all(map(pa.types.is_integer, kinds)):
            kinds = [pa.int64(), pa.int64()]
        if name in key and kinds[0] != kinds[1]:
            raise Refused(f"the column {name} of the key is {kinds[0]} in one table and {kinds[1]} in the other.")
        if not column_comparison.are_comparable(*kinds):
            unlike.append(f"{name}: {kinds[0]}, {kinds[1]}")
            continue
        for side, kind in zip(sides, kinds, strict=True):
            side.append(pa.field(name, kind))
    return [pa.schema(side) for side in sides], tuple(unlike)


def _rows(table: DeltaTable) -> int:
    """How many rows the table has, by the statistics of its files; a file without them counts as a large one."""
    files = pa.table(table.get_add_actions(flatten=True))
    if not len(files):
        return 0
    counts = files["num_records"].to_pylist() if "num_records" in files.column_names else [None] * len(files)
    return sum(PART_ROWS if count is None else count for count in counts)


def _parts(
    batches: Iterator[pa.RecordBatch], schema: pa.Schema, key: tuple[str, ...], count: int, folder: Path
) -> Iterator[pa.Table]:
    """The rows in so many parts: rows of equal keys are in the part of the same number."""
    if count == 1:
        yield pa.Table.from_batches(batches, schema)
        return
    folder.mkdir()
    paths = [folder / f"{number}.arrow" for number in range(count)]
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with ExitStack() as held:
        files = [held.enter_context(pa.ipc.new_file(path, schema, options=options)) for path in paths]
        for rows in _pieces(batches, schema):
            parts = _part_numbers(rows, key, count)
            order = np.argsort(parts, kind="stable")
            rows, bounds = rows.take(pa.array(order)), np.searchsorted(parts[order], np.arange(count + 1))
            for file, start, end in zip(files, bounds, bounds[1:], strict=False):
                if end > start:
                    file.write_table(rows.slice(start, end - start))
    for path in paths:
        yield pa.ipc.open_file(path).read_all()
        path.unlink()


def _pieces(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Batches, several together."""
    waiting: list[pa.RecordBatch] = []
    for batch in chain(batches, [None]):
        waiting += [batch] if batch is not None else []
        if waiting and (batch is None or sum(map(len, waiting)) >= _SPLIT_ROWS):
            yield pa.Table.from_batches(waiting, schema).combine_chunks()
            waiting = []


def _part_numbers(rows: pa.Table, key: tuple[str, ...], count: int) -> np.ndarray:
    """The number of the part of each row, which its key alone decides."""
    hashes = np.zeros(len(rows), np.uint64)
    for name in key:
        column = rows[name].combine_chunks()
        if pa.types.is_temporal(column.type):
            column = column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64())
        if not pa.types.is_binary(column.type):
            column = column.cast(pa.string())
        values = column.to_numpy(zero_copy_only=False)
        values[pa.array(column).is_null().to_numpy(zero_copy_only=False)] = ""
        hashes = hashes * np.uint64(31) + pd.util.hash_array(values, categorize=False)
    return (hashes % np.uint64(count)).astype(np.int64)


def _compare_part(found: Comparison, old: pa.Table, new: pa.Table, tolerance: float, examples: int) -> None:
    for rows in (old, new):
        _check_keys(rows, found.key)
    at = event_difference.places_among(new, old, found.key)
    is_known = at >= 0
    stays = np.zeros(len(old), bool)
    stays[at[is_known]] = True
    one, other = old.take(pa.array(at[is_known])), new.filter(pa.array(is_known))
    differs = np.zeros(len(one), bool)
    for name in one.column_names:
        unequal = ~column_comparison.are_equal(one[name], other[name], tolerance)
        if unequal.any():
            found.columns[name] += int(unequal.sum())
            which = pa.array(unequal)
            largest = column_comparison.largest_difference(one[name].filter(which), other[name].filter(which))
            found.largest[name] = max(found.largest.get(name, Largest()), largest)
            differs |= unequal
    found.old_rows, found.new_rows = found.old_rows + len(old), found.new_rows + len(new)
    found.missing += int((~stays).sum())
    found.added += int((~is_known).sum())
    found.different += int(differs.sum())
    for sort, rows, which in (("missing", old, ~stays), ("added", new, ~is_known), ("different", one, differs)):
        kept = found.examples.setdefault(sort, [])
        places = np.flatnonzero(which)[: max(0, examples - len(kept))]
        keys = rows.select(list(found.key)).take(pa.array(places)).to_pylist()
        kept += [tuple(each.values()) for each in keys]


def _check_keys(rows: pa.Table, key: tuple[str, ...]) -> None:
    if len(rows) and len(np.unique(partials.group_keys(rows, key))) < len(rows):
        raise Refused(f"several rows are alike in {', '.join(key)}: name with --key the columns that tell rows apart.")
