"""What StoredQueries makes of events and versions of rules, and what a job file must not ask of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import (
    ArrayType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.answers.stored_queries import StoredQueries
from jobs.answers.versions import Versions
from jobs.events.changes import change_form
from jobs.running.errors import Mistake

RULES = Versions(key=("rule",)).named("versions")
HITS = StoredQueries("adverts", RULES, "predicate", ("city", "rooms"), take=("owner",), show=("city",))
EVENTS = StructType(
    [
        StructField("event_time", TimestampType()),
        StructField("record_partition", IntegerType()),
        StructField("record_offset", LongType()),
        StructField("city", StringType()),
        StructField("rooms", LongType()),
        StructField("tags", ArrayType(StringType())),
    ]
)
CHANGES = StructType(
    [
        *(StructField(name, StringType()) for name in ("rule", "owner", "predicate")),
        StructField("rank", DoubleType()),
        *change_form.COLUMNS,
    ]
)
VERSIONS = RULES.columns(CHANGES)
START = datetime(2024, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def events(*rows: dict[str, Any]) -> pa.Table:
    """One an hour."""
    placed = [
        {"event_time": START + n * HOUR, "record_partition": 0, "record_offset": n} | r for n, r in enumerate(rows)
    ]
    return pa.Table.from_pylist(placed, to_arrow_schema(EVENTS, timezone="UTC"))


def versions(*rows: tuple[str, str | None, float, float | None]) -> pa.Table:
    """Rule, predicate, and the hours from which and until which it is valid."""
    named = [
        {"rule": rule, "owner": rule.upper(), "predicate": text, "valid_from": START + begin * HOUR,
         "valid_to": None if end is None else START + end * HOUR, "change_lsn": n, "change_op": "insert"}
        for n, (rule, text, begin, end) in enumerate(rows)
    ]  # fmt: skip
    return pa.Table.from_pylist(named, to_arrow_schema(VERSIONS, timezone="UTC"))


def test_an_event_meets_the_rules_of_its_time() -> None:
    """A rule is valid from its first instant on, up to and without its last one."""
    adverts = events({"city": "Rome"}, {"city": "Oslo"}, {"city": "Rome"}, {"rooms": 1})
    known = versions(
        ("a", "city = 'Rome'", 0, 2),
        ("a", "rooms = 1", 2, None),
        ("b", "city is not null", 1, None),
        ("c", "city = 'Rome'", 0, 0),
        ("d", "city =", 0, None),
        ("e", None, 0, None),
    )
    rows = HITS.rows(adverts, known, int((START + 2 * HOUR).timestamp()) * 1_000_000)
    assert rows.schema == to_arrow_schema(HITS.columns(EVENTS, VERSIONS), timezone="UTC")
    found = [(r["record_offset"], r["rule"], r["owner"], r["version_lsn"], r["final"]) for r in rows.to_pylist()]
    assert sorted(found) == [
        (0, "a", "A", 0, True), (1, "b", "B", 2, True), (2, "b", "B", 2, False), (3, "a", "A", 1, False)
    ]  # fmt: skip
    faults = HITS.faults(known, EVENTS).to_pylist()
    assert faults[:4] == [None] * 4 and faults[4].startswith("column 6: ") and faults[5] == "there is no predicate"


def test_neither_events_nor_rules_give_rows() -> None:
    kind = to_arrow_schema(HITS.columns(EVENTS, VERSIONS), timezone="UTC")
    for given in ((events(), versions(("a", "rooms = 1", 0, None))), (events({"rooms": 1}), versions())):
        rows = HITS.rows(*given, 0)
        assert (len(rows), rows.schema) == (0, kind)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"fields": ()}, "fields names no column of the events"),
        ({"fields": "city"}, 'fields takes the names of columns in a tuple: fields=\\("city",\\)'),
        ({"fields": ("town",)}, "fields has town, which is not there: event_time"),
        ({"fields": ("tags",)}, "fields has tags, which is array<string>: rules cannot ask for it"),
        ({"predicate": "rank"}, "predicate is rank, which is double, and must be a text"),
        ({"predicate": "text"}, "predicate has text, which is not there: rule, owner"),
        ({"take": ("group",)}, "take has group, which is not there"),
        ({"show": ("street",)}, "show has street, which is not there"),
        ({"show": ("city", "City")}, "show has City, which is not there"),
        ({"until": "rank"}, "until is rank, which is double, and must be a timestamp"),
        ({"take": ("owner", "event_time")}, "take has event_time, which is not there"),
        ({"show": ("city", "city")}, "its rows would have two columns city"),
        ({"restate": "long"}, "long"),
    ],
)
def test_what_a_job_file_got_wrong(changed: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"each": "adverts", "rules": RULES, "predicate": "predicate", "fields": ("city",)}
    with pytest.raises(Mistake, match=message):
        StoredQueries(**(given | changed)).check(EVENTS, VERSIONS)


def test_a_column_that_event_and_rule_have() -> None:
    both = StructType([*EVENTS, StructField("owner", StringType())])
    answer = StoredQueries("adverts", RULES, "predicate", ("city",), take=("owner",), show=("owner",))
    with pytest.raises(Mistake, match=r'two columns owner, of the event and of the rule\. .*F\.col\("owner"\)\.alias'):
        answer.check(both, VERSIONS)
