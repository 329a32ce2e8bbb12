"""A table of customers that tells its changes as Debezium does, and a result that follows it."""

import base64
import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import DecimalType, LongType, StringType, StructField, StructType

from jobs.answers.latest import Latest
from jobs.answers.result import Reads, Result
from jobs.answers.versions import Versions
from jobs.events.changes import debezium
from jobs.log.archive import writer
from jobs.run import Places

CUSTOMERS = SimpleNamespace(
    TOPIC="shop.public.customers",
    COLUMNS=StructType(
        [
            StructField("id", LongType(), False),
            StructField("name", StringType()),
            StructField("credit", DecimalType(10, 2)),
            StructField("body", StringType()),
        ]
    ),
)
PARTITIONS = 2
FIRST_SECOND = 1_714_500_000
Message = tuple[int | None, dict[str, Any] | None]
"""Key and envelope of a record; no envelope: a tombstone."""
Rows = dict[int, dict[str, Any]]


def columns(events: DataFrame) -> DataFrame:
    """All of them."""
    return events


READS = Reads(CUSTOMERS, columns, form=debezium.CHANGES)
RESULT = Result("customer_v1", READS, (Latest(key=("id",)), Versions(key=("id",)).named("history")))


class Database:
    """The table, its rows as they are, and what it has told."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.rows: Rows = {}
        self.told: list[Message] = []
        self.states: list[tuple[datetime, Rows]] = []
        """The rows after each time at which something was told."""
        self._commit: int | None = None
        """LSN of the last commit since the connector began."""
        self._lsn = 1000

    def change(self) -> None:
        """Some transaction of one statement. It may have written long before its commit."""
        self._lsn += 100
        self._change(self.dice.choice([5, 5, 5, 150]))
        self._commit = self._lsn
        self.states.append((self._time(), self.rows.copy()))

    def _change(self, before: int) -> None:
        """`before`: how far ahead of its commit it has written."""
        self._written = self._lsn - before
        number, key = self.dice.randint(0, 999), self.dice.randint(1, 9)
        row = {"id": key, "name": f"n{number}", "credit": Decimal(number) / 100, "body": f"b{number}"}
        what = self.dice.choices(["update", "leave body", "delete", "move", "truncate"], [4, 8, 4, 2, 1])[0]
        if what == "truncate":
            self.rows = {}
            self._tell("t", None)
        elif key not in self.rows:
            self.rows[key] = row
            self._tell("c", key, after=encoded(row))
        elif what == "update":
            self.rows[key] = row
            self._tell("u", key, after=encoded(row))
        elif what == "leave body":
            self.rows[key] = row | {"body": self.rows[key]["body"]}
            self._tell("u", key, after=encoded(row) | {"body": "__debezium_unavailable_value"})
        else:
            del self.rows[key]
            self._tell("d", key, before={"id": key, "name": None, "credit": None, "body": None})
            self.told.append((key, None))
            if what == "move" and key + 10 not in self.rows:
                self.rows[key + 10] = row | {"id": key + 10}
                self._tell("c", key + 10, after=encoded(self.rows[key + 10]))

    def forget(self, statements: int) -> None:
        """Statements that nobody tells, as the connector is away; then the snapshot that it takes."""
        told, states = len(self.told), len(self.states)
        for _ in range(statements):
            self.change()
        del self.told[told:], self.states[states:]
        self._commit = None
        last = len(self.rows) - 1
        self._lsn += 100
        self._written = self._lsn
        for place, (key, row) in enumerate(self.rows.items()):
            mark = "last" if place == last else "first" if place == 0 else "true"
            self._tell("r", key, after=encoded(row), snapshot=mark)
        self.states.append((self._time(), self.rows.copy()))

    def _time(self) -> datetime:
        return datetime.fromtimestamp(FIRST_SECOND, UTC) + timedelta(milliseconds=self._lsn)

    def _tell(self, op: str, key: int | None, before: Any = None, after: Any = None, snapshot: str = "false") -> None:
        sequence = json.dumps([None if self._commit is None else str(self._commit), str(self._written)])
        source = {"name": "shop", "sequence": sequence, "ts_ms": FIRST_SECOND * 1000 + self._lsn, "snapshot": snapshot}
        self.told.append((key, {"before": before, "after": after, "source": source, "op": op, "transaction": None}))


def encoded(row: dict[str, Any]) -> dict[str, Any]:
    """The row in JSON: a decimal is its unscaled number in base64."""
    unscaled = int(row["credit"] * 100).to_bytes(3, "big")
    return row | {"credit": base64.b64encode(unscaled).decode()}


def append(places: Places, messages: list[Message]) -> None:
    """Write these into the topic, spread over its partitions by their keys."""
    keys = [None if key is None else json.dumps({"id": key}).encode() for key, _ in messages]
    values = [None if value is None else json.dumps(value).encode() for _, value in messages]
    times = pa.array([1_714_500_000_000_000] * len(keys), pa.timestamp("us", "UTC"))
    records = {"key": pa.array(keys, pa.binary()), "value": pa.array(values, pa.binary()), "timestamp": times}
    writer.append(places.archive, CUSTOMERS.TOPIC, PARTITIONS, [pa.record_batch(records)])
