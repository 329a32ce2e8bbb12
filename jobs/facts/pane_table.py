"""The table of partial panes: into columns in memory and back, and combined to one row for each pane."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa

from jobs.events import equality
from jobs.facts import partials
from jobs.facts.panes import Panes
from jobs.facts.partials import PaneColumn
from jobs.facts.statistics.statistic import Statistic


def pane_columns(table: pa.Table, statistics: Iterable[Statistic]) -> dict[str, PaneColumn]:
    """The columns of these statistics, by name."""
    return {name: column for statistic in statistics for name, column in statistic.from_panes(table).items()}


def batches(
    keys: pa.Table, columns: Mapping[str, PaneColumn], panes: Panes, target: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Batches in the columns of `target`; `keys` has a row for each partial pane."""
    arrays = {name: keys[name] for name in keys.column_names}
    for statistic in panes.statistics:
        arrays |= statistic.to_panes(columns, target)
    if "sequence" in target.names:
        arrays["sequence"] = partials.to_arrow(columns["sequence"])
    ordered = [arrays[field.name].cast(field.type) for field in target]
    yield from pa.Table.from_arrays(ordered, schema=target).to_batches(10_000)


def combine(table: pa.Table, panes: Panes, target: pa.Schema) -> Iterator[pa.RecordBatch]:
    """One row for each pane and group, in the columns of `target`; `sequence` is the greatest of the rows."""
    keys = ("pane_start", *panes.by)
    table = equality.normalise_columns(table, panes.by)  # panes of an earlier version may have both zeros
    columns = pane_columns(table, panes.statistics)
    if "sequence" in target.names:
        columns["sequence"] = partials.numeric_column(table["sequence"].combine_chunks(), np.maximum)
    groups = partials.group(partials.group_keys(table, keys), np.zeros(len(table), np.int64))
    columns = {name: groups.combine(column) for name, column in columns.items()}
    yield from batches(table.select(keys).take(pa.array(groups.firsts)), columns, panes, target)
