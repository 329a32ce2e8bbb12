"""Two results at equal offsets, in tables and ledgers that the test writes."""

import importlib
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from jobs import turnaround
from jobs.admin.versions import answer_keys, result_comparison
from jobs.answers.result import Result
from jobs.keeping.ledger import Position
from jobs.running.errors import Refused
from jobs.running.places import Places
from tests.jobs.admin.versions.kept_results import LATEST, KeptResult, planes
from tests.pages import ROOT

JOBS = sorted(path for path in (ROOT / "jobs").glob("*.py") if path.stem not in ("__init__", "run"))


@pytest.fixture
def old(places: Places) -> KeptResult:
    """Published at offsets 2 and 5."""
    made = KeptResult(places, "planes_v1").publish({0: 2}, _=planes(a=10, b=20))
    return made.publish({0: 5}, _=planes(a=10, b=21, c=30))


def test_a_result_that_is_ahead_is_read_as_it_was(places: Places, old: KeptResult) -> None:
    new = KeptResult(places, "planes_v2").publish({0: 5}, _=planes(a=10, b=25, d=40))
    new.publish({0: 9}, _=planes(a=99, b=99, c=99))
    found = result_comparison.compare(places, "planes_v1", "planes_v2", examples=5)
    assert found.at.offsets == {(("planes", 0), 5)}
    assert (found.at.old.sequence, found.at.new.sequence) == (3, 2)
    rows = found.answers[""]
    assert (rows.missing, rows.added, rows.different) == (1, 1, 1)
    assert dict(rows.columns) == {"seats": 1} and rows.largest["seats"].value == 4
    assert rows.examples == {"missing": [("c",)], "added": [("d",)], "different": [("b",)]}
    old.publish({0: 9}, _=planes(a=99, b=99, c=99))
    assert result_comparison.compare(places, "planes_v1", "planes_v2").is_equal


def test_of_several_rows_at_one_offset_the_last_counts(places: Places, old: KeptResult) -> None:
    KeptResult(places, "planes_v2").publish({0: 5}, _=planes(a=10, b=21, c=30))
    old.publish({0: 5}, "requeue", _=planes(a=10, b=21, c=31))
    found = result_comparison.compare(places, "planes_v1", "planes_v2")
    assert found.at.old.sequence == 4 and found.answers[""].different == 1


def test_what_was_read_and_not_published_does_not_count(places: Places, old: KeptResult) -> None:
    new = KeptResult(places, "planes_v2").publish({0: 2}, _=planes(a=10, b=20)).read_on({0: 5})
    found = result_comparison.compare(places, "planes_v1", "planes_v2")
    assert found.at.offsets == {(("planes", 0), 2)} and found.is_equal
    new.publish({0: 5}, "publish", _=planes(a=10, b=21, c=30))
    assert result_comparison.compare(places, "planes_v1", "planes_v2").at.offsets == {(("planes", 0), 5)}


def test_without_equal_offsets_it_says_how_far_each_has_read(places: Places, old: KeptResult) -> None:
    KeptResult(places, "planes_v2").publish({0: 4, 1: 1_000}, _=planes())
    said = "planes_v1 has published planes to 0: 5; planes_v2 has published planes to 0: 4, 1: 1,000. Run both jobs"
    with pytest.raises(Refused, match=said):
        result_comparison.compare(places, "planes_v1", "planes_v2")


def test_a_partition_of_which_nothing_was_read_makes_no_difference(places: Places, old: KeptResult) -> None:
    KeptResult(places, "planes_v2").publish({0: 5, 1: 0}, _=planes(a=10, b=21, c=30))
    assert result_comparison.compare(places, "planes_v1", "planes_v2").is_equal


def test_a_topic_that_one_alone_reads_is_named(places: Places, old: KeptResult) -> None:
    more = {"further_topics": {"rates": Position(end_offsets={0: 70})}}
    KeptResult(places, "planes_v2", more=more).publish({0: 5}, _=planes(a=10, b=21, c=30))
    found = result_comparison.compare(places, "planes_v1", "planes_v2")
    assert found.is_equal and found.at.lone_topics == ("rates",)


def test_several_topics_must_all_be_equal(places: Places) -> None:
    for name, ends in (("planes_v1", (70, 80)), ("planes_v2", (71, 80))):
        made = KeptResult(places, name)
        for end in ends:
            made.more = {"further_topics": {"rates": Position(end_offsets={0: end})}}
            made.publish({0: 5}, _=planes(a=end))
    found = result_comparison.compare(places, "planes_v1", "planes_v2")
    assert found.at.offsets == {(("planes", 0), 5), (("rates", 0), 80)} and found.is_equal


def test_other_topics_are_refused(places: Places, old: KeptResult) -> None:
    KeptResult(places, "rates_v1", LATEST | {"topic": "rates"}).publish({0: 5}, _=planes())
    with pytest.raises(Refused, match="planes_v1 reads planes and rates_v1 reads rates: they read no topic in common"):
        result_comparison.compare(places, "planes_v1", "rates_v1")


