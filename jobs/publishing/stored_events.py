"""Kept events out of their tables: those that are new, and those of a span of time and of some groups."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.facts.kept_events import KEY_HASH
from jobs.lake import table_queries


@dataclass(frozen=True)
class Touched:
    """Which events are asked for: their times, and the hashes of their groups."""

    micros: np.ndarray
    hashes: np.ndarray


@dataclass(frozen=True)
class StoredEvents:
    """The tables of one result, each pinned to the version that it had."""

    paths: Mapping[str, tuple[str, int]]
    """By topic, the table and its version."""

    def new(self, since_sequence: int) -> Touched:
        """Times and groups of the events that came later than this ledger row."""
        return self._select(f"sequence > {since_sequence}")

    def between(self, first: int, last: int, until_sequence: int) -> Touched:
        """Times and groups of the events in [first, last], in microseconds since 1970, up to this ledger row."""
        return self._select(f"{_within(first, last)} and sequence <= {until_sequence}")

    def read(self, first: int, last: int, hashes: np.ndarray | None) -> dict[str, pa.Table]:
        """By topic, the events in [first, last] of the groups with these hashes; None: of all groups."""
        events = {}
        for topic in self.paths:
            found = self._query(topic, "*", _within(first, last))
            events[topic] = found if hashes is None else found.filter(pc.is_in(found[KEY_HASH], pa.array(hashes)))
        return events

    def _select(self, where: str) -> Touched:
        found = [self._query(topic, f"event_time, {KEY_HASH}", where) for topic in self.paths]
        micros = [rows["event_time"].cast(pa.int64()).to_numpy() for rows in found]
        return Touched(np.concatenate(micros), np.concatenate([rows[KEY_HASH].to_numpy() for rows in found]))

    def _query(self, topic: str, columns: str, where: str) -> pa.Table:
        path, version = self.paths[topic]
        table = DeltaTable(path, version=version)
        return table_queries.query(table, f"select {columns} from it where {where}")


def _within(first: int, last: int) -> str:
    return f"event_time >= {table_queries.literal(first)} and event_time <= {table_queries.literal(last)}"
