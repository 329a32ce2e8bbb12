"""Which versions the rows of a table had, from stored versions and deletions and from changes in any order.

Each change is a version, valid until the next one of its key begins. A deletion, and what clears the table, ends all
versions that were recorded before it, and those that were to begin later. A version that another one of the same
instant supersedes stays as a row whose interval is empty: a change that comes late may still give it an interval.
"""

import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.answers.changes import row_states
from jobs.answers.changes.change_order import CLEARED, ChangeOrder
from jobs.answers.versions import VALID_FROM, VALID_TO
from jobs.events.changes.change_form import DELETE
from jobs.facts import partials

NEVER = np.iinfo(np.int64).max
"""Instant after all others, in microseconds since 1970."""
_UNKNOWN = "__unknown"
"""Private column: JSON list of the columns that a change does not tell."""
_TIME = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class Timeline:
    """All that is known of some keys."""

    versions: pa.Table
    """In the columns of Versions.columns."""
    deletions: pa.Table
    """In the columns of Versions.deleted_columns."""


def timeline(
    stored: Timeline, changes: pa.Table, key: tuple[str, ...], valid_from: str | None, order: ChangeOrder
) -> Timeline:
    """What is known of the keys of `stored` after these changes. `stored` has all versions and deletions of the keys of
    the changes. `changes`: of single rows, with change_unknown; in any order, and some may have come before.
    """
    rows = _once(pa.concat_tables([*_of_stored(stored), _of_changes(changes, stored.versions.schema)]), key)
    if not len(rows):
        return stored
    commit, lsn = order.places(rows)
    codes = partials.group_keys(rows, key)
    in_order = np.lexsort((lsn, commit, codes))
    rows, commit, lsn = rows.take(pa.array(in_order)), commit[in_order], lsn[in_order]
    codes = np.cumsum(np.append(0, np.diff(codes[in_order]) != 0))
    rows = _with_carried_values(rows, codes)
    is_deletion = pc.equal(rows["change_op"], DELETE).to_numpy(zero_copy_only=False)
    begins = _begins(rows, codes, is_deletion, valid_from)
    ends = np.minimum(_next_begins(codes, begins, is_deletion), _ended_by_deletion(codes, begins, is_deletion))
    ends = np.minimum(ends, _ended_by_clearing(rows, order, begins, (commit, lsn)))
    rows = _with_interval(rows, begins, np.maximum(begins, ends))
    versions = rows.filter(pa.array(~is_deletion)).select(stored.versions.column_names)
    deletions = rows.filter(pa.array(is_deletion)).select(stored.deletions.column_names)
    _check_no_overlap(versions, key)
    return Timeline(versions.cast(stored.versions.schema), deletions.cast(stored.deletions.schema))


def _of_stored(stored: Timeline) -> list[pa.Table]:
    versions, columns = stored.versions, stored.versions.schema
    carried = versions["change_carried"].to_pylist()
    unknown = pa.array([json.dumps(list(json.loads(text))) if text else None for text in carried], pa.string())
    nothing = pa.nulls(len(stored.deletions), pa.string())
    return [
        versions.append_column(_UNKNOWN, unknown),
        row_states.with_columns(stored.deletions, columns).append_column(_UNKNOWN, nothing),
    ]


def _of_changes(changes: pa.Table, target: pa.Schema) -> pa.Table:
    unknown = changes["change_unknown"].cast(pa.string())
    return row_states.with_columns(changes, target).append_column(_UNKNOWN, unknown)


