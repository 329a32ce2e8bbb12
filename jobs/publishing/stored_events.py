"""Kept events out of their tables: those that are new, and those of a span of time and of some groups."""

from collections.abc import Collection, Mapping
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

    @property
    def topics(self) -> Collection[str]:
        """Whose events there are."""
        return self.paths.keys()

    def new(self, since_sequence: int, until_micros: Mapping[str, int]) -> Touched:
        """See EventSource."""
        where = f"sequence > {since_sequence}"
        limits = {
            topic: f" and event_time <= {table_queries.literal(micros)}" for topic, micros in until_micros.items()
        }
        return self._select({topic: where + limits.get(topic, "") for topic in self.paths})

    def between(self, topic: str, first: int, last: int, until_sequence: int) -> Touched:
        """See EventSource."""
        return self._select({topic: f"{_within(first, last)} and sequence <= {until_sequence}"})

    def read(self, first: int, last: int, hashes: np.ndarray | None) -> dict[str, pa.Table]:
        """By topic, the events in [first, last] of the groups with these hashes; None: of all groups."""
        events = {}
        for topic in self.paths:
            found = self._query(topic, "*", _within(first, last))
            events[topic] = found if hashes is None else found.filter(pc.is_in(found[KEY_HASH], pa.array(hashes)))
        return events

    def _select(self, where: Mapping[str, str]) -> Touched:
        """`where`: by topic."""
        found = [self._query(topic, f"event_time, {KEY_HASH}", sql) for topic, sql in where.items()]
        micros = [rows["event_time"].cast(pa.int64()).to_numpy() for rows in found]
        return Touched(np.concatenate(micros), np.concatenate([rows[KEY_HASH].to_numpy() for rows in found]))

    def _query(self, topic: str, columns: str, where: str) -> pa.Table:
        path, version = self.paths[topic]
        table = DeltaTable(path, version=version)
        return table_queries.query(table, f"select {columns} from it where {where}")


def _within(first: int, last: int) -> str:
    return f"event_time >= {table_queries.literal(first)} and event_time <= {table_queries.literal(last)}"
