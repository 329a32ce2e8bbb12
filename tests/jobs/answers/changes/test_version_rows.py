"""The versions of each key, against a database that is looked at after each of its transactions."""

from bisect import bisect_right
from itertools import accumulate, permutations
from typing import Any, NamedTuple

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.answers.changes import row_states, version_rows
from jobs.answers.changes.change_order import MARKS, ChangeOrder
from jobs.answers.changes.version_rows import Timeline

TIME = pa.timestamp("us", "UTC")
KNOWN = [
    ("change_op", pa.string()), ("change_time", TIME), ("change_source", pa.string()), ("change_commit", pa.int64()),
    ("change_lsn", pa.int64()),
]  # fmt: skip
VERSION = pa.schema(
    [("id", pa.int64()), ("name", pa.string()), ("body", pa.string()), ("since", TIME), ("valid_from", TIME),
     ("valid_to", TIME), *KNOWN, ("change_carried", pa.string())]
)  # fmt: skip
DELETION = pa.schema([("id", pa.int64()), *KNOWN])
CHANGE = pa.schema(
    [("id", pa.int64()), ("name", pa.string()), ("body", pa.string()), ("since", TIME), *KNOWN,
     ("change_unknown", pa.string()), ("change_old", pa.string()), ("change_clears", pa.bool_())]
)  # fmt: skip
NOTHING = ChangeOrder(pa.Table.from_pylist([], pa.schema([VERSION.field(name) for name in MARKS])))
Row = tuple[str | None, str | None]
"""Name and body."""


class Change(NamedTuple):
    op: str
    id: int
    commit: int
    name: str | None = None
    body: str | None = None
    """None in an update: the change does not tell it."""
    time: int = 0
    """When it was made, microseconds since 1970."""
    since: int | None = None
    clears: bool = False

    def record(self) -> dict[str, Any]:
        untold = '["body"]' if self.op == "update" and self.body is None else None
        found = {"id": self.id, "name": self.name, "body": self.body, "since": self.since, "change_op": self.op}
        found |= {"change_time": self.time, "change_commit": self.commit, "change_lsn": self.commit + 1}
        return found | {"change_unknown": untold, "change_clears": self.clears}


@st.composite
def histories(draw: st.DrawFn) -> list[Change]:
    """Changes of three keys in the order of the database."""
    made, live = list[Change](), dict[int, str | None]()
    for number in range(1, draw(st.integers(1, 14)) + 1):
        time, key, commit = draw(st.integers(0, 30)), draw(st.integers(1, 3)), 10 * number
        since = draw(st.one_of(st.none(), st.integers(0, 30)))
        if key not in live:
            op = draw(st.sampled_from(["insert", "insert", "insert", "truncate"]))
        else:
            op = draw(st.sampled_from(["update", "update", "delete", "snapshot", "truncate"]))
        body = draw(st.sampled_from([f"b{number}", None])) if op == "update" else f"b{number}"
        if op == "truncate":
            made.append(Change(op, 0, commit, time=time, clears=True))
            live.clear()
        elif op == "delete":
            made.append(Change(op, key, commit, time=time))
            del live[key]
        else:
            made.append(Change(op, key, commit, f"n{number}", body, time, since))
            live[key] = body
    return made


def after(arrived: list[Change], known: Timeline, order: ChangeOrder, valid_from: str | None) -> Any:
    """The timeline and the order after these; every key is looked at, as a TRUNCATE concerns them all."""
    changes = pa.Table.from_pylist([change.record() for change in arrived], CHANGE)
    order = order.after(changes)
    of_rows = row_states.of_rows(changes)
    return version_rows.timeline(known, of_rows, ("id",), valid_from, order), order


def all_versions(arrived: list[Change], cuts: list[int], valid_from: str | None) -> list[dict[str, Any]]:
    known, order = Timeline(VERSION.empty_table(), DELETION.empty_table()), NOTHING
    for first, until in zip([0, *cuts], [*cuts, len(arrived)], strict=True):
        known, order = after(arrived[first:until], known, order, valid_from)
    columns = [known.versions[name].cast(pa.int64()).to_pylist() for name in ("valid_from", "valid_to")]
    rows = known.versions.to_pylist()
    return [row | {"from": begin, "to": end} for row, begin, end in zip(rows, *columns, strict=True)]


def valid_at(versions: list[dict[str, Any]], instant: int) -> dict[int, Row]:
    """What a reader finds for an instant; no key twice."""
    found = dict[int, Row]()
    for row in versions:
        if row["from"] <= instant and (row["to"] is None or instant < row["to"]):
            assert row["id"] not in found
            found[row["id"]] = (row["name"], row["body"])
    return found


def in_order_of_time(history: list[Change]) -> list[Change]:
    """The history, of a database whose clock never goes back; it may stand."""
    times = accumulate((change.time for change in history), max)
    return [change._replace(time=time) for change, time in zip(history, times, strict=True)]


