"""The latest row of each key, against a loop over the changes in the order of the database."""

from itertools import permutations
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.answers.changes import row_states
from jobs.answers.changes.change_order import MARKS, ChangeOrder

STATE = pa.schema(
    [
        ("id", pa.int64()),
        ("name", pa.string()),
        ("body", pa.string()),
        ("note", pa.string()),
        ("change_op", pa.string()),
        ("change_time", pa.timestamp("us", "UTC")),
        ("change_source", pa.string()),
        ("change_commit", pa.int64()),
        ("change_lsn", pa.int64()),
        ("change_carried", pa.string()),
    ]
)


NOTHING = ChangeOrder(pa.Table.from_pylist([], pa.schema([STATE.field(name) for name in MARKS])))
"""Before the first change."""


class Change(NamedTuple):
    op: str
    id: int
    commit: int | None
    lsn: int | None
    values: dict[str, str | None]
    unknown: list[str]
    time: int = 0
    """Microseconds since 1970."""
    clears: bool = False
    old: str | None = None
    """JSON object: the key before."""


@st.composite
def histories(draw: st.DrawFn) -> list[Change]:
    """Changes of three keys as a database makes them, in its order."""
    made, live, commit = list[Change](), set[int](), 0
    for number in range(draw(st.integers(1, 14))):
        lsn = draw(st.sampled_from([None, 0, 1]))
        key = draw(st.integers(1, 3))
        if key not in live:
            op, unknown = "insert", list[str]()
        else:
            op = draw(st.sampled_from(["update", "update", "delete", "snapshot"]))
            unknown = draw(st.lists(st.sampled_from(["body", "note"]), unique=True)) if op == "update" else []
        commit += 0 if lsn == 1 and made and made[-1].lsn == 0 and op != "snapshot" else 10
        live = live - {key} if op == "delete" else live | {key}
        values = {name: draw(st.sampled_from([f"{name}{number}", None])) for name in ("name", "body", "note")}
        values = {name: None if name in unknown or op == "delete" else value for name, value in values.items()}
        made.append(Change(op, key, commit, lsn, values, unknown))
    return made


def expected(history: list[Change]) -> dict[int, dict[str, str | None]]:
    """The rows after all changes, one after the other."""
    rows = dict[int, dict[str, str | None]]()
    for change in history:
        before = rows.pop(change.id, {})
        if change.op != "delete":
            rows[change.id] = change.values | {name: before[name] for name in change.unknown}
    return rows


def table(changes: list[Change]) -> pa.Table:
    rows = [
        {"id": one.id, "change_op": one.op, "change_commit": one.commit, "change_lsn": one.lsn} | one.values
        | {"change_time": one.time, "change_clears": one.clears, "change_old": one.old}
        | {"change_unknown": str(one.unknown).replace("'", '"') if one.unknown else None}
        for one in changes
    ]  # fmt: skip
    columns = STATE.remove(STATE.get_field_index("change_carried")).append(pa.field("change_unknown", pa.string()))
    columns = columns.append(pa.field("change_clears", pa.bool_())).append(pa.field("change_old", pa.string()))
    return pa.Table.from_pylist(rows, columns)


def after(changes: list[Change], states: pa.Table, order: ChangeOrder) -> tuple[pa.Table, ChangeOrder]:
    order = order.after(table(changes))
    return row_states.newest(states, row_states.of_rows(table(changes)), ("id",), order), order


def rows_of(states: pa.Table) -> dict[int, dict[str, Any]]:
    live = states.filter(pc.invert(row_states.is_deleted(states))).to_pylist()
    return {row["id"]: {name: row[name] for name in ("name", "body", "note")} for row in live}


