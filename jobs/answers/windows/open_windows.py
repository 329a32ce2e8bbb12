"""The windows of one kind while their panes come in order of time: each is made as soon as no more of its panes can
come, and until then its panes are held added up. So memory does not grow with the number of windows.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.answers.windows import Window
from jobs.answers.windows.window import EARLIER_KIND, KIND, Buckets
from jobs.facts import partials
from jobs.facts.panes import Panes
from jobs.facts.partials import PaneColumn

CHANGED = "changed"
"""Name of the pane column that is true where a pane was written since the last publishing."""


@dataclass(frozen=True)
class Parts:
    """Panes, or buckets of panes, of several groups."""

    keys: pa.Table
    """The group of each, and more columns: a table that has none has no rows either."""
    starts: np.ndarray
    """For each the start of its slot (see windows/window.py), in seconds since 1970 UTC."""
    columns: Mapping[str, PaneColumn]
    """By name, with one value for each."""

    def and_also(self, more: "Parts") -> "Parts":
        """These parts, then `more`, which has the same columns."""
        columns = {name: column.and_also(more.columns[name]) for name, column in self.columns.items()}
        keys = pa.concat_tables([self.keys, more.keys])
        return Parts(keys, np.concatenate([self.starts, more.starts]), columns)


@dataclass(frozen=True)
class Completed:
    """Windows of one kind: all that start in a span of time and have changed."""

    window: Window
    first: int | None
    """Start of the span in seconds since 1970 UTC; None if it has no start."""
    after: int | None
    """Its end, which is not in it; None if it has none."""
    rows: pa.Table


class OpenWindows:
    """The windows of one kind for which panes may still come."""

    def __init__(self, window: Window, panes: Panes, target: pa.Schema, complete_micros: int) -> None:
        """`complete_micros`: windows that end up to then, in microseconds since 1970, are final."""
        self._window, self._target, self._complete_micros = window, target, complete_micros
        self._by = panes.by
        self.statistics = [s for s in panes.statistics if window.uniques or not s.is_optional]
        """Those that these windows show."""
        self._open: Parts | None = None
        self._first: int | None = None
        """Start of the first window that was not given out yet; None at the beginning."""

    def __len__(self) -> int:
        """How many buckets of panes are held."""
        return len(self._open.starts) if self._open else 0

    def add(self, keys: pa.Table, seconds: np.ndarray, columns: Mapping[str, PaneColumn], is_last: bool) -> Completed:
        """Take in panes with their groups, starts and columns; returns the windows of which no pane can come any more.

        Later panes must not start before any of these. With `is_last` none comes, and all windows are complete.
        """
        new = Parts(keys, self._window.slots(seconds), columns)
        parts = self._open.and_also(new) if self._open else new
        after = None if is_last else int(self._window.first_starts(seconds.max(initial=0, keepdims=True))[0])
        numbers = partials.group_keys(parts.keys, self._by)
        groups = partials.group(numbers, parts.starts)
        rows, combined = groups.firsts, {name: groups.combine(column) for name, column in parts.columns.items()}
        buckets = Buckets(rows, numbers[rows], parts.starts[rows], combined)
        made = Completed(self._window, self._first, after, self._rows(parts.keys, self._window.spread(buckets), after))
        self._first = after
        stays = np.empty(0, np.int64)
        if after is not None:
            stays = np.flatnonzero(self._window.starts(buckets.starts) >= after)
        held = {name: column.take(stays) for name, column in combined.items()}
        self._open = Parts(parts.keys.take(pa.array(rows[stays])), buckets.starts[stays], held)
        return made

    def _rows(self, keys: pa.Table, filled: Buckets, after: int | None) -> pa.Table:
        """The published rows of the windows that have changed, and start in the span that is complete now."""
        is_due = filled.columns[CHANGED].values.copy()
        is_due &= filled.starts >= self._first if self._first is not None else True
        is_due &= filled.starts < after if after is not None else True
        places = np.flatnonzero(is_due)
        if not len(places):
            return self._target.empty_table()
        columns = {name: column.take(places) for name, column in filled.columns.items()}
        rows, starts = filled.rows[places], filled.starts[places]
        # The target has one of them.
        arrays = dict.fromkeys((KIND, EARLIER_KIND), pa.repeat(self._window.name, len(rows)))
        ends = self._window.ends(starts)
        arrays |= {"window_start": _times(starts), "window_end": _times(ends), "due_time": _times(ends)}
        arrays |= {"final": pa.array(ends * 1_000_000 <= self._complete_micros)}
        arrays |= {name: pc.take(keys[name], pa.array(rows)).combine_chunks() for name in self._by}
        for statistic in self.statistics:
            arrays |= statistic.finish(columns, len(rows))
        if not self._window.uniques:
            arrays |= {
                field.name: pa.nulls(len(rows), field.type) for field in self._target if field.name not in arrays
            }
        ordered = [arrays[field.name].cast(field.type) for field in self._target]
        return pa.Table.from_arrays(ordered, schema=self._target)


def _times(seconds: np.ndarray) -> pa.Array:
    return pa.array(seconds * 1_000_000, pa.timestamp("us", tz="UTC"))
