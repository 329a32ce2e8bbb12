"""Up to which commit of a database all transactions have come, so that what is published holds each of them as a whole.

The topic of transactions has their ends in the order of their commits, and how many changes of which table each has.
The border moves from end to end, as long as all changes of the topics that are read have come. Changes behind it wait.
Everything before a snapshot of all rows is in it, so the border moves there, too.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.events.changes.change_form import NONE, SNAPSHOT, TRANSACTION, WHOLE_SNAPSHOT
from jobs.events.changes.debezium_transactions import BEGIN, END, prefix

ID = TRANSACTION.name


@dataclass(frozen=True)
class Border:
    """Where the published transactions end."""

    commit: int = -1
    """LSN of the last commit that is published: that of a transaction, or of what a snapshot has shown."""
    ended: int = -1
    """LSN of the commit of the last published transaction."""
    offset: int = -1
    """Offset of its end in the topic of transactions."""
    ids: frozenset[str] = frozenset()
    """Transactions that are known to have ended before."""


@dataclass(frozen=True)
class Transaction:
    """One that has ended."""

    id: str
    lsn: int
    """Of its commit."""
    offset: int
    micros: int
    """When its end was written into the log, in microseconds since 1970."""
    counts: Mapping[str, int]
    """By table, how many changes it has, as the capture tool has counted."""
    is_counted: bool
    """Whether the tool has counted all of them: if it was killed meanwhile, it has counted from where it went on."""


@dataclass(frozen=True)
class Step:
    """How far the border moves."""

    border: Border
    blocked_by: Transaction | None
    """The first transaction that has ended and lacks changes."""
    parts: int
    """Transactions that are published though they lack changes."""


def advance(
    border: Border,
    changes: Mapping[str, tuple[pa.Table, tuple[str, ...]]],
    marks: pa.Table,
    is_over: Callable[[Transaction], bool],
) -> Step:
    """Move the border over all that has come. `changes`: by table, as the topic of transactions calls it, those since
    the border, and the columns of their key; `marks`: the records of that topic. `is_over`: whether a transaction that
    lacks changes is no longer waited for.
    """
    commits = [border.commit, *(commit for rows, _ in changes.values() for commit in _of_no_transaction(rows))]
    border = replace(border, commit=max(commits))
    arrived = {table: _change_counts(rows, key) for table, (rows, key) in changes.items()}
    parts = 0
    for one in _transactions(marks, border.offset):
        if one.lsn > border.commit:
            lacks = any(arrived[table][one.id] < count for table, count in one.counts.items() if table in arrived)
            if (lacks or not one.is_counted) and not is_over(one):
                return Step(border, one, parts)
            parts += lacks
        commit, ended, offset = max(one.lsn, border.commit), max(one.lsn, border.ended), max(one.offset, border.offset)
        border = Border(commit, ended, offset, border.ids | {one.id})
    return Step(border, None, parts)


def table(topic: str, transactions: str) -> str:
    """The table whose changes are in `topic`, as the topic `transactions` of its database calls it."""
    return topic.removeprefix(prefix(transactions))


def open_marks(marks: pa.Table, border: Border) -> pa.Table:
    """Those of the marks that the border has not passed."""
    is_end = pc.equal(marks["transaction_status"], END)
    is_open = pc.if_else(is_end, pc.greater(marks["transaction_lsn"], border.commit), True)
    return marks.filter(pc.and_(is_open, pc.greater(marks["record_offset"], border.offset)))


def _of_no_transaction(rows: pa.Table) -> Iterator[int]:
    """The last commit before a snapshot of all rows, and that before a change of which nobody tells the transaction: no
    end of an earlier one is still to come.
    """
    is_snapshot = pc.equal(rows["change_op"], SNAPSHOT)
    is_whole = pc.fill_null(pc.equal(rows[ID], WHOLE_SNAPSHOT), False)
    is_untold = pc.and_(pc.is_null(rows[ID]), pc.invert(pc.or_(is_snapshot, pc.equal(rows["change_op"], NONE))))
    found = pc.max(rows.filter(pc.or_(is_whole, is_untold))["change_commit"]).as_py()
    if found is not None:
        yield found


def _change_counts(rows: pa.Table, key: tuple[str, ...]) -> Counter[str]:
    """By transaction, how many of its changes have come: each counts once, however often it came."""
    known = rows.filter(pc.is_valid(rows[ID]))
    once = known.select([ID, "change_lsn", "change_op", *key]).group_by([ID, "change_lsn", "change_op", *key])
    counted = once.aggregate([]).group_by(ID).aggregate([([], "count_all")])
    return Counter(dict(zip(counted[ID].to_pylist(), counted["count_all"].to_pylist(), strict=True)))


def _transactions(marks: pa.Table, after: int) -> Iterable[Transaction]:
    """The transactions with an end, in the order of the first. `after`: the offset of the border."""
    begun, found = Counter[str](), dict[str, Transaction]()
    for mark in marks.sort_by("record_offset").to_pylist():
        number, offset = mark["transaction_id"], mark["record_offset"]
        if mark["transaction_status"] == BEGIN and offset > after:
            begun[number] += 1
        elif mark["transaction_status"] == END:
            micros = int(mark["record_timestamp"].timestamp() * 1_000_000)
            counts = json.loads(mark["transaction_counts"])
            # A later end may be of a tool that has gone on in the middle of the transaction.
            one = Transaction(number, mark["transaction_lsn"], offset, micros, counts, begun[number] == 1)
            found.setdefault(number, one)
            begun.clear()
    return found.values()


def is_ready(rows: pa.Table, step: Step) -> np.ndarray:
    """Which of these changes the border has passed. One of no transaction, of a snapshot beside the changes, waits
    behind those that wait: see `waits_from`.
    """
    border = step.border
    # One that knows no commit before it is of the first transaction after a snapshot, or after the tool was set up.
    known = pc.fill_null(rows["change_commit"], 2**63 - 1).to_numpy()
    is_first = rows["change_commit"].is_null().to_numpy() & (border.ended == border.commit)
    lsn = pc.fill_null(rows["change_lsn"], 2**63 - 1).to_numpy()
    is_passed = (known < border.commit) | (is_first & (lsn < border.ended))
    is_ended = pc.is_in(rows[ID], pa.array(sorted(border.ids), pa.string())).to_numpy()
    is_of_none = pc.is_null(rows[ID]).to_numpy()
    is_whole = pc.fill_null(pc.equal(rows[ID], WHOLE_SNAPSHOT), False).to_numpy()
    ready: np.ndarray = is_of_none | is_whole | is_ended | is_passed
    return ready


def waits_from(rows: Iterable[pa.Table], step: Step) -> int:
    """The least commit before which a change of no transaction does not wait, of these changes that do wait."""
    ends = [step.blocked_by.lsn] if step.blocked_by else []
    for part in rows:
        first = pc.min(pc.coalesce(part["change_commit"], part["change_lsn"])).as_py()
        ends += [first + 1] if first is not None else []
    return min(ends, default=2**63 - 1)


def is_behind(rows: pa.Table, commit: int) -> np.ndarray:
    """Which of these changes are of no transaction, and come after this commit."""
    is_snapshot = pc.and_(pc.is_null(rows[ID]), pc.equal(rows["change_op"], SNAPSHOT)).to_numpy()
    behind: np.ndarray = is_snapshot & (pc.fill_null(rows["change_commit"], -1).to_numpy() >= commit)
    return behind
