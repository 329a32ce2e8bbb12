"""Reads the changes of an answer from its feed, also across a switch of the name that the reader uses.

The ledger rows of two results have nothing to do with each other, so a reader goes on only in the feed in which it has
read. After a switch, or when the feed no longer has what follows, it gets the whole table once more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from jobs.answers import table_names
from jobs.answers.delivery import CHANGE, FEED
from jobs.lake import delta_tables, pointers, table_queries
from jobs.publishing import event_difference
from jobs.publishing.results import query
from jobs.running.errors import Refused
from jobs.running.places import Places


@dataclass(frozen=True)
class FeedPosition:
    """How far a reader has read: keep it together with what you made of the changes."""

    table: str
    """The table of the answer, under its own name."""
    feed_id: str
    """Delta's id of the feed: a result that was built anew has another one."""
    sequence: int
    """The ledger row up to which its changes are read."""


@dataclass(frozen=True)
class FeedChanges:
    """What a reader gets."""

    rows: pa.Table
    """Columns of the answer, `change` and `sequence`, in order of `sequence`."""
    is_whole: bool
    """Whether `rows` are all rows of the table, each new: what the reader has of earlier reads goes."""
    position: FeedPosition
    """After these rows."""


def read_changes(places: Places, name: str, after: FeedPosition | None = None) -> FeedChanges:
    """What was published in the table `name` since `after`: its own name, or one that `headrace promote` has pointed
    to a result. Without a position, or if the feed does not go on from there: all rows. Runs without Java.

    Rows with a decision can be read in this way from every result that has them. Raises Refused if there is no such
    table, or if its result keeps no feed.
    """
    ((table, found),) = pointers.open_tables(places, [name]).values()
    if found is None:
        raise Refused(f"there is no table {name} in {places.tables}: run the job that keeps it.")
    last = _last_row(places, table)
    is_decided = _has_decided_rows(last, table)
    feed_name = table if is_decided else table_names.part(table, FEED)
    if feed_name not in last["tables"]:
        raise Refused(f"{table} has no feed: its job file needs deliver=(...), such as deliver=(Topic(...),).")
    feed = DeltaTable(places.table(feed_name), version=last["tables"][feed_name]["version"])
    until, feed_id = last["sequence" if is_decided else "published_sequence"], str(feed.metadata().id)
    position = FeedPosition(table, feed_id, until)
    is_same = after is not None and (after.table, after.feed_id) == (table, feed_id)
    if after is not None and is_same and (is_decided or _goes_on(feed, after.sequence)):
        where = f"sequence > {int(after.sequence)} and sequence <= {until}"
        rows = table_queries.query(feed, f"select * from it where {where} order by sequence")
        return FeedChanges(_all_new(rows) if is_decided else rows, False, position)
    if is_decided:
        return FeedChanges(_all_new(table_queries.query(feed, "select * from it order by sequence")), True, position)
    whole = _all_new(table_queries.read(places.table(table), last["tables"][table]["version"]))
    return FeedChanges(whole.append_column("sequence", pa.repeat(until, len(whole))), True, position)


def _all_new(rows: pa.Table) -> pa.Table:
    return rows.append_column(CHANGE, pa.repeat(event_difference.NEW, len(rows)))


def _has_decided_rows(last: Mapping[str, Any], table: str) -> bool:
    """Whether the table has a row for each record, with a decision: such rows are only added, so it is its own feed."""
    definition = last["definition"]
    is_published = "answers" in definition or definition.get("panes", "None") != "None"
    return not is_published and table == last["result"]


def _goes_on(feed: DeltaTable, sequence: int) -> bool:
    """Whether the feed has all that came after this ledger row. It begins with all rows of the table, so one without
    rows up to there has lost them by age, and perhaps later ones.
    """
    return bool(len(table_queries.query(feed, f"select sequence from it where sequence <= {int(sequence)} limit 1")))


def _last_row(places: Places, table: str) -> dict[str, Any]:
    """What the ledger of the result that has this table says last."""
    parts = table.split("_")
    for count in range(len(parts), 0, -1):
        result = "_".join(parts[:count])
        ledger = table_names.table(result, "ledger")
        if delta_tables.find(places.table(ledger)) is not None:
            columns = "tables, sequence, published_sequence, definition"
            sql = f'select {columns} from "{ledger}" order by sequence desc limit 1'
            rows: list[dict[str, Any]] = query(places, sql, ledger).to_pylist(maps_as_pydicts="strict")
            if rows and table in rows[0]["tables"]:
                return rows[0] | {"result": result}
    raise Refused(f"no ledger in {places.tables} has the table {table}: it is no table of a result.")
