"""Which changes a publish takes in, if it shows whole transactions: those that transaction_border.py has passed."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.answers.changes import transaction_border
from jobs.answers.changes.transaction_border import Border, Step, Transaction
from jobs.answers.result import Result
from jobs.log.offsets import Offsets
from jobs.running import durations

Read = Callable[[str, int], pa.Table]
"""The kept changes of a topic, or its marks of transactions, of ledger rows after this one; in order of offset."""


@dataclass(frozen=True)
class Progress:
    """What a publish follows."""

    transactions: Mapping[str, Mapping[str, int]]
    """As the ledger has it."""
    ends: Mapping[str, Offsets]
    """By topic and partition, the offset after the last record that was read."""
    log_ends: Callable[[str], Offsets]
    """Where the log of a topic ends now."""


@dataclass(frozen=True)
class Ready:
    """What a publish takes in of one database."""

    changes: dict[str, pa.Table]
    """By topic."""
    transactions: dict[str, int]
    """As the ledger has it."""
    notes: tuple[str, ...]


def ready_changes(result: Result, topic: str, progress: Progress, read: Read, published: int, now: int) -> Ready:
    """The changes of the database whose transactions are in `topic`. `published`: the ledger row up to which changes
    were published, or waited; `now`: that of this publish.
    """
    before = progress.transactions.get(topic, {})
    since = before.get("waiting_sequence", published)
    border = Border(before.get("commit", -1), before.get("ended", -1), before.get("offset", -1))
    forms = {each.topic.TOPIC: each.form for each in result.all_reads if each.form}
    topics = [name for name, form in forms.items() if form.transaction_topic == topic]
    keys = {result.change_topic(each): each.key for each in result.change_answers}
    rows, marks = {name: read(name, since) for name in topics}, read(topic, since)
    tables = {transaction_border.table(name, topic): (rows[name], keys[name]) for name in topics}
    waits = durations.seconds(getattr(forms[topics[0]], "wait", "0 seconds"))
    is_read_beyond = _reading_test(rows, progress)

    def is_over(one: Transaction) -> bool:
        return time.time() * 1_000_000 >= one.micros + waits * 1_000_000 and is_read_beyond(one.lsn)

    step = transaction_border.advance(border, tables, marks, is_over)
    ready = {name: transaction_border.is_ready(part, step) for name, part in rows.items()}
    behind = transaction_border.waits_from((rows[name].filter(pa.array(~ready[name])) for name in topics), step)
    ready = {name: one & ~transaction_border.is_behind(rows[name], behind) for name, one in ready.items()}
    waiting = [part.filter(pa.array(~ready[name])) for name, part in rows.items()]
    settled = (
        min(
            [
                now + 1,
                *(_first_sequence(part) for part in (*waiting, transaction_border.open_marks(marks, step.border))),
            ]
        )
        - 1
    )
    ledger = {"commit": step.border.commit, "ended": step.border.ended, "offset": step.border.offset}
    ledger |= {"waiting_sequence": settled, "waiting": sum(map(len, waiting))}
    return Ready({name: part.filter(pa.array(ready[name])) for name, part in rows.items()}, ledger, _notes(step, waits))


def _notes(step: Step, waits: int) -> tuple[str, ...]:
    if not step.parts:
        return ()
    which = "1 transaction was" if step.parts == 1 else f"{step.parts:,} transactions were"
    return (f"{which} published in part: {waits} seconds after the end some changes have not come",)


def _first_sequence(rows: pa.Table) -> int:
    found = pc.min(rows["sequence"]).as_py()
    return int(found) if found is not None else 2**63 - 1


def _reading_test(rows: Mapping[str, pa.Table], progress: Progress) -> Callable[[int], bool]:
    """Says of a commit whether each partition of these topics was read beyond it, or to the end of the log."""
    log_ends, ends = cache(progress.log_ends), progress.ends

    def is_read_beyond(commit: int) -> bool:
        for topic, part in rows.items():
            is_later = np.nan_to_num(part["change_commit"].to_numpy(), nan=-1) >= commit
            later = set(part["record_partition"].filter(pa.array(is_later)).to_pylist())
            unread = {number for number, end in log_ends(topic).items() if ends[topic].get(number, 0) < end}
            if unread - later:
                return False
        return True

    return is_read_beyond
