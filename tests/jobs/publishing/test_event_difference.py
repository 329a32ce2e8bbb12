"""Changes of answers of kept events: a row is told from another by its key, or the publish is refused."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from jobs.answers.outcomes import Outcomes, Then
from jobs.answers.sliding import Sliding
from jobs.facts.kept_events import group_hashes
from jobs.publishing import event_difference
from jobs.publishing.event_difference import Moment
from jobs.running.errors import Mistake

START = datetime(2024, 5, 1, 12, tzinfo=UTC)
COLUMNS = pa.schema(
    [
        ("event_time", pa.timestamp("us", "UTC")),
        ("record_partition", pa.int32()),
        ("record_offset", pa.int64()),
        ("item", pa.string()),
        ("is_order", pa.bool_()),
        ("is_paid", pa.bool_()),
        ("late", pa.bool_()),
        ("sequence", pa.int64()),
    ]
)
PAID = Outcomes("is_order", ("item",), (Then("is_paid", "10 minutes"),))


def orders(*rows: tuple[int, int, str, bool]) -> pa.Table:
    """(minute, offset, item, whether it is paid), read by ledger row 2"""
    kept = [
        {"event_time": START + timedelta(minutes=minute), "record_partition": 3, "record_offset": offset, "item": item}
        | {"is_order": not paid, "is_paid": paid, "late": False, "sequence": 2}
        for minute, offset, item, paid in rows
    ]
    table = pa.Table.from_pylist(kept, COLUMNS)
    return table.append_column("key_hash", group_hashes(table, ("item",)))


def changed(answer: Outcomes | Sliding, table: pa.Table) -> list[tuple[str, str]]:
    """(item, change) of what a first publish finds that shows every row."""
    micros = int(START.timestamp()) * 1_000_000
    now = Moment(3, micros + 60_000_000, 3)
    found = event_difference.changes(
        answer, {"orders": table}, (0, micros + 3_600_000_000), Moment(1, 0, 0), now
    ).to_pylist()
    return sorted((row["item"], row[event_difference.CHANGE]) for row in found)


def test_two_events_of_one_record_that_the_key_of_outcomes_does_not_tell_apart_are_refused() -> None:
    """The order at offset 7 has two items, exploded: its two rows would take each other's place in the table."""
    with pytest.raises(Mistake, match=r"several events of one record .* partition 3, offset 7 .* new version"):
        changed(PAID, orders((0, 6, "cup", False), (0, 7, "pen", False), (0, 7, "ink", False)))


def test_they_are_refused_before_they_are_shown() -> None:
    """The pen is paid and so decided, the ink is not; a continuous run shows the pen alone."""
    table = orders((0, 7, "pen", False), (0, 7, "ink", False), (0, 8, "pen", True))
    micros = int(START.timestamp()) * 1_000_000
    now = Moment(3, micros + 60_000_000, 0)
    with pytest.raises(Mistake, match="partition 3, offset 7"):
        event_difference.changes(PAID, {"orders": table}, (0, micros + 3_600_000_000), Moment(1, 0, 0), now)


def test_events_of_one_record_may_be_of_several_groups_if_the_key_has_the_group() -> None:
    table = orders((0, 7, "pen", False), (0, 7, "ink", False))
    assert changed(Sliding(("item",), "1 minute"), table) == [("ink", "new"), ("pen", "new")]
    with pytest.raises(Mistake, match="partition 3, offset 7"):
        changed(Sliding(("item",), "1 minute"), orders((0, 7, "pen", False), (0, 7, "pen", True)))


def test_records_of_one_event_each_are_new_once() -> None:
    table = orders((0, 6, "pen", False), (0, 7, "ink", False), (0, 8, "pen", True))
    assert changed(PAID, table) == [("ink", "new"), ("pen", "new")]
