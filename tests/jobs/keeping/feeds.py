"""The feed of an answer, and the topic to which it is delivered: what a reader makes of them."""

from collections import Counter
from typing import Any

from jobs.log.archive import snapshot
from tests.jobs.keeping.world import World

PLACE = ("record_partition", "record_offset")


def apply(feed: list[dict[str, Any]], names: tuple[str, ...] = PLACE) -> dict[Any, dict[str, Any]]:
    """The rows that a feed leaves, by key, with their revisions."""
    rows: dict[Any, dict[str, Any]] = {}
    for row in sorted(feed, key=lambda one: int(one["sequence"])):
        key = tuple(row[name] for name in names)
        if row["change"] == "withdrawn":
            del rows[key]
        else:
            assert (key in rows) == (row["change"] == "revised")
            rows[key] = {name: value for name, value in row.items() if name not in ("change", "sequence")}
    return rows


def records(world: World, topic: str) -> list[dict[str, Any]]:
    """The records of a topic in the archive, partition by partition."""
    found = []
    for extent in snapshot.extents(world.places.archive, topic):
        found += snapshot.records(world.places.archive, topic, extent.partition, 0, 1_000_000).to_pylist()
    return found


def header(record: dict[str, Any], name: str) -> str:
    [value] = [pair["value"] for pair in record["headers"] if pair["key"] == name]
    return bytes(value).decode()


def check_feed(world: World, suffix: str = "", names: tuple[str, ...] = PLACE) -> list[dict[str, Any]]:
    """The feed's rows, which lead to the table."""
    feed = world.rows(f"{suffix}_feed")
    assert max(Counter((row["sequence"], *(row[name] for name in names)) for row in feed).values()) == 1
    table = {tuple(row[name] for name in names): row for row in world.rows(suffix)}
    assert apply(feed, names) == table
    published = {row["sequence"] for row in world.rows("_ledger") if row["kind"] == "publish"}
    assert {row["sequence"] for row in feed} <= published
    return feed