@settings(deadline=None)
@given(histories(), st.randoms(use_true_random=False), st.lists(st.integers(0, 20), max_size=4))
def test_the_order_of_arrival_and_the_cut_do_not_matter(history: list[Change], dice: Any, cuts: list[int]) -> None:
    arrived = history + dice.sample(history, len(history) // 2)  # some come again
    dice.shuffle(arrived)
    states, order = STATE.empty_table(), NOTHING
    for first, until in zip([0, *sorted(cuts)], [*sorted(cuts), len(arrived)], strict=True):
        states, order = after(arrived[first:until], states, order)
    assert rows_of(states) == expected(history)
    assert len(states) == len({change.id for change in history})


def test_what_no_change_has_told_is_said() -> None:
    alone = Change("update", 1, 5, None, {"name": "new"}, ["body"])
    earlier = Change("insert", 1, 3, 7, {"name": "old", "body": "large"}, [])
    states, order = after([alone], STATE.empty_table(), NOTHING)
    [row] = states.to_pylist()
    assert (row["name"], row["body"], row["change_carried"]) == ("new", None, '{"body": null}')
    [row] = after([earlier], states, order)[0].to_pylist()
    assert (row["name"], row["body"], row["change_carried"]) == ("new", "large", '{"body": [3, 7, 0]}')


def snapshot(key: int, place: int, name: str, time: int = 0) -> Change:
    return Change("snapshot", key, place, place, {"name": name, "body": name}, [], time, clears=True)


def outcome(arrived: list[Change]) -> dict[int, tuple[str, str]]:
    """By key, name and body, after all of these have come one by one."""
    states, order = STATE.empty_table(), NOTHING
    for change in arrived:
        states, order = after([change], states, order)
    live = states.filter(pa.array(~order.is_cleared(states)))
    return {key: (row["name"], row["body"]) for key, row in rows_of(live).items()}


def test_the_first_transaction_after_a_snapshot_may_have_written_before_it() -> None:
    """The capture tool knows no commit before it. The snapshot shows the row without it, or does not show it."""
    before = Change("update", 1, 80, 95, {"name": "seen", "body": "seen"}, [])
    away = Change("insert", 2, 80, 95, {"name": "deleted while nobody looked"}, [])
    first = Change("update", 1, None, 90, {"name": "first"}, ["body"], time=5)
    added = Change("insert", 3, None, 91, {"name": "added", "body": "added"}, [], time=5)
    for arrived in permutations([before, away, snapshot(1, 100, "shown"), first, added]):
        assert outcome(list(arrived)) == {1: ("first", "shown"), 3: ("added", "added")}, arrived


def test_of_several_snapshots_it_follows_the_last_one_before_its_commit() -> None:
    changes = [
        snapshot(1, 100, "one", time=10),
        Change("update", 1, None, 90, {"name": "after one"}, [], time=11),
        snapshot(1, 200, "two", time=20),
    ]
    later = Change("update", 1, None, 190, {"name": "after two"}, ["body"], time=21)
    for arrived in permutations(changes):
        assert outcome(list(arrived)) == {1: ("two", "two")}
    for arrived in permutations([*changes, later]):
        assert outcome(list(arrived)) == {1: ("after two", "two")}


def test_a_truncate_clears_what_was_before_it() -> None:
    changes = [
        Change("insert", 1, 10, 11, {"name": "gone", "body": "gone"}, []),
        Change("truncate", 0, 10, 12, {}, [], clears=True),
        Change("insert", 2, 10, 13, {"name": "stays", "body": "stays"}, []),
        Change("none", 0, None, None, {}, []),
    ]
    for arrived in permutations(changes):
        assert outcome(list(arrived)) == {2: ("stays", "stays")}


def test_a_changed_key_is_a_deletion_and_an_insertion() -> None:
    """Also where one statement moves rows along, whose changes have one place; and where nobody can read the key."""
    rows = [Change("insert", key, 1, key, {"name": f"row {key}"}, []) for key in (1, 2, 3)]
    moved = [Change("update", key + 1, 5, 0, {"name": f"row {key}"}, [], old=f'{{"id": {key}}}') for key in (3, 2, 1)]
    odd = [Change("update", 9, 6, 0, {"name": "odd"}, [], old='{"id": "x"}')]
    states, order = after(rows, STATE.empty_table(), NOTHING)
    states, _ = after([*moved, *odd], states, order)
    names = {key: row["name"] for key, row in rows_of(states).items()}
    assert names == {2: "row 1", 3: "row 2", 4: "row 3", 9: "odd"}
