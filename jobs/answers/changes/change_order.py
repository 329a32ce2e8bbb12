"""The order of changes in the log of a database: transactions by their commits, and changes within one by their LSN.

A change knows the commit before its transaction, but the first one after a snapshot: to its capture tool nothing was
committed yet. Such a transaction may have begun, and written, before the snapshot, and not be in it. So it comes right
after the snapshot: of several, after the last one that began before its commit, by the clock of the database.

A snapshot comes before all changes of its place, and clears the table of rows that it does not show.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.events.changes.change_form import SNAPSHOT, TRUNCATE

COLUMNS = ("change_commit", "change_lsn")
"""Columns that give changes their order."""
NULLABLE = COLUMNS[0]
"""That of them which may be null: where nothing says which commit came before a change."""
NOTHING = (-1, -1)
"""Before all changes."""
CLEARED = TRUNCATE
"""change_op of a mark that says from where on rows count."""
MARKS = ("change_op", "change_time", "change_source", *COLUMNS)
"""Columns of marks: the snapshots that there were, and where the table was cleared."""

Place = tuple[int, int]


@dataclass(frozen=True)
class ChangeOrder:
    """What is known of the log of each database."""

    marks: pa.Table
    """In the columns MARKS, each once."""
    _snapshots: Mapping[str | None, tuple[np.ndarray, np.ndarray]] = field(init=False)
    """By source: when snapshots were taken, microseconds since 1970, and their change_commit; in order of time."""
    floors: Mapping[str | None, Place] = field(init=False)
    """By source: rows whose last change is before this place are no more."""

    def __post_init__(self) -> None:
        found = defaultdict[str | None, list[Place]](list)
        is_snapshot = pc.equal(self.marks["change_op"], SNAPSHOT)
        taken = self.marks.filter(is_snapshot)
        micros = taken["change_time"].cast(pa.int64()).to_pylist()
        for source, *place in zip(
            taken["change_source"].to_pylist(), micros, taken[COLUMNS[0]].to_pylist(), strict=True
        ):
            found[source].append((place[0], place[1]))
        arrays = {source: tuple(np.array(sorted(places)).T) for source, places in found.items()}
        object.__setattr__(self, "_snapshots", arrays)
        clears = self.marks.filter(pc.invert(is_snapshot))
        floors: dict[str | None, Place] = {}
        for source, *numbers in zip(clears["change_source"].to_pylist(), *self.places(clears), strict=True):
            floors[source] = max(floors.get(source, NOTHING), (int(numbers[0]), int(numbers[1])))
        object.__setattr__(self, "floors", floors)

    def after(self, changes: pa.Table) -> "ChangeOrder":
        """What is known once these changes have come, too."""
        is_snapshot = pc.equal(changes["change_op"], SNAPSHOT)
        snapshots = changes.filter(is_snapshot).select(MARKS)
        clears = changes.filter(changes["change_clears"])
        lsn = pc.if_else(pc.equal(clears["change_op"], SNAPSHOT), None, clears["change_lsn"])
        clears = clears.set_column(clears.schema.get_field_index("change_lsn"), "change_lsn", lsn)
        op = pa.repeat(pa.scalar(CLEARED, pa.string()), len(clears))
        clears = clears.set_column(clears.schema.get_field_index("change_op"), "change_op", op).select(MARKS)
        marks = pa.concat_tables([part.cast(self.marks.schema) for part in (self.marks, snapshots, clears)])
        names = [name for name in MARKS if name != "change_time"]
        once = marks.group_by(names, use_threads=False).aggregate([("change_time", "min")])
        return ChangeOrder(once.rename_columns({"change_time_min": "change_time"}).select(MARKS))

    def places(self, rows: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Two numbers for each row, by which changes are in order."""
        commit, lsn = (pc.fill_null(rows[name], -1).to_numpy().copy() for name in COLUMNS)
        lsn[pc.equal(rows["change_op"], SNAPSHOT).to_numpy(zero_copy_only=False)] = -1
        first = np.flatnonzero(rows[COLUMNS[0]].is_null().to_numpy())
        if len(first):
            unknown = rows.take(pa.array(first))
            micros = unknown["change_time"].cast(pa.int64()).to_numpy()
            after = np.full(len(first), -1)
            for source, (times, commits) in self._snapshots.items():
                at = np.searchsorted(times, micros, side="right") - 1
                after = np.where(_is_of(unknown, source) & (at >= 0), commits[at], after)
            commit[first] = np.maximum(after, lsn[first])
        return commit, lsn

    def is_cleared(self, rows: pa.Table) -> np.ndarray:
        """Which of these rows were changed last before their table was cleared."""
        commit, lsn = self.places(rows)
        cleared = np.zeros(len(rows), bool)
        for source, (first, second) in self.floors.items():
            cleared |= _is_of(rows, source) & ((commit < first) | ((commit == first) & (lsn < second)))
        return cleared


def _is_of(rows: pa.Table, source: str | None) -> np.ndarray:
    is_of = pc.is_null(rows["change_source"]) if source is None else pc.equal(rows["change_source"], source)
    found: np.ndarray = pc.fill_null(is_of, False).to_numpy()
    return found