def _once(rows: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """Each change once. One that came without the commit before it, and again with it, is the second."""
    is_known = rows["change_commit"].is_valid().to_numpy()
    place = (*key, "change_lsn", "change_op")
    codes = partials.group_keys(rows, place)
    rows = rows.filter(pa.array(is_known | ~np.isin(codes, codes[is_known])))
    codes = partials.group_keys(rows, (*place, "change_commit"))
    return rows.take(pa.array(np.sort(np.unique(codes, return_index=True)[1])))


def _with_carried_values(rows: pa.Table, codes: np.ndarray) -> pa.Table:
    """The rows, in order by key, in which a value that a change does not tell is the last one before that is known."""
    unknown = {place: json.loads(text) for place, text in enumerate(rows[_UNKNOWN].to_pylist()) if text}
    carried: dict[int, dict[str, list[int | None] | None]] = {place: {} for place in unknown}
    begins = np.append(True, codes[1:] != codes[:-1])
    first = np.maximum.accumulate(np.where(begins, np.arange(len(codes)), 0))
    for name in sorted({name for names in unknown.values() for name in names} & set(rows.column_names)):
        is_known = np.ones(len(codes), bool)
        is_known[[place for place, names in unknown.items() if name in names]] = False
        known_at = np.maximum.accumulate(np.where(is_known, np.arange(len(codes)), -1))
        known_at = np.where(known_at < first, -1, known_at)
        column = rows[name].take(pa.array(known_at, mask=known_at < 0))
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
        places = np.flatnonzero(~is_known)
        for place, known in zip(places.tolist(), _orders_at(rows, known_at[places]), strict=True):
            carried[place][name] = known
    texts = [json.dumps(carried[place]) if carried.get(place) else None for place in range(len(rows))]
    at = rows.schema.get_field_index("change_carried")
    return rows.drop_columns([_UNKNOWN]).set_column(at, "change_carried", pa.array(texts, pa.string()))


def _orders_at(rows: pa.Table, places: np.ndarray) -> list[list[int | None] | None]:
    """The order of the change at each of these places; None at -1."""
    found = rows.select(["change_commit", "change_lsn"]).take(pa.array(places, mask=places < 0))
    pairs = zip(found["change_commit"].to_pylist(), found["change_lsn"].to_pylist(), places.tolist(), strict=True)
    return [None if place < 0 else [commit, lsn] for commit, lsn, place in pairs]


def _begins(rows: pa.Table, codes: np.ndarray, is_deletion: np.ndarray, valid_from: str | None) -> np.ndarray:
    """When each version begins, and each deletion ends others; in microseconds since 1970. Rows are in order by key."""
    changed = rows["change_time"].cast(pa.int64()).to_numpy()
    if valid_from is not None:
        own = pc.fill_null(rows[valid_from].cast(_TIME).cast(pa.int64()), NEVER).to_numpy()
        found: np.ndarray = np.where(is_deletion | (own == NEVER), changed, own)
        return found
    # A clock of a database may go back between two transactions; the order of its log does not.
    return _running_maximum(changed, codes)


def _running_maximum(numbers: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """For each place the greatest number of its group up to there. Groups are numbered from 0, in order."""
    different, ranks = np.unique(numbers, return_inverse=True)
    span = len(numbers) + 1
    greatest = np.maximum.accumulate(codes * span + ranks) % span
    found: np.ndarray = different[greatest]
    return found


def _next_begins(codes: np.ndarray, begins: np.ndarray, is_deletion: np.ndarray) -> np.ndarray:
    """When the version after each one begins, in the order of their intervals; NEVER if none does."""
    ends = np.full(len(codes), NEVER)
    versions = np.flatnonzero(~is_deletion)
    # Of the same instant the one that was recorded last is the last one: places are in that order.
    by_time = versions[np.lexsort((versions, begins[versions], codes[versions]))]
    same = codes[by_time[1:]] == codes[by_time[:-1]]
    ends[by_time[:-1][same]] = begins[by_time[1:][same]]
    return ends


def _ended_by_deletion(codes: np.ndarray, begins: np.ndarray, is_deletion: np.ndarray) -> np.ndarray:
    """When the first of the deletions that were recorded after each version ends it; NEVER if none does."""
    times = np.where(is_deletion, begins, NEVER)
    # The least of all later ones of the key, from behind: the greatest of the negative ones.
    least: np.ndarray = -_running_maximum(-times[::-1], codes.max() - codes[::-1])[::-1]
    return least


def _ended_by_clearing(
    rows: pa.Table, order: ChangeOrder, begins: np.ndarray, places: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """When the first snapshot or TRUNCATE that came after each version ends it; NEVER if none does."""
    ends = np.full(len(rows), NEVER)
    clears = order.marks.filter(pc.equal(order.marks["change_op"], CLEARED))
    for source, micros, first, second in zip(
        clears["change_source"].to_pylist(),
        clears["change_time"].cast(pa.int64()).to_pylist(),
        *order.places(clears),
        strict=True,
    ):
        same = pc.is_null(rows["change_source"]) if source is None else pc.equal(rows["change_source"], source)
        is_before = (places[0] < first) | ((places[0] == first) & (places[1] < second))
        is_before &= pc.fill_null(same, False).to_numpy()
        ends = np.where(is_before, np.minimum(ends, micros), ends)
    return ends


def _with_interval(rows: pa.Table, begins: np.ndarray, ends: np.ndarray) -> pa.Table:
    for name, micros in ((VALID_FROM, begins), (VALID_TO, ends)):
        times = pa.array(micros, pa.int64(), mask=micros == NEVER).cast(_TIME)
        rows = rows.set_column(rows.schema.get_field_index(name), name, times)
    return rows


def _check_no_overlap(versions: pa.Table, key: tuple[str, ...]) -> None:
    """Raises RuntimeError if two intervals of a key overlap: then the rows would be wrong."""
    begins = versions[VALID_FROM].cast(pa.int64()).to_numpy()
    ends = pc.fill_null(versions[VALID_TO].cast(pa.int64()), NEVER).to_numpy()
    codes = partials.group_keys(versions, key)
    valid = np.flatnonzero(ends > begins)
    valid = valid[np.lexsort((begins[valid], codes[valid]))]
    if np.any((codes[valid][1:] == codes[valid][:-1]) & (ends[valid][:-1] > begins[valid][1:])):
        raise RuntimeError("two versions of a row are valid at the same time")
