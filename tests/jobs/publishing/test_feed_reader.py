"""A reader of a feed, by the name of a result and by one that is switched."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from jobs.admin.versions import promotion
from jobs.publishing.feed_reader import FeedChanges, read_changes
from jobs.running.errors import Refused
from jobs.running.places import Places
from tests.jobs.admin.versions.kept_results import KeptResult, planes


class Feed:
    """A result of latest rows with a feed, whose rows the test writes."""

    def __init__(self, places: Places, name: str) -> None:
        self.places, self.kept, self.rows = places, KeptResult(places, name), dict[str, int]()

    def publish(self, end: int, **changed: int | None) -> None:
        """Seats by plane; None: it is gone."""
        sequence = self.kept.last.sequence + 1 if self.kept.last else 2
        changes = []
        for plane, seats in changed.items():
            change = "withdrawn" if seats is None else "revised" if plane in self.rows else "new"
            changes.append({"id": plane, "seats": self.rows[plane] if seats is None else seats, "change": change})
        self.rows = {plane: seats for plane, seats in (self.rows | changed).items() if seats is not None}
        feed = pa.table(
            {
                "id": [each["id"] for each in changes],
                "seats": pa.array([each["seats"] for each in changes], pa.int32()),
                "revision": pa.array([1] * len(changes), pa.int32()),
                "updated_time": pa.array([datetime.now(UTC)] * len(changes), pa.timestamp("us", "UTC")),
                "change": [each["change"] for each in changes],
                "sequence": pa.array([sequence] * len(changes), pa.int64()),
            }
        )
        if self.kept.last:
            write_deltalake(self.places.table(f"{self.kept.name}_feed"), feed, mode="append")
            self.kept.publish({0: end}, _=planes(**self.rows))
        else:
            self.kept.publish({0: end}, _=planes(**self.rows), feed=feed)


def applied(before: dict[str, int], changes: FeedChanges) -> dict[str, int]:
    """What a reader has after these changes."""
    rows = {} if changes.is_whole else dict(before)
    for row in changes.rows.to_pylist():
        if row["change"] == "withdrawn":
            del rows[row["id"]]
        else:
            rows[row["id"]] = row["seats"]
    return rows


def test_a_reader_goes_on_and_follows_a_switch(places: Places) -> None:
    old, new = Feed(places, "planes_v1"), Feed(places, "planes_v2")
    old.publish(2, a=10, b=20)
    promotion.promote(places, "planes", "planes_v1")
    first = read_changes(places, "planes")
    assert first.is_whole and first.position.table == "planes_v1"
    held = applied({}, first)
    assert held == {"a": 10, "b": 20}
    old.publish(4, a=11, c=30)
    old.publish(5, b=None)
    second = read_changes(places, "planes", first.position)
    assert not second.is_whole
    assert second.rows["sequence"].to_pylist() == [3, 3, 4]
    held = applied(held, second)
    assert held == old.rows == {"a": 11, "c": 30}
    assert len(read_changes(places, "planes", second.position).rows) == 0
    new.publish(5, a=12, c=30)
    new.publish(6, d=40)
    promotion.promote(places, "planes", "planes_v2")
    third = read_changes(places, "planes", second.position)
    assert third.is_whole and third.position.table == "planes_v2"
    held = applied(held, third)
    assert held == new.rows == {"a": 12, "c": 30, "d": 40}
    new.publish(7, a=None)
    assert applied(held, read_changes(places, "planes", third.position)) == {"c": 30, "d": 40}


def test_a_write_that_no_ledger_row_has_is_not_read(places: Places) -> None:
    feed = Feed(places, "planes_v1")
    feed.publish(2, a=10)
    position = read_changes(places, "planes_v1").position
    feed.kept.write(places.table("planes_v1"), planes(a=99))
    assert read_changes(places, "planes_v1", position).rows.num_rows == 0
    assert read_changes(places, "planes_v1").rows["seats"].to_pylist() == [10]


def test_what_the_feed_no_longer_has_is_read_from_the_table(places: Places) -> None:
    feed = Feed(places, "planes_v1")
    feed.publish(2, a=10)
    position = read_changes(places, "planes_v1").position
    feed.publish(3, b=20)
    feed.publish(4, c=30)
    DeltaTable(places.table("planes_v1_feed")).delete("sequence <= 3")
    feed.publish(5, a=11)
    later = read_changes(places, "planes_v1", position)
    assert later.is_whole and applied({}, later) == {"a": 11, "b": 20, "c": 30}


def test_without_a_feed_or_a_table_it_says_what_to_do(places: Places) -> None:
    with pytest.raises(Refused, match="there is no table planes"):
        read_changes(places, "planes")
    KeptResult(places, "planes_v1").publish({0: 5}, _=planes(a=1))
    with pytest.raises(Refused, match="planes_v1 has no feed: its job file needs deliver="):
        read_changes(places, "planes_v1")
    with pytest.raises(Refused, match=r"no ledger in .* has the table planes_v1_ledger"):
        read_changes(places, "planes_v1_ledger")
