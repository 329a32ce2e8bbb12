"""The table of rules follows versions, hits and costs from publish to publish."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import LongType, StringType, StructField, StructType

from jobs.answers.rules import rule_report
from jobs.answers.stored_queries import StoredQueries
from jobs.answers.versions import Versions
from jobs.events.changes import change_form
from jobs.lake import commits, delta_tables
from jobs.publishing.event_difference import CHANGE, NEW, REVISED, WITHDRAWN
from jobs.publishing.rule_report_publication import Report, Tally
from tests import delta

RULES = Versions(key=("rule",))
ANSWER = StoredQueries("adverts", RULES, "predicate", ("rooms",), name="hits")
EVENTS = StructType([StructField("rooms", LongType())])
VERSIONS = RULES.columns(
    StructType([StructField("rule", StringType()), StructField("predicate", StringType()), *change_form.COLUMNS])
)
START = datetime(2024, 5, 1, tzinfo=UTC)
KEYS = pa.schema({"rule": pa.string(), "change_commit": pa.int64(), "change_lsn": pa.int64(), "change_op": pa.string()})


def changed(*rows: tuple[str, int, str, int | None, str]) -> pa.Table:
    """Rule, LSN, predicate, the hour until which it is valid, and what has happened to the version."""
    made = [
        {"rule": rule, "change_lsn": lsn, "change_op": "insert", "predicate": text, "valid_from": START,
         "valid_to": end and START + timedelta(hours=end)}
        for rule, lsn, text, end, _ in rows
    ]  # fmt: skip
    versions = pa.Table.from_pylist(made, to_arrow_schema(VERSIONS, timezone="UTC"))
    return versions.append_column(CHANGE, pa.array([change for *_, change in rows], pa.string()))


def tally(*rows: tuple[str, int, int, int, float]) -> Tally:
    """Rule, LSN, rows that were added, events that were tried, and microseconds an event."""
    keys = [{"rule": rule, "change_lsn": lsn, "change_op": "insert"} for rule, lsn, *_ in rows]
    table = pa.Table.from_pylist(keys, KEYS)
    hits = table.append_column("hits", pa.array([row[2] for row in rows], pa.int64()))
    effort = table.append_column("tried", pa.array([row[3] for row in rows], pa.int64()))
    return Tally([hits], [effort.append_column("micros_an_event", pa.array([row[4] for row in rows], pa.float64()))])


def test_versions_hits_and_costs(tmp_path: Path) -> None:
    """The commit before a transaction is not known of any version here: null is null."""
    path = str(tmp_path / "rules")
    delta_tables.create(path, rule_report.columns(VERSIONS, RULES.row_key), (), "")
    report = Report(path, ANSWER, EVENTS)

    def publish(sequence: int, versions: pa.Table | None, found: Tally) -> tuple[str, ...]:
        return report.update(versions, found, commits.Commit("r", "1", sequence, "publish", {}, {}))

    def rows() -> dict[tuple[str, int], tuple[Any, ...]]:
        names = ("valid_to", "fault", "hits", "tried", "micros_an_event")
        return {(row["rule"], row["change_lsn"]): tuple(row[name] for name in names) for row in delta.rows(path)}

    new = changed(("a", 1, "rooms = 1", None, NEW), ("b", 2, "rooms", None, NEW), ("c", 3, "rooms > 1", None, NEW))
    notes = publish(1, new, tally(("a", 1, 5, 7, 0.5), ("c", 3, 2, 9, 100.5)))
    assert notes == (
        "1 versions of rules cannot be used: `headrace rules` names them",
        "1 versions of rules cost more than 100 microseconds an event: `headrace rules` names them",
    )
    assert rows() == {
        ("a", 1): (None, None, 5, 7, 0.5),
        ("b", 2): (None, "column 1: the rule has no term, such as field = 'value'", 0, 0, 0.0),
        ("c", 3): (None, None, 2, 9, 100.5),
    }
    more = changed(("a", 1, "rooms = 1", 2, REVISED), ("a", 4, "rooms = 2", None, NEW), ("c", 3, "", None, WITHDRAWN))
    notes = publish(2, more, tally(("a", 1, -2, 0, 0.0), ("a", 4, 2, 4, 0.25)))
    assert notes == ()
    end = START + timedelta(hours=2)
    assert rows().keys() == {("a", 1), ("a", 4), ("b", 2)}
    assert (rows()["a", 1], rows()["a", 4]) == ((end, None, 3, 7, 0.5), (None, None, 2, 4, 0.25))
    assert publish(3, None, tally(("a", 4, 1, 1, 0.75))) == ()
    assert (rows()["a", 1][2:], rows()["a", 4][2:]) == ((3, 7, 0.5), (3, 5, 0.75))
    assert publish(4, None, Tally()) == ()