def test_a_topic_that_was_deleted_in_between_is_refused(places: Places) -> None:
    for name, topic_id in (("planes_v1", "one"), ("planes_v2", "other")):
        KeptResult(places, name, more={"topic_id": topic_id}).publish({0: 5}, _=planes())
    with pytest.raises(Refused, match="two topics of the name planes, one of which was deleted"):
        result_comparison.compare(places, "planes_v1", "planes_v2")


def test_unlike_starts_are_noticed(places: Places, old: KeptResult) -> None:
    KeptResult(places, "planes_v2", more={"start_offsets": {0: 1}}).publish({0: 5}, _=planes(a=10, b=21, c=30))
    assert not result_comparison.compare(places, "planes_v1", "planes_v2").at.begin_alike


def test_tables_of_one_alone_are_a_difference(places: Places) -> None:
    for name, answers in (
        ("p_v1", "Latest(key=('id'))"),
        ("p_v2", "Latest(key=('id')); Latest(key=('id'), name='more')"),
    ):
        KeptResult(places, name, LATEST | {"answers": answers}).publish({0: 5}, _=planes(a=1), more=planes(a=1))
    found = result_comparison.compare(places, "p_v1", "p_v2")
    assert found.lone_tables == ("p_v2_more",) and not found.is_equal and found.answers[""].is_equal


def test_unlike_keys_are_refused_unless_others_are_given(places: Places, old: KeptResult) -> None:
    KeptResult(places, "planes_v2", LATEST | {"answers": "Latest(key=('id', 'seats'))"}).publish(
        {0: 5}, _=planes(a=10, b=21, c=30)
    )
    with pytest.raises(Refused, match="told apart by id, seats, those of the old by id"):
        result_comparison.compare(places, "planes_v1", "planes_v2")
    assert result_comparison.compare(places, "planes_v1", "planes_v2", ("id",)).is_equal


def test_a_definition_that_cannot_be_read_needs_a_key(places: Places, old: KeptResult) -> None:
    KeptResult(places, "planes_v2", LATEST | {"answers": "Newest(of=('id'))"}).publish({0: 5}, _=planes(a=1))
    with pytest.raises(Refused, match="name them with --key"):
        result_comparison.compare(places, "planes_v1", "planes_v2")
    assert result_comparison.compare(places, "planes_v1", "planes_v2", ("id",)).answers[""].missing == 2


def test_a_vacuumed_version_is_explained(places: Places, old: KeptResult) -> None:
    KeptResult(places, "planes_v2").publish({0: 5}, _=planes(a=1)).publish({0: 6}, _=planes(a=2))
    table = DeltaTable(places.table("planes_v2"))
    table.vacuum(0, dry_run=False, enforce_retention_duration=False)
    with pytest.raises(Refused, match="as after a vacuum: run both jobs to the end"):
        result_comparison.compare(places, "planes_v1", "planes_v2")


def test_a_table_in_the_place_of_another_is_refused(places: Places, old: KeptResult) -> None:
    KeptResult(places, "planes_v2").publish({0: 5}, _=planes(a=1))
    shutil.rmtree(Path(places.tables, "planes_v2"))
    KeptResult(places, "planes_v2").write(places.table("planes_v2"), planes(a=1))
    with pytest.raises(Refused, match="is not the one that the ledger of planes_v2 knows"):
        result_comparison.compare(places, "planes_v1", "planes_v2")


def test_a_result_that_is_not_there_is_refused(places: Places, old: KeptResult) -> None:
    with pytest.raises(Refused, match="there is no result planes_v7"):
        result_comparison.compare(places, "planes_v1", "planes_v7")


