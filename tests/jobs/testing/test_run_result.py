"""The plugin for tests of job files: what goes in, what comes out, and what is refused."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StringType, StructField, StructType, TimestampType

from jobs.answers.latest import Latest
from jobs.answers.outcomes import Outcomes, Then
from jobs.answers.result import Late, Reads, Result
from jobs.answers.windows import Tumbling, Windows
from jobs.decisions.membership import Membership
from jobs.events.changes import keyed_rows
from jobs.facts.panes import Panes
from jobs.running.errors import Mistake, Refused
from jobs.testing import same_rows
from jobs.testing.plugin import RunResult
from jobs.testing.records import log_records

COLUMNS = StructType([StructField("at", TimestampType(), False), StructField("who", StringType(), False),
                      StructField("points", LongType())])  # fmt: skip
THROWS: Any = SimpleNamespace(TOPIC="throws", KEY="who", EVENT_TIME="at", COLUMNS=COLUMNS)
CATCHES: Any = SimpleNamespace(TOPIC="catches", KEY="who", EVENT_TIME="at", COLUMNS=COLUMNS)


def as_they_are(events: DataFrame) -> DataFrame:
    return events


PANES = Panes("5 minutes", ("who",), sums=("points",), uniques=("points",))
SCORES = Result("scores_v1", Reads(THROWS, as_they_are), Windows(PANES, Tumbling("1 hour")), late=Late("30 minutes"))


def throw(clock: str, who: str, points: object) -> dict[str, object]:
    return {"at": f"2025-05-05T{clock}:00Z", "who": who, "points": points}


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2025-05-05T{clock}:00+00:00")


LOG = [throw("08:00", "b", 3), throw("09:10", "a", 5), throw("08:20", "b", 4), throw("09:20", "a", "six")]


def test_records_in_rows_out(run_result: RunResult) -> None:
    """08:20 is 50 minutes behind 09:10. A tuple has a key, a value and a timestamp of its own, whatever they are."""
    garbage = (None, b"{", at("10:00"))
    tuples = [(7, throw("09:30", "a", 1), at("09:59")), garbage]
    rows = run_result(SCORES, [*LOG, *tuples], cuts=1)
    assert rows.select("window_start", "who", "points_sum") == [(at("08:00"), "b", 7), (at("09:00"), "a", 6)]
    assert [bad["reason"] for bad in rows.quarantine] == ["wrong_type", "null_key"]
    assert [(bad["key"], bad["timestamp"]) for bad in rows.quarantine] == [(b"a", at("09:20")), (None, at("10:00"))]
    assert [(late["event_time"], late["lateness_seconds"]) for late in rows.stragglers] == [(at("08:20"), 3000)]
    assert sum(batch["records"] for batch in rows.table("ledger")) == 6
    frame = rows.pandas()
    assert frame["points_sum"].tolist() == [7, 6] and str(frame["window_start"].dt.tz) == "UTC"
    with pytest.raises(Refused, match="no table scores_v1_top"):
        rows.table("top")


def test_partitions_by_key_or_by_name(run_result: RunResult) -> None:
    """The same sums. By the golden values of Kafka's own test the key 21 has partition 0 of 2, abc has 1. So nobody is
    late where there are two.
    """
    log = [throw("08:00", "21", 3), throw("09:10", "abc", 5), throw("08:20", "21", 4), throw("09:20", "abc", "six")]
    one, rows = run_result(SCORES, log), run_result(SCORES, [*log[:3], json.dumps(log[3])], partitions=2, cuts=1)
    expected = [(at("08:00"), "21", 7), (at("09:00"), "abc", 5)]
    assert rows.select("window_start", "who", "points_sum") == expected
    assert one.select("window_start", "who", "points_sum") == expected
    assert [(bad["partition"], bad["key"], bad["reason"]) for bad in rows.quarantine] == [(1, b"abc", "wrong_type")]
    assert (len(one.stragglers), rows.stragglers) == (1, [])
    given: list[Any] = [
        ("a", throw("08:00", "a", 1), at("08:00"), 1),
        ("a", throw("08:01", "a", 2), at("08:01"), 0),
        "no JSON",
    ]
    rows = run_result(SCORES, given, partitions=2)
    assert rows.select("points_sum") == [(3,)]
    [ends] = [dict(row["end_offsets"]) for row in rows.table("ledger") if row["records"]]
    assert ends == {0: 2, 1: 1} and [bad["reason"] for bad in rows.quarantine] == ["null_key"]


def test_a_topic_in_avro_takes_the_same_records(run_result: RunResult) -> None:
    encoded = SimpleNamespace(**vars(THROWS), ENCODING="avro", KEY_ENCODING="avro", KEY_COLUMNS=("who",))
    result = replace(SCORES, reads=Reads(encoded, as_they_are))
    assert run_result(result, LOG[:3]).select("who", "points_sum") == [("b", 7), ("a", 5)]


def test_several_topics_and_a_decision(run_result: RunResult) -> None:
    caught = Outcomes(each="throws", by=("who",), then=(Then("catches", within="10 minutes"),))
    result = Result("caught_v1", (Reads(THROWS, as_they_are), Reads(CATCHES, as_they_are)), caught)
    rows = run_result(result, {"throws": [throw("08:00", "a", 1), throw("09:00", "a", 2)],
                               "catches": [throw("08:10", "a", 0)]})  # fmt: skip
    assert rows.select("event_time", "outcome") == [(at("08:00"), "matched"), (at("09:00"), "open")]
    seen = Result("seen_v1", Reads(THROWS, as_they_are, decide=Membership("2 days", expected_keys=100)))
    answers = run_result(
        seen, [throw(clock, who, 1) for clock, who in (("08:00", "a"), ("08:01", "b"), ("08:02", "a"))]
    )
    assert answers.select("record_offset", "seen_before") == [(0, False), (1, False), (2, True)]


def test_changes_of_a_table(run_result: RunResult) -> None:
    columns = StructType([StructField("who", StringType(), False), StructField("points", LongType())])
    players: Any = SimpleNamespace(TOPIC="players", KEY="who", COLUMNS=columns)
    result = Result("players_v1", Reads(players, as_they_are, form=keyed_rows.ROWS), Latest(key=("who",)))
    changes = [
        ("a", {"who": "a", "points": 1}, at("08:00")),
        ("b", {"who": "b", "points": 2}, at("08:01")),
        ("a", None, at("08:02")),
        ("b", {"who": "b", "points": 3}, at("08:03")),
    ]
    rows = run_result(result, changes)
    assert rows.select("who", "points") == [("b", 3)]
    assert [row["who"] for row in rows.table("deleted")] == ["a"]


def test_a_transform_that_depends_on_the_cut_is_noticed(run_result: RunResult) -> None:
    """Its points are the places of the records in their batch, which begin anew in each."""

    def places_in_batch(events: DataFrame) -> DataFrame:
        return events.withColumn("points", F.monotonically_increasing_id())

    result = Result("places_v1", Reads(THROWS, places_in_batch), Windows(PANES, Tumbling("1 hour")))
    with pytest.raises(AssertionError, match=r"places_v1, the row with .*who='b'.* points_sum .* is cut behind .*=3"):
        run_result(result, [throw("08:00", "b", n) for n in range(5)], cuts=1, seed=3)


def test_rows_are_compared_with_what_may_differ_left_out() -> None:
    place = {"topic": "throws", "partition": 0}
    window = {"window_kind": "tumbling 1 hour", "window_start": at("08:00"), "window_end": at("09:00"), "who": "a"}
    row = window | {"points_sum": 0.1 + 0.2, "points_sketch": b"1", "revision": 1, "updated_time": at("08:00")}
    same = row | {"points_sum": 0.3, "points_sketch": b"2", "revision": 5, "updated_time": at("09:00")}
    bad = place | {"offset": 3, "reason": "not_json", "sequence": 1}
    assert comparison({"": [row], "quarantine": [bad]}, {"": [same], "quarantine": [bad | {"sequence": 9}]}) is None
    assert "points_sum 0.30000000000000004 and not 0.31" in str(
        comparison({"": [row]}, {"": [row | {"points_sum": 0.31}]})
    )
    assert "only if it is cut at 3" in str(comparison({"stragglers": [place | {"offset": 1}]}, {}))
    assert "only if the log is read at once" in str(comparison({}, {"": [row]}))


def comparison(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str | None:
    """What is wrong, of tables by name."""

    def run(tables: Mapping[str, Any]) -> Any:
        return SimpleNamespace(table=lambda name: tables.get(name, []))

    try:
        same_rows.check(SCORES, run(found), run(expected), "cut at 3")
    except AssertionError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("result", "records", "said"),
    [
        (
            SCORES,
            [throw("08:00", "a", 1), throw("08:00", "a", 1) | {"points": at("08:00")}],
            r"throws, \[1\]: .*datetime",
        ),
        (SCORES, [("a", {}, datetime(2025, 5, 5))], r"\[0\]: its timestamp is no datetime with a zone"),
        (SCORES, [("a", {})], r"\[0\]: not enough values"),
        (SCORES, [5], r"\[0\]: it is no dictionary, text, bytes or tuple"),
        (SCORES, [("a", {}, at("08:00"), 1)], r"\[0\]: partition 1, and the last one is 0: say partitions="),
        (SCORES, [throw("08:00", "a", 1) | {"who": ["a"]}], r"\[0\]: the key is an object or an array"),
        (SCORES, {"catches": LOG}, "scores_v1 reads throws: give one record or more of each"),
        (SCORES, [], "give one record or more of each"),
    ],
)
def test_what_is_no_record_is_told(run_result: RunResult, result: Result, records: Any, said: str) -> None:
    with pytest.raises(Mistake, match=said):
        run_result(result, records)


def test_a_run_that_is_refused_says_so_in_one_line(run_result: RunResult) -> None:
    def unknown(events: DataFrame) -> DataFrame:
        return events.select("event_time", "whom", "points")

    result = Result("wrong_v1", Reads(THROWS, unknown), Windows(PANES, Tumbling("1 hour")))
    with pytest.raises(Refused, match="there is no column whom; did you mean") as refused:
        run_result(result, LOG)
    assert "\n" not in str(refused.value)


def test_a_text_is_the_value_as_it_is() -> None:
    line = json.dumps(throw("08:00", "a", 1), indent=1)
    records = log_records(THROWS, [line, b"{", line.encode()], 2).to_pylist()
    assert [each["value"] for each in records] == [line.encode(), b"{", line.encode()]
    assert [(each["key"], each["timestamp"]) for each in records] == [(key, at("08:00")) for key in (b"a", None, b"a")]
    assert records[0]["partition"] == records[2]["partition"]


def test_timestamps_of_values_are_event_times_and_else_those_before() -> None:
    inside = StructType([StructField("at", LongType())])
    topic: Any = SimpleNamespace(TOPIC="t", KEY=None, EVENT_TIME="meta.at", EVENT_TIME_UNIT="seconds",
                                 COLUMNS=StructType([StructField("meta", inside)]))  # fmt: skip
    start = datetime(2025, 5, 5, 8, tzinfo=UTC)
    values: list[dict[str, Any]] = [
        {},
        {"meta": {"at": int(start.timestamp())}},
        {"meta": {"at": "noon"}},
        {"meta": 5},
        {"meta": {"at": None}},
    ]
    times = log_records(topic, values)["timestamp"].to_pylist()
    assert times == [datetime(2025, 1, 1, tzinfo=UTC), *[start] * 4]


def test_every_start_of_pytest_imports_little() -> None:
    heavy = ("pyspark", "pyarrow", "pandas", "deltalake", "numpy")
    code = f"import sys, jobs.testing.plugin; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
