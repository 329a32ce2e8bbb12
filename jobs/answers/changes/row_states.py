"""What the latest row of each key is, from stored rows and changes in any order: the change that comes last in the log
of the database wins.

A change may leave a large value out that it has not changed (change_unknown). Then the value is that of the last change
before it that tells it. So a row remembers which of its values are older than its last change, and of which order: a
change that comes late may still tell one.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.answers.changes import change_order
from jobs.answers.changes.change_order import ChangeOrder
from jobs.events.changes.change_form import DELETE, NONE, SNAPSHOT, TRUNCATE
from jobs.facts import partials

_UNKNOWN = "__unknown"
"""Private column: JSON list of the columns that a candidate does not tell."""
_CHANGE = (*change_order.COLUMNS, "change_time")
"""What a row remembers of the change that has told a value."""


def newest(stored: pa.Table, changes: pa.Table, key: tuple[str, ...], order: ChangeOrder) -> pa.Table:
    """The newest state of each key, in the columns of `stored`: those of Latest.columns; change_op says whether it is
    deleted. A deleted key is stored with null for its values. `changes`: in these columns, with change_unknown in place
    of change_carried; in order of offset.
    """
    candidates = pa.concat_tables([*_of_stored(stored), _of_changes(changes, stored.schema)])
    if not len(candidates):
        return stored
    commit, lsn = order.places(candidates)
    codes = partials.group_keys(candidates, key)
    in_order = np.lexsort((np.arange(len(codes)), lsn, commit, codes))
    candidates, codes = candidates.take(pa.array(in_order)), codes[in_order]
    begins = np.append(True, codes[1:] != codes[:-1])
    first = np.maximum.accumulate(np.where(begins, np.arange(len(codes)), 0))
    last = np.flatnonzero(np.append(codes[1:] != codes[:-1], True))
    found = candidates.take(pa.array(last))
    carried: list[dict[str, Any]] = [{} for _ in last]
    for name, is_known in _known_columns(candidates).items():
        known_at = np.maximum.accumulate(np.where(is_known, np.arange(len(codes)), -1))[last]
        known_at = np.where(known_at < first[last], -1, known_at)
        column = candidates[name].take(pa.array(known_at, mask=known_at < 0))
        found = found.set_column(found.schema.get_field_index(name), name, column)
        places = np.flatnonzero(~is_known[last])
        for place, order_there in zip(places, _orders_at(candidates, known_at[places]), strict=True):
            carried[place][name] = order_there
    texts = pa.array([json.dumps(one) if one else None for one in carried], pa.string())
    return found.drop_columns([_UNKNOWN]).append_column("change_carried", texts).select(stored.column_names)


def _orders_at(candidates: pa.Table, places: np.ndarray) -> list[list[int | None] | None]:
    """The order of the change at each of these places; None at -1."""
    found = candidates.select([*_CHANGE, "change_op"]).take(pa.array(places, mask=places < 0))
    rows = zip(
        *(found[name].cast(pa.int64()).to_pylist() for name in _CHANGE), found["change_op"].to_pylist(), strict=True
    )
    return [
        None if op is None else [commit, None if op == SNAPSHOT else lsn, micros] for commit, lsn, micros, op in rows
    ]


def _of_changes(changes: pa.Table, target: pa.Schema) -> pa.Table:
    names = [name for name in target.names if name != "change_carried"]
    rows = changes.select(names).cast(pa.schema([target.field(name) for name in names]))
    return rows.append_column(_UNKNOWN, changes["change_unknown"].cast(pa.string()))


def _of_stored(stored: pa.Table) -> Iterable[pa.Table]:
    """The stored rows, without what they carry; and for each value that one carries, the change that has told it."""
    texts = stored["change_carried"].to_pylist()
    rows = stored.drop_columns(["change_carried"])
    places = [place for place, text in enumerate(texts) if text]
    carried = [json.loads(texts[place]) for place in places]
    unknown: list[str | None] = [None] * len(rows)
    for place, one in zip(places, carried, strict=True):
        unknown[place] = json.dumps(list(one))
    yield rows.append_column(_UNKNOWN, pa.array(unknown, pa.string()))
    names = sorted({name for one in carried for name in one})
    for name in names:
        found = [(place, one[name]) for place, one in zip(places, carried, strict=True) if one.get(name)]
        if found:
            yield _value_candidates(rows, name, names, [place for place, _ in found], [order for _, order in found])


def _value_candidates(
    rows: pa.Table, name: str, names: list[str], places: list[int], orders: list[list[int | None]]
) -> pa.Table:
    """Candidates that tell the value of one column alone, at these orders."""
    part = rows.take(pa.array(places, pa.int64()))
    for each, numbers in zip(_CHANGE, zip(*orders, strict=True), strict=True):
        column = part.schema.field(each)
        part = part.set_column(part.schema.names.index(each), column, pa.array(numbers, pa.int64()).cast(column.type))
    others = json.dumps([other for other in names if other != name])
    return part.append_column(_UNKNOWN, pa.array([others] * len(part), pa.string()))


def _known_columns(candidates: pa.Table) -> Mapping[str, np.ndarray]:
    """For each column that some candidate does not tell, which ones tell it."""
    encoded = candidates[_UNKNOWN].combine_chunks().dictionary_encode()
    indices = pc.fill_null(encoded.indices, -1).to_numpy()
    known: dict[str, np.ndarray] = {}
    for index, text in enumerate(encoded.dictionary.to_pylist()):
        for name in json.loads(text):
            if name in candidates.column_names:
                known.setdefault(name, np.ones(len(candidates), bool))[indices == index] = False
    return known


def of_rows(changes: pa.Table) -> pa.Table:
    """Those of the changes that are of one row. One that has changed the key is a deletion of the key before, and then
    itself.
    """
    rows = changes.filter(pc.invert(pc.is_in(changes["change_op"], pa.array([TRUNCATE, NONE]))))
    moved = np.flatnonzero(rows["change_old"].is_valid().to_numpy())
    if not len(moved):
        return rows
    deletions = rows.take(pa.array(moved))
    before = [json.loads(text) for text in deletions["change_old"].to_pylist()]
    for name in before[0]:
        deletions = _with_column(deletions, name, [key.get(name) for key in before])
    for name, value in (("change_op", DELETE), ("change_unknown", None), ("change_old", None)):
        deletions = _with_column(deletions, name, [value] * len(moved))
    in_order = np.argsort(np.concatenate([2 * moved, 2 * np.arange(len(rows)) + 1]))
    return pa.concat_tables([deletions, rows]).take(pa.array(in_order))


def _with_column(rows: pa.Table, name: str, values: list[Any]) -> pa.Table:
    """The rows with these values, as JSON has them, in a column. One that the column cannot have is null, and a key
    with a null is that of no row.
    """
    place = rows.schema.get_field_index(name)
    column = rows.schema.field(place)
    kind = pa.timestamp("us") if pa.types.is_timestamp(column.type) else column.type
    known: dict[Any, Any] = {}
    for value in dict.fromkeys(values):
        try:
            known[value] = pa.scalar(value).cast(kind).as_py()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            known[value] = None
    return rows.set_column(place, column, pa.array([known[value] for value in values], kind).cast(column.type))


def with_columns(rows: pa.Table, columns: pa.Schema) -> pa.Table:
    """The rows in these columns; one that they do not have is null."""
    for name in columns.names:
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.nulls(len(rows), columns.field(name).type))
    return rows.select(columns.names).cast(columns)


def is_deleted(states: pa.Table) -> pa.Array:
    """Which of these states are of a deleted key."""
    return pc.equal(states["change_op"], DELETE)
