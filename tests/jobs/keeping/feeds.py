"""The feed of an answer, and the topic to which it is delivered: what a reader makes of them."""

import base64
import json
from collections import Counter
from datetime import datetime
from typing import Any, Protocol

from jobs.log.archive import snapshot
from jobs.running.places import Places

PLACE = ("record_partition", "record_offset")


class Tables(Protocol):
    """The tables of a result that is kept."""

    def rows(self, suffix: str = "") -> list[dict[str, Any]]: ...


class Log(Protocol):
    """An archive that is filled."""

    places: Places


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


def records(world: Log, topic: str) -> list[dict[str, Any]]:
    """The records of a topic in the archive, partition by partition."""
    found = []
    for extent in snapshot.extents(world.places.archive, topic):
        found += snapshot.records(world.places.archive, topic, extent.partition, 0, 1_000_000).to_pylist()
    return found


def header(record: dict[str, Any], name: str) -> str:
    [value] = [pair["value"] for pair in record["headers"] if pair["key"] == name]
    return bytes(value).decode()


def check_feed(world: Tables, suffix: str = "", names: tuple[str, ...] = PLACE) -> list[dict[str, Any]]:
    """The feed's rows, which lead to the table."""
    feed = world.rows(f"{suffix}_feed")
    assert max(Counter((row["sequence"], *(row[name] for name in names)) for row in feed).values()) == 1
    table = {tuple(row[name] for name in names): row for row in world.rows(suffix)}
    assert apply(feed, names) == table
    published = {row["sequence"] for row in world.rows("_ledger") if row["kind"] == "publish"}
    assert {row["sequence"] for row in feed} <= published
    return feed


def sent(found: list[dict[str, Any]], names: tuple[str, ...]) -> Counter[tuple[Any, ...]]:
    """How often a topic has each change: sequence, what it was, key of the row."""
    keys = [tuple(json.loads(one["key"])[name] for name in names) for one in found]
    return Counter(
        (int(header(one, "sequence")), header(one, "change"), *key) for one, key in zip(found, keys, strict=True)
    )


def due(feed: list[dict[str, Any]], names: tuple[str, ...]) -> Counter[tuple[Any, ...]]:
    """The same of the feed that the topic must have."""
    return Counter((row["sequence"], row["change"], *(_text(row[name]) for name in names)) for row in feed)


def check_latest(found: list[dict[str, Any]], rows: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    """The last record of each key is the row of the table; a key whose row was withdrawn has none."""
    latest = {one["key"]: one["value"] for one in found}
    values = [json.loads(value) for value in latest.values() if value is not None]
    told = {tuple(value[name] for name in names): value for value in values}
    shown = [{name: _text(value) for name, value in row.items()} for row in rows]
    assert len(told) == len(values) == len(rows)
    for row in shown:
        value = told[tuple(row[name] for name in names)]
        assert {name: value[name] for name in row} == row


def _text(value: Any) -> Any:
    """As JSON has it: times are text in UTC, bytes base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return f"{value:%Y-%m-%dT%H:%M:%S.%fZ}" if isinstance(value, datetime) else value
