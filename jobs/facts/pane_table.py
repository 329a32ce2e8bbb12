"""The table of partial panes: into columns in memory and back, and with the parts of each pane combined."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa

from jobs.events import equality
from jobs.facts import partials
from jobs.facts.panes import Panes
from jobs.facts.partials import Part
from jobs.facts.statistics.statistic import Statistic


def parts_of(table: pa.Table, statistics: Iterable[Statistic]) -> dict[str, Part]:
    """The columns of these statistics, by name."""
    return {name: part for statistic in statistics for name, part in statistic.of_panes(table).items()}


def batches(keys: pa.Table, parts: Mapping[str, Part], panes: Panes, target: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Batches in the columns of `target`; `keys` has a row for each partial pane."""
    columns = {name: keys[name] for name in keys.column_names}
    for statistic in panes.statistics:
        columns |= statistic.to_panes(parts, target)
    if "sequence" in target.names:
        columns["sequence"] = partials.arrow(parts["sequence"])
    arrays = [columns[field.name].cast(field.type) for field in target]
    yield from pa.Table.from_arrays(arrays, schema=target).to_batches(10_000)


def combine(table: pa.Table, panes: Panes, target: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Each pane and group once, in the columns of `target`; `sequence` is the greatest of its parts."""
    keys = ("pane_start", *panes.by)
    table = equality.normalise_columns(table, panes.by)  # those of an earlier version may have both zeros
    parts = parts_of(table, panes.statistics)
    if "sequence" in target.names:
        parts["sequence"] = partials.part(table["sequence"].combine_chunks(), np.maximum)
    groups = partials.group(partials.codes(table, keys), np.zeros(len(table), np.int64))
    parts = {name: groups.combined(part) for name, part in parts.items()}
    yield from batches(table.select(keys).take(pa.array(groups.firsts)), parts, panes, target)
