"""Large values that a change of the primary key has left alone: the row of the new key has those of the old one.

PostgreSQL does not tell a large value that an update has not changed. Of an update of the primary key, Debezium makes a
deletion of the old key and an insertion of the new one, at one place of the database's log; so the insertion of a whole
row may lack values. What the row of the old key was is known if its changes up to there have come. Publishes of whole
transactions know it, and only they: else the values would depend on how the log was cut into batches.
"""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.answers.changes.change_order import ChangeOrder
from jobs.events.changes.change_form import DELETE, INSERT, TRANSACTION
from jobs.facts import partials


def with_moved_values(changes: pa.Table, stored: pa.Table, key: tuple[str, ...], order: ChangeOrder) -> pa.Table:
    """The changes, in which an insertion that lacks values has those of the row whose key was changed.

    `changes`: of single rows, whole transactions, with change_unknown; `stored`: rows of their keys that are not
    deleted, with change_carried: one of each key, or all versions.
    """
    if TRANSACTION.name not in changes.column_names:
        return changes
    is_insert = pc.equal(changes["change_op"], INSERT)
    moved = np.flatnonzero(pc.and_(is_insert, changes["change_unknown"].is_valid()).to_numpy())
    return _Moves(changes, stored, key, order).fill(moved) if len(moved) else changes


class _Moves:
    """The changes, and behind them the stored rows."""

    def __init__(self, changes: pa.Table, stored: pa.Table, key: tuple[str, ...], order: ChangeOrder) -> None:
        self._changes, self._stored = changes, stored
        self._codes = partials.group_keys(pa.concat_tables([changes.select(key), stored.select(key)]), key)
        pairs = (order.places(changes), order.places(stored))
        self._commit, self._lsn = (np.concatenate(numbers) for numbers in zip(*pairs, strict=True))
        self._is_deletion = np.zeros(len(self._codes), bool)
        self._is_deletion[: len(changes)] = pc.equal(changes["change_op"], DELETE).to_numpy()
        self._unknown = [set(json.loads(text)) if text else set() for text in changes["change_unknown"].to_pylist()]
        carried = (json.loads(text) if text else {} for text in stored["change_carried"].to_pylist())
        self._unknown += [{name for name, known in one.items() if known is None} for one in carried]

    def fill(self, moved: np.ndarray) -> pa.Table:
        """The changes, with the values of these insertions."""
        sources = self._changes["change_source"].to_pylist()
        deletions = {(sources[at], *self._place(at)): at for at in np.flatnonzero(self._is_deletion).tolist()}
        told_by: dict[str, dict[int, int]] = {}
        for at in sorted(moved.tolist(), key=self._place):
            deletion = deletions.get((sources[at], *self._place(at)))
            earlier = (
                self._known_before(at) if deletion is None else self._known_before(at) + self._rows_before(deletion)
            )
            for name in sorted(self._unknown[at] & set(self._changes.column_names)):
                teller = next((row for row in earlier if name not in self._unknown[row]), None)
                if teller is not None:
                    of_column = told_by.setdefault(name, {})
                    of_column[at] = of_column.get(teller, teller)
                    self._unknown[at].remove(name)
        return self._with_unknown(self._with_values(told_by), moved)

    def _place(self, at: int) -> tuple[int, int]:
        return int(self._commit[at]), int(self._lsn[at])

    def _known_before(self, at: int) -> list[int]:
        """The stored row of this very change, if it has come before: a capture tool that was killed sends it again."""
        same = self._codes[len(self._changes) :] == self._codes[at]
        places = (np.flatnonzero(same) + len(self._changes)).tolist()
        return [place for place in places if self._place(place) == self._place(at)]

    def _rows_before(self, deletion: int) -> list[int]:
        """The changes and stored rows of its key before it, up to the deletion before that; the last one first."""
        of_key = np.flatnonzero(self._codes == self._codes[deletion]).tolist()
        earlier = [at for at in of_key if self._place(at) < self._place(deletion)]
        earlier.sort(key=self._place, reverse=True)
        ends = next((place for place, at in enumerate(earlier) if self._is_deletion[at]), len(earlier))
        return earlier[:ends]

    def _with_values(self, told_by: dict[str, dict[int, int]]) -> pa.Table:
        filled = self._changes
        for name, tellers in told_by.items():
            places = np.arange(len(filled))
            places[list(tellers)] = list(tellers.values())
            stored = self._stored[name].cast(filled[name].type)
            both = pa.chunked_array([*filled[name].chunks, *stored.chunks], filled[name].type)
            filled = filled.set_column(filled.schema.get_field_index(name), name, both.take(pa.array(places)))
        return filled

    def _with_unknown(self, changes: pa.Table, moved: np.ndarray) -> pa.Table:
        texts = changes["change_unknown"].to_pylist()
        for at in moved.tolist():
            texts[at] = json.dumps(sorted(self._unknown[at])) if self._unknown[at] else None
        column = pa.array(texts, pa.string()).cast(changes["change_unknown"].type)
        return changes.set_column(changes.schema.get_field_index("change_unknown"), "change_unknown", column)
