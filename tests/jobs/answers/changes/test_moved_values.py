"""Rows whose primary key is changed, with large values that the change does not tell: against a dictionary."""

import json
from typing import Any, NamedTuple

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.answers.changes import row_states, version_rows
from jobs.answers.changes.change_order import MARKS, ChangeOrder
from jobs.answers.changes.moved_values import with_moved_values
from jobs.answers.changes.version_rows import Timeline

TIME = pa.timestamp("us", "UTC")
VALUES = ("body", "note")
KNOWN = [
    ("change_op", pa.string()), ("change_time", TIME), ("change_source", pa.string()), ("change_commit", pa.int64()),
    ("change_lsn", pa.int64()),
]  # fmt: skip
ROW = [("id", pa.int64()), *((name, pa.string()) for name in VALUES)]
STATE = pa.schema([*ROW, *KNOWN, ("change_carried", pa.string())])
VERSION = pa.schema([*ROW, ("valid_from", TIME), ("valid_to", TIME), *KNOWN, ("change_carried", pa.string())])
CHANGE = pa.schema(
    [*ROW, *KNOWN, ("change_unknown", pa.string()), ("change_old", pa.string()), ("change_clears", pa.bool_()),
     ("change_transaction", pa.string())]
)  # fmt: skip
NOTHING = ChangeOrder(pa.Table.from_pylist([], pa.schema([STATE.field(name) for name in MARKS])))


class Change(NamedTuple):
    op: str
    id: int
    transaction: int
    lsn: int
    values: dict[str, str]
    """Those that it tells."""

    def record(self) -> dict[str, Any]:
        untold = [name for name in VALUES if name not in self.values] if self.op != "delete" else []
        found = {"id": self.id, "change_op": self.op, "change_source": "store", "change_lsn": self.lsn} | self.values
        found |= {"change_time": 10 * self.transaction, "change_commit": 100 * self.transaction}
        return found | {
            "change_unknown": json.dumps(untold) if untold else None,
            "change_transaction": str(self.transaction),
        }


class History(NamedTuple):
    transactions: list[list[Change]]
    rows: list[dict[int, dict[str, str]]]
    """After each of them, by key."""


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Rows of four keys are inserted, updated, deleted, and get another key."""
    transactions, states, rows, lsn = [], [], dict[int, dict[str, str]](), 0
    for transaction in range(1, draw(st.integers(1, 6)) + 1):
        made: list[Change] = []
        for _ in range(draw(st.integers(1, 4))):
            lsn, key = lsn + 1, draw(st.integers(1, 4))
            told = {name: f"{name}{lsn}" for name in VALUES if key not in rows or draw(st.booleans())}
            op = draw(st.sampled_from(["update", "move", "move", "delete"])) if key in rows else "insert"
            if op == "move":
                to = draw(st.integers(1, 4).filter(lambda to: to not in rows or to == key))  # noqa: B023
                op = op if to != key else "update"
            if op in ("move", "delete"):
                made.append(Change("delete", key, transaction, lsn, {}))
                before = rows.pop(key)
            if op == "move":
                made.append(Change("insert", to, transaction, lsn, told))
                rows[to] = before | told
            if op in ("insert", "update"):
                made.append(Change(op, key, transaction, lsn, told))
                rows[key] = rows.get(key, {}) | told
        transactions.append(made)
        states.append({key: dict(row) for key, row in rows.items()})
    return History(transactions, states)


def table(changes: list[Change]) -> pa.Table:
    return pa.Table.from_pylist([change.record() for change in changes], CHANGE)


@settings(deadline=None)
@given(histories(), st.randoms(use_true_random=False), st.integers(1, 3))
def test_rows_have_the_values_of_the_row_whose_key_was_changed(history: History, dice: Any, size: int) -> None:
    """So many transactions in a publish, their changes in any order, and some that came before."""
    states, order = STATE.empty_table(), NOTHING
    for first in range(0, len(history.transactions), size):
        arrived = [change for part in history.transactions[first : first + size] for change in part]
        earlier = [change for part in history.transactions[max(0, first - 1) : first] for change in part]
        arrived += earlier if dice.random() < 0.5 else []
        dice.shuffle(arrived)
        changes = table(arrived)
        order = order.after(changes)
        live = states.filter(pa.array(~row_states.is_deleted(states).to_numpy(zero_copy_only=False)))
        states = row_states.newest(states, with_moved_values(changes, live, ("id",), order), ("id",), order)
        found = {row["id"]: row for row in states.to_pylist() if row["change_op"] != "delete"}
        shown = {key: {name: row[name] for name in VALUES} for key, row in found.items()}
        assert shown == history.rows[min(first + size, len(history.rows)) - 1]


@settings(deadline=None)
@given(histories(), st.randoms(use_true_random=False), st.integers(1, 3))
def test_so_have_versions(history: History, dice: Any, size: int) -> None:
    known, order = Timeline(VERSION.empty_table(), pa.schema([("id", pa.int64()), *KNOWN]).empty_table()), NOTHING
    for first in range(0, len(history.transactions), size):
        arrived = [change for part in history.transactions[first : first + size] for change in part]
        dice.shuffle(arrived)
        changes = table(arrived)
        order = order.after(changes)
        changes = with_moved_values(changes, known.versions, ("id",), order)
        known = version_rows.timeline(known, changes, ("id",), None, order)
        found = [row for row in known.versions.to_pylist() if row["valid_to"] is None]
        shown = {row["id"]: {name: row[name] for name in VALUES} for row in found}
        assert shown == history.rows[min(first + size, len(history.rows)) - 1]


def test_without_whole_transactions_nothing_is_filled() -> None:
    """The deletion may have come in an earlier publish: whether there is a value would depend on the cut."""
    moved = [
        Change("insert", 1, 1, 1, {"body": "b", "note": "n"}),
        Change("delete", 1, 2, 2, {}),
        Change("insert", 2, 2, 2, {}),
    ]
    changes = table(moved).drop_columns(["change_transaction"])
    order = NOTHING.after(changes)
    assert with_moved_values(changes, STATE.empty_table(), ("id",), order) is changes
    filled = with_moved_values(table(moved), STATE.empty_table(), ("id",), order)
    assert filled.to_pylist()[2] | {"body": "b", "note": "n", "change_unknown": None} == filled.to_pylist()[2]
