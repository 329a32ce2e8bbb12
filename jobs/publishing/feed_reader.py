"""Reads the changes of an answer from its feed, also across a switch of the name that the reader uses.

The ledger rows of two results have nothing to do with each other, so a reader goes on only in the feed in which it has
read. After a switch, or when the feed no longer has what follows, it gets the whole table once more.
"""

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

    Raises Refused if there is no such table, or if its result keeps no feed.
    """
    ((table, found),) = pointers.open_tables(places, [name]).values()
    if found is None:
        raise Refused(f"there is no table {name} in {places.tables}: run the job that keeps it.")
    feed_name = table_names.part(table, FEED)
    last = _last_row(places, table)
    if feed_name not in last["tables"]:
        raise Refused(f"{table} has no feed: its job file needs deliver=(...), such as deliver=(Topic(...),).")
    feed = DeltaTable(places.table(feed_name), version=last["tables"][feed_name]["version"])
    until, feed_id = last["published_sequence"], str(feed.metadata().id)
    position = FeedPosition(table, feed_id, until)
    if after is not None and (after.table, after.feed_id) == (table, feed_id) and _goes_on(feed, after.sequence):
        where = f"sequence > {int(after.sequence)} and sequence <= {until}"
        rows = table_queries.query(feed, f"select * from it where {where} order by sequence")
        return FeedChanges(rows, False, position)
    whole = table_queries.read(places.table(table), last["tables"][table]["version"])
    whole = whole.append_column(CHANGE, pa.repeat(event_difference.NEW, len(whole)))
    return FeedChanges(whole.append_column("sequence", pa.repeat(until, len(whole))), True, position)


def _goes_on(feed: DeltaTable, sequence: int) -> bool:
    """Whether the feed has all that came after this ledger row. It begins with all rows of the table, so one without
    rows up to there has lost them by age, and perhaps later ones.
    """
    return bool(len(table_queries.query(feed, f"select sequence from it where sequence <= {int(sequence)} limit 1")))


def _last_row(places: Places, table: str) -> dict[str, Any]:
    """What the ledger of the result that has this table says last."""
    parts = table.split("_")
    for count in range(len(parts), 0, -1):
        ledger = table_names.table("_".join(parts[:count]), "ledger")
        if delta_tables.find(places.table(ledger)) is not None:
            sql = f'select tables, published_sequence from "{ledger}" order by sequence desc limit 1'
            rows = query(places, sql, ledger).to_pylist(maps_as_pydicts="strict")
            if rows and table in rows[0]["tables"]:
                return dict(rows[0])
    raise Refused(f"no ledger in {places.tables} has the table {table}: it is no table of a result.")
