"""Changes of an answer's rows become its table, whatever the clock of the machine shows meanwhile."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql.types import BooleanType, IntegerType, LongType, StringType, StructField, StructType, TimestampType

from jobs.lake import commits, delta_tables
from jobs.publishing import row_writing
from jobs.publishing.event_difference import CHANGE
from tests import delta

START = datetime(2024, 5, 1, 12, 0, 0, 123_456, tzinfo=UTC)
COLUMNS = StructType(
    [
        StructField("number", LongType()),
        StructField("event_time", TimestampType()),
        StructField("outcome", StringType()),
        StructField("final", BooleanType()),
        StructField("revision", IntegerType()),
        StructField("updated_time", TimestampType()),
    ]
)


def changes(*rows: tuple[int, str, str]) -> pa.Table:
    """(number, outcome, change) at a second of its own each."""
    return pa.table(
        {
            "number": pa.array([number for number, *_ in rows], pa.int64()),
            "event_time": pa.array(
                [START + timedelta(seconds=number) for number, *_ in rows], pa.timestamp("us", "UTC")
            ),
            "outcome": [outcome for _, outcome, _ in rows],
            "final": pa.array([True] * len(rows)),
            CHANGE: [change for *_, change in rows],
        }
    )


def clock(moments: list[datetime]) -> type:
    """A clock that shows these one after the other."""

    class Clock:
        @staticmethod
        def now(_: tzinfo) -> datetime:
            return moments.pop(0)

    return Clock


HOUR = timedelta(hours=1)
CLOCKS: dict[str, Callable[[datetime], list[datetime]]] = {
    "goes": lambda now: [now, now + HOUR, now + 2 * HOUR, now + 3 * HOUR],
    "is set back": lambda now: [now, now - HOUR, now - HOUR / 2, now - HOUR / 4],
    "stands": lambda now: [now] * 4,
    "shows a moment again": lambda now: [now, now + HOUR, now, now + HOUR],
}


@pytest.mark.parametrize("which", list(CLOCKS))
def test_rows_are_those_of_the_changes(which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "answer")
    delta_tables.create(path, COLUMNS, (), "An answer.")
    monkeypatch.setattr(row_writing, "datetime", clock(CLOCKS[which](START + timedelta(days=1))))
    publishes = [
        [(1, "open", "new"), (2, "open", "new"), (3, "open", "new")],
        [(2, "clicked", "revised"), (4, "open", "new")],
        [(4, "clicked", "revised"), (5, "open", "new"), (1, "open", "withdrawn")],
        [(2, "late", "revised"), (6, "open", "new"), (7, "open", "new")],
    ]
    for sequence, publish in enumerate(publishes, 1):
        commit = commits.Commit("r_v1", "1", sequence, "publish", {}, {})
        row_writing.write(path, changes(*publish), ("number",), "event_time", commit)
    found = {row["number"]: (row["outcome"], row["revision"]) for row in delta.rows(path)}
    assert found == {2: ("late", 3), 3: ("open", 1), 4: ("clicked", 2), 5: ("open", 1), 6: ("open", 1), 7: ("open", 1)}
    assert len(delta.rows(path)) == len(found)
    assert DeltaTable(path).version() == len(publishes)