@settings(deadline=None)
@given(histories(), st.randoms(use_true_random=False), st.lists(st.integers(0, 20), max_size=3).map(sorted))
def test_at_each_instant_the_rows_are_those_that_the_database_had(
    history: list[Change], dice: Any, cuts: list[int]
) -> None:
    history = in_order_of_time(history)
    rows, states = dict[int, Row](), list[tuple[int, dict[int, Row]]]()
    for change in history:
        if change.op == "truncate":
            rows = {}
        elif change.op == "delete":
            del rows[change.id]
        else:
            body = change.body if change.body or change.op != "update" else rows[change.id][1]
            rows = rows | {change.id: (change.name, body)}
        states.append((change.time, dict(rows)))
    arrived = history + dice.sample(history, len(history) // 2)  # some come again
    dice.shuffle(arrived)
    versions = all_versions(arrived, cuts, None)
    for instant in range(-1, 32):
        place = bisect_right([time for time, _ in states], instant)
        assert valid_at(versions, instant) == (states[place - 1][1] if place else {})
    assert len(versions) == sum(change.op not in ("delete", "truncate") for change in history)


def expected_by_row(history: list[Change], instant: int) -> dict[int, Row]:
    """Of each key the version that is valid from the latest instant, unless a later deletion has come by then."""
    found = dict[int, Row]()
    bodies = dict[int, str | None]()
    for key in (1, 2, 3):
        versions = list[tuple[int, int, Row]]()
        for place, change in enumerate(history):
            if change.id == key and change.op not in ("delete", "truncate"):
                bodies[key] = change.body if change.body or change.op != "update" else bodies[key]
                since = change.time if change.since is None else change.since
                versions.append((since, place, (change.name, bodies[key])))
        begun = [version for version in versions if version[0] <= instant]
        if begun:
            _, place, row = max(begun)
            ended = (
                other.op == "truncate" or (other.op == "delete" and other.id == key) for other in history[place:]
                if other.time <= instant
            )  # fmt: skip
            if not any(ended):
                found[key] = row
    return found


@settings(deadline=None)
@given(histories(), st.randoms(use_true_random=False), st.lists(st.integers(0, 20), max_size=3).map(sorted))
def test_a_row_may_say_itself_from_when_on_it_is_valid(history: list[Change], dice: Any, cuts: list[int]) -> None:
    arrived = history + dice.sample(history, len(history) // 2)
    dice.shuffle(arrived)
    versions = all_versions(arrived, cuts, "since")
    for instant in range(-1, 32):
        assert valid_at(versions, instant) == expected_by_row(history, instant)


def test_a_clock_that_goes_back_changes_no_order() -> None:
    changes = [
        Change("insert", 1, 10, "a", "x", 9),
        Change("update", 1, 20, "b", "x", 5),
        Change("delete", 1, 30, time=7),
    ]
    for arrived in permutations(changes):
        found = {row["name"]: (row["from"], row["to"]) for row in all_versions(list(arrived), [2], None)}
        assert found == {"a": (9, 9), "b": (9, 9)}


def test_a_back_dated_version_splits_an_interval() -> None:
    first = Change("insert", 1, 10, "first", "x", time=100, since=100)
    third = Change("update", 1, 20, "third", "x", time=300, since=300)
    back = Change("update", 1, 30, "back", "x", time=400, since=200)
    for arrived in permutations([first, third, back]):
        found = sorted(all_versions(list(arrived), [1, 2], "since"), key=lambda row: row["from"])
        intervals = [(row["name"], row["from"], row["to"]) for row in found]
        assert intervals == [("first", 100, 200), ("back", 200, 300), ("third", 300, None)]


def test_of_one_instant_the_version_counts_that_was_recorded_last() -> None:
    changes = [Change("insert", 1, 10, "first", "x", since=5), Change("update", 1, 20, "corrected", "x", since=5)]
    for arrived in permutations(changes):
        found = {row["name"]: (row["from"], row["to"]) for row in all_versions(list(arrived), [1], "since")}
        assert found == {"first": (5, 5), "corrected": (5, None)}


def test_a_value_that_no_change_has_told_is_said() -> None:
    [row] = all_versions([Change("update", 1, 10, "new")], [], None)
    assert (row["body"], row["change_carried"]) == (None, '{"body": null}')
    found = all_versions([Change("update", 1, 10, "new"), Change("insert", 1, 5, "old", "large")], [1], None)
    assert [(row["body"], row["change_carried"]) for row in found if row["name"] == "new"] == [
        ("large", '{"body": [5, 6]}')
    ]


def test_a_change_that_comes_again_with_the_commit_before_it_is_one_version() -> None:
    """As after a snapshot, when the capture tool knows no commit at first."""
    records = [Change("insert", 1, 10, "a", "x", 5).record() | {"change_commit": commit} for commit in (None, 10)]
    for arrived in (records, records[::-1]):
        changes = pa.Table.from_pylist(arrived, CHANGE)
        known = Timeline(VERSION.empty_table(), DELETION.empty_table())
        found = version_rows.timeline(known, changes, ("id",), None, NOTHING).versions.to_pylist()
        assert [row["change_commit"] for row in found] == [10]


def test_two_changes_may_be_at_the_same_place_of_their_transactions() -> None:
    """As those of a tool that numbers the rows of each transaction from 0."""
    first, second = Change("insert", 1, 10, "a", "x", 5), Change("update", 1, 20, "b", "x", 6)
    records = [change.record() | {"change_lsn": 0} for change in (first, second)]
    known = Timeline(VERSION.empty_table(), DELETION.empty_table())
    found = version_rows.timeline(known, pa.Table.from_pylist(records, CHANGE), ("id",), None, NOTHING)
    assert [(row["name"], row["valid_to"] is None) for row in found.versions.to_pylist()] == [("a", False), ("b", True)]
