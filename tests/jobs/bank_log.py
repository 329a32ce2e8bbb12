"""A bank whose transfers leave the sum of all balances as it is, and what Debezium writes about them."""

import json
import random
from typing import Any

TABLES = ("public.checking", "public.savings")
PREFIX = "bank"
TRANSACTIONS = f"{PREFIX}.transaction"
FIRST_MILLIS = 1_714_500_000_000
Row = tuple[str, int]
"""A table and an id."""
Record = tuple[str, dict[str, Any] | None, dict[str, Any]]
"""Topic, key and value."""
Event = tuple[str, int, str, int | None]
"""Of a transaction: table, id, operation, balance."""


class Bank:
    """Its rows, and its log as the connector writes it."""

    def __init__(self, seed: int, rows: int = 3) -> None:
        self.dice = random.Random(seed)
        self.rows: dict[Row, int] = {(table, id_): 100 for table in TABLES for id_ in range(1, rows + 1)}
        self.states: list[dict[Row, int]] = [dict(self.rows)]
        """The rows after each commit."""
        self.log: list[Record] = []
        self._lsn, self._number = 1000, 700
        self._commit: int | None = None
        for place, ((table, id_), balance) in enumerate(self.rows.items(), 1):
            mark = "last" if place == len(self.rows) else "true"
            self._tell(table, id_, "r", balance, 1000, None, mark)

    def transfer(self, killed: bool = False) -> None:
        """One transaction. `killed`: while it is written, the connector is, and goes on from where it knows."""
        events = self._events()
        self._number += 1
        # It may have written before the commit of the one before.
        first = self._lsn + self.dice.choice([10, 10, -40])
        places = [first + 2 * place for place in range(len(events))]
        commit = max(self._lsn, places[-1]) + 100
        stopped = self.dice.randint(0, len(events)) if killed else 0
        if killed:
            self._write(events, places, 0, stopped)
        begins = self.dice.randint(0, stopped)
        self._write(events, places, begins, len(events))
        counts = {table: sum(one[0] == table for one in events[begins:]) for table in TABLES}
        named = [{"data_collection": table, "event_count": count} for table, count in counts.items() if count]
        self._mark("END", commit, event_count=len(events) - begins, data_collections=named)
        self._lsn = self._commit = commit
        self.states.append(dict(self.rows))

    def _events(self) -> list[Event]:
        """What the transaction does: the sum stays."""
        touched = self.dice.sample(sorted(self.rows), self.dice.randint(2, 4))
        amounts = [self.dice.randint(-9, 9) for _ in touched[1:]]
        events: list[Event] = []
        for (table, id_), amount in zip(touched, [*amounts, -sum(amounts)], strict=True):
            balance = self.rows.pop((table, id_)) + amount
            if self.dice.random() < 0.2:  # the primary key is changed
                events.append((table, id_, "d", None))
                id_ = max(one for name, one in self.rows if name == table) + 1 if self.rows else 1
                id_ += 10
            events.append((table, id_, "u" if not events or events[-1][2] != "d" else "c", balance))
            self.rows[table, id_] = balance
        return events

    def _write(self, events: list[Event], places: list[int], begin: int, end: int) -> None:
        self._mark("BEGIN", places[0])
        numbers = dict.fromkeys(TABLES, 0)
        for total, (event, lsn) in enumerate(zip(events[begin:end], places[begin:end], strict=True), 1):
            table, id_, op, balance = event
            numbers[table] += 1
            number = {"id": f"{self._number}:{lsn}", "total_order": total, "data_collection_order": numbers[table]}
            self._tell(table, id_, op, balance, lsn, number)

    def _mark(self, status: str, lsn: int, **more: Any) -> None:
        number = f"{self._number}:{lsn}"
        mark = {"status": status, "id": number, "ts_ms": FIRST_MILLIS + lsn, "event_count": None} | more
        self.log.append((TRANSACTIONS, {"id": number}, mark))

    def _tell(
        self, table: str, id_: int, op: str, balance: int | None, lsn: int, number: Any, snapshot: str = "false"
    ) -> None:
        sequence = json.dumps([None if self._commit is None else str(self._commit), str(lsn)])
        source = {"name": PREFIX, "sequence": sequence, "ts_ms": FIRST_MILLIS + lsn, "snapshot": snapshot}
        before, after = {"id": id_, "balance": None}, {"id": id_, "balance": balance}
        value = {"op": op, "source": source, "transaction": number}
        value |= {"before": before, "after": None} if op == "d" else {"before": None, "after": after}
        self.log.append((f"{PREFIX}.{table}", {"id": id_}, value))
