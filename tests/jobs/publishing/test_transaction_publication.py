"""What a publish takes in is what the database was after some commit, however far each partition was read."""

import json
from collections import defaultdict
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.types import LongType, StructField, StructType

from jobs.answers.latest import Latest
from jobs.answers.result import Reads, Result
from jobs.events.changes import debezium
from jobs.publishing import transaction_publication
from jobs.publishing.transaction_publication import Progress
from tests.jobs.bank_log import PREFIX, TABLES, TRANSACTIONS, Bank
from tests.jobs.keeping.laws import CUTS

COLUMNS = StructType([StructField("id", LongType(), False), StructField("balance", LongType())])
TOPICS = [f"{PREFIX}.{table}" for table in TABLES]
FORM = debezium.Debezium(transactions=TRANSACTIONS)
READS = tuple(Reads(SimpleNamespace(TOPIC=name, COLUMNS=COLUMNS), lambda rows: rows, form=FORM) for name in TOPICS)
RESULT = Result("bank_v1", READS, tuple(Latest(("id",), topic=one).named(one.split(".")[-1]) for one in TOPICS))
PARTITIONS = 3
KINDS = {
    "change_commit": pa.int64(), "change_lsn": pa.int64(), "change_transaction": pa.string(), "change_op": pa.string(),
    "id": pa.int64(), "balance": pa.int64(), "transaction_id": pa.string(), "transaction_status": pa.string(),
    "transaction_lsn": pa.int64(), "transaction_counts": pa.string(), "record_partition": pa.int32(),
    "record_offset": pa.int64(), "record_timestamp": pa.timestamp("us", "UTC"), "sequence": pa.int64(),
}  # fmt: skip
Place = tuple[str, int]
"""A topic and a partition."""


class Reader:
    """Reads partitions as far as it is told, and publishes."""

    def __init__(self, bank: Bank, ended: datetime) -> None:
        self.partitions = defaultdict[Place, list[dict[str, Any]]](list)
        """The log, with the number of each record in it."""
        self.numbers = defaultdict[Place, list[int]](list)
        for number, (topic, key, value) in enumerate(bank.log):
            is_of_rows = key is not None and topic != TRANSACTIONS
            place = (topic, key["id"] % PARTITIONS if is_of_rows and key else 0)
            row = fields(topic, value) | {"record_partition": place[1], "record_timestamp": ended}
            self.partitions[place].append(row | {"record_offset": len(self.partitions[place])})
            self.numbers[place].append(number)
        self.read = dict.fromkeys(self.partitions, 0)
        self.kept: list[tuple[str, dict[str, Any]]] = []
        self.ledger: dict[str, dict[str, int]] = {}
        self.published, self.sequence = 0, 0
        self.rows: dict[tuple[str, int], tuple[tuple[int, int], int | None]] = {}

    def batch(self, ends: dict[Place, int]) -> None:
        """Read up to these offsets."""
        self.sequence += 1
        for place, end in ends.items():
            for row in self.partitions[place][self.read[place] : end]:
                self.kept.append((place[0], row | {"sequence": self.sequence}))
            self.read[place] = max(end, self.read[place])

    def publish(self, written: int) -> tuple[str, ...]:
        """Publish, as a log of so many records has it; returns the notes."""
        self.sequence += 1

        def rows(topic: str, since: int) -> pa.Table:
            found = [row for name, row in self.kept if name == topic and row["sequence"] > since]
            return pa.table({name: pa.array([row.get(name) for row in found], kind) for name, kind in KINDS.items()})

        def log_ends(topic: str) -> dict[int, int]:
            numbers = {place[1]: each for place, each in self.numbers.items() if place[0] == topic}
            return {partition: sum(number < written for number in each) for partition, each in numbers.items()}

        ends = {name: {one[1]: end for one, end in self.read.items() if one[0] == name} for name in TOPICS}
        progress = Progress(self.ledger, ends, log_ends)
        ready = transaction_publication.ready_changes(
            RESULT, TRANSACTIONS, progress, rows, self.published, self.sequence
        )
        self.ledger, self.published = {TRANSACTIONS: ready.transactions}, self.sequence
        self.kept = [one for one in self.kept if one[1]["sequence"] > ready.transactions["waiting_sequence"]]
        for topic, part in ready.changes.items():
            for row in part.to_pylist():
                commit = 1000 if row["change_commit"] is None else row["change_commit"]
                order = (commit, -1 if row["change_op"] == "snapshot" else row["change_lsn"])
                row_id = topic.removeprefix(f"{PREFIX}."), row["id"]
                if row_id not in self.rows or self.rows[row_id][0] <= order:
                    self.rows[row_id] = (order, row["balance"])
        return ready.notes

    def balances(self) -> dict[tuple[str, int], int]:
        """The published rows."""
        return {name: balance for name, (_, balance) in self.rows.items() if balance is not None}


def fields(topic: str, value: dict[str, Any]) -> dict[str, Any]:
    """A record as its form reads it."""
    form = next(each for each in RESULT.all_reads if topic == each.topic.TOPIC)
    assert form.form
    raw = {"key": [None], "value": [json.dumps(value).encode()]}
    raw |= {"timestamp": pa.array([0], pa.timestamp("us", "UTC"))}
    [plain] = form.form.plain_values(pa.record_batch(raw), form.topic.ROW_COLUMNS).to_pylist()
    found: dict[str, Any] = json.loads(plain)
    return found


@pytest.mark.law
@settings(max_examples=30 * int(CUTS or 1))
@given(seed=st.integers(0, 10**6), data=st.data())
def test_a_publish_shows_whole_transactions(seed: int, data: st.DataObject) -> None:
    """Records come in any order across partitions, and the connector is killed between and within transactions."""
    bank = Bank(seed)
    snapshot = len(bank.log)
    for _ in range(data.draw(st.integers(1, 8), "transfers")):
        bank.transfer(killed=data.draw(st.booleans(), "killed"))
        if data.draw(st.integers(0, 3), "again") == 0:  # the last records once more, as the connector was killed
            begins = data.draw(st.integers(snapshot, len(bank.log) - 1), "from")
            begins = next(at for at in range(begins, -1, -1) if at == snapshot or bank.log[at][2].get("status"))
            again = bank.log[begins:]
            bank.log += again[1:] if again[0][2].get("status") == "END" else again
    reader = Reader(bank, datetime.now(UTC) if seed % 2 else datetime(2024, 1, 1, tzinfo=UTC))
    reader.batch({place: sum(number < snapshot for number in each) for place, each in reader.numbers.items()})
    reader.publish(snapshot)
    assert reader.balances() == bank.states[0]
    seen, written = 0, snapshot
    for _ in range(data.draw(st.integers(1, 6), "publishes")):
        written = data.draw(st.integers(written, len(bank.log)), "written")
        ends = {place: sum(number < written for number in each) for place, each in reader.numbers.items()}
        reader.batch({place: data.draw(st.integers(0, end), "read") for place, end in ends.items()})
        reader.publish(written)
        assert reader.balances() in bank.states[seen:], "a part of a transaction, or a step back"
        seen = max(at for at, state in enumerate(bank.states) if state == reader.balances())
    reader.batch({place: len(each) for place, each in reader.numbers.items()})
    notes = reader.publish(len(bank.log))
    if seed % 2 == 0:
        assert reader.balances() == bank.states[-1]
        assert reader.ledger[TRANSACTIONS]["waiting"] == 0 and not notes