HOUR = pa.array([datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (8, 9)], pa.timestamp("us", "UTC"))
PLACE = {"record_partition": [0, 0], "record_offset": [1, 2]}
KINDS = {
    "windows": (
        {
            "topic": "t",
            "panes": "{'every': '1 hour', 'by': ('site',), 'averages': ('x',)}",
            "windows": "tumbling 1 hour",
        },
        "_",
        {
            "window_kind": ["h", "h"],
            "window_start": HOUR,
            "window_end": HOUR,
            "site": ["n", None],
            "x_mean": [1.0, 2.0],
        },
    ),
    "a ranking": (
        {
            "topic": "t",
            "panes": "{'every': '1 hour', 'by': ('site',)}",
            "windows": "tumbling 1 hour",
            "answers": "Top(n=3, item='site', by='records')",
        },
        "top",
        {"window_kind": ["h", "h"], "window_start": HOUR, "site": ["n", None], "rank": [1, 2], "records": [5, 6]},
    ),
    "sessions": (
        {"topic": "t", "panes": "None", "windows": "", "answers": "Sessions(by=('site'), gap='1 hour')"},
        "_",
        {"site": ["n", None], "session_start": HOUR, "records": [1, 2]},
    ),
    "an answer of events": (turnaround.RESULT.definition(), "_", PLACE | {"outcome": ["a", "b"]}),
    "a row for each record": (
        {"topic": "t", "panes": "None", "windows": "", "membership": "{'horizon': '2 days'}"},
        "_",
        PLACE | {"seen_before": [True, False]},
    ),
}
"""By kind: the definition, the table, and its columns, of which the last one is no key."""


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_answer(places: Places, kind: str) -> None:
    definition, part, columns = KINDS[kind]
    *_, value = columns
    rows = pa.table(columns)
    other = rows.set_column(rows.column_names.index(value), value, rows[value].take(pa.array([1, 1])))
    windows = pa.table(KINDS["windows"][2])
    for name, table in (("r_v1", rows), ("r_v2", other)):
        KeptResult(places, name, definition).publish({0: 5}, **({"_": windows} | {part: table}))
    found = result_comparison.compare(places, "r_v1", "r_v2")
    answer = "" if part == "_" else part
    assert (found.answers[answer].different, dict(found.answers[answer].columns)) == (1, {value: 1})
    assert (found.answers[answer].missing, found.answers[answer].added) == (0, 0)


def keys_of_answers(definition: dict[str, str]) -> dict[str, tuple[str, ...]]:
    return {part: each.key for part, each in answer_keys.read("r_v1", definition).items() if each.of_answer}


@pytest.mark.parametrize("module", [each.stem for each in JOBS])
def test_keys_are_read_from_the_definition_of_each_job(module: str) -> None:
    result = getattr(importlib.import_module(f"jobs.{module}"), "RESULT", None)
    if isinstance(result, Result):
        expected = result.answer_keys or {"": ("record_partition", "record_offset")}
        assert keys_of_answers(result.definition()) == expected


def test_keys_of_latest_rows_with_and_without_a_name() -> None:
    text = "Latest(key=('id')); Latest(key=('id', 'change_source'), name='all')"
    assert keys_of_answers(LATEST | {"answers": text}) == {"": ("id",), "all": ("id", "change_source")}


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch /tmp/never')",
        "Latest(key=__import__('os'))",
        "Latest(**{'key': ('a',)})",
        "Latest(key=('id'),",
        "x = 1",
        "Latest(" * 5_000,
        "[i for i in range(9)]",
        "pathlib.Path('/')",
        "Latest(key=('id'), nothing=1)",
        "'\x00'",
    ],
)
def test_a_definition_is_no_code(text: str) -> None:
    with pytest.raises(Refused, match="name them with --key"):
        answer_keys.read("r_v1", LATEST | {"answers": text})


def deleted(*ids: str | None) -> pa.Table:
    """Deleted keys, at places in the order of their names; None: what is known of the log of the database."""
    places = pa.array(range(len(ids)), pa.int64())
    return pa.table({"id": pa.array(ids, pa.string()), "change_commit": places, "change_lsn": places})


def test_deleted_keys_are_compared_but_not_what_is_known_of_the_log(places: Places) -> None:
    for name, gone in (("p_v1", deleted("x", "y", None)), ("p_v2", deleted("x", "z"))):
        KeptResult(places, name).publish({0: 5}, _=planes(a=1), deleted=gone)
    found = result_comparison.compare(places, "p_v1", "p_v2")
    rows = found.answers["deleted"]
    assert found.answers[""].is_equal and not found.is_equal
    assert (rows.old_rows, rows.missing, rows.added, rows.different) == (2, 1, 1, 0)
    assert list(result_comparison.compare(places, "p_v1", "p_v2", ("id",)).answers) == [""]


def test_rules_are_compared_but_not_what_they_took(places: Places) -> None:
    answers = (
        "Versions(key=('rule'), name='history'); StoredQueries(each='t', rules=Versions(key=('rule'), name='history'), "
        "predicate='text', fields=('site'))"
    )
    key = {name: pa.array([1, 2]) for name in ("change_commit", "change_lsn", "change_op")}
    version = {"rule": ["a", "b"]} | key
    event = PLACE | {"rule": ["a", "b"]}
    for name, hits, micros in (("q_v1", [3, 4], [0.5, 0.5]), ("q_v2", [3, 5], [0.7, 0.9])):
        rules = pa.table(version | {"hits": hits, "tried": [hits[0], 9 * hits[1]], "micros_an_event": micros})
        made = KeptResult(places, name, LATEST | {"answers": answers})
        made.publish({0: 5}, _=pa.table(event), history=pa.table(version), rules=rules)
    found = result_comparison.compare(places, "q_v1", "q_v2")
    assert dict(found.answers["rules"].columns) == {"hits": 1}
    assert found.answers[""].is_equal and found.answers["history"].is_equal
