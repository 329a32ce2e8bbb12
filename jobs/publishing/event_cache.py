"""Kept events in the memory of the driver, for answers that are published again and again.

A cache: what it does not have is read from the tables.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.facts.kept_events import KEY_HASH
from jobs.publishing.stored_events import Touched

MOST_BYTES = 512 * 2**20
"""Most bytes that stay in memory: of events of 61 bytes, some 8,000,000."""
MOST_CHUNKS = 64
"""So many appends are put together at once."""
_NO_NUMBERS = np.array([], np.int64)


class EventCache:
    """The events from some time on, complete as long as every append is reported through `record_append`."""

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = tuple(topics)
        self._chunks: dict[str, list[pa.Table]] = {}
        self._complete_from: int | None = None
        """All events from then on are here, in microseconds since 1970; None if the cache is empty."""

    def record_append(self, topic: str, rows: pa.Table | None) -> None:
        """Take in events that were appended to the table of a topic; None, if they are not here, empties the cache."""
        if rows is None:
            self.clear()
        elif self._complete_from is not None:
            chunks = self._chunks[topic]
            chunks.append(rows)
            if len(chunks) > MOST_CHUNKS:
                self._chunks[topic] = [pa.concat_tables(chunks).combine_chunks()]

    def clear(self) -> None:
        """Forget everything."""
        self._complete_from, self._chunks = None, {}

    def fill(self, events: dict[str, pa.Table], complete_from: int) -> None:
        """Take in all events from then on, by topic."""
        self._complete_from = complete_from
        self._chunks = {topic: [events[topic].combine_chunks()] for topic in self._topics}

    @property
    def is_filled(self) -> bool:
        """Whether there is anything in it."""
        return self._complete_from is not None

    def holds(self, first: int) -> bool:
        """Whether all events from `first` on are here."""
        return self._complete_from is not None and first >= self._complete_from

    def trim(self, first: int) -> None:
        """Forget the events before `first`, once a quarter of them can go; all, if they are too many."""
        if self._complete_from is None:
            return
        for topic, chunks in self._chunks.items():
            table = pa.concat_tables(chunks)
            is_kept = pc.greater_equal(table["event_time"].cast(pa.int64()), first)
            if 4 * (pc.sum(is_kept).as_py() or 0) <= 3 * len(table):
                self._complete_from = max(self._complete_from, first)
                self._chunks[topic] = [table.filter(is_kept).combine_chunks()]
        if sum(chunk.nbytes for chunks in self._chunks.values() for chunk in chunks) > MOST_BYTES:
            self.clear()

    @property
    def topics(self) -> Collection[str]:
        """Whose events there are."""
        return self._chunks.keys()

    def new(self, since_sequence: int, until_micros: Mapping[str, int]) -> Touched:
        """See EventSource; `since_sequence`: of the last publish."""

        def is_asked(topic: str, chunk: pa.Table) -> pa.ChunkedArray:
            is_new = _is_within(chunk, "sequence", since_sequence + 1, None)
            until = until_micros.get(topic)
            return is_new if until is None else pc.and_(is_new, _is_within(chunk, "event_time", 0, until))

        return self._select(self._chunks, is_asked)

    def between(self, topic: str, first: int, last: int, until_sequence: int) -> Touched:
        """See EventSource."""

        def is_asked(_: str, chunk: pa.Table) -> pa.ChunkedArray:
            return pc.and_(
                _is_within(chunk, "event_time", first, last), pc.less_equal(chunk["sequence"], until_sequence)
            )

        return self._select((topic,), is_asked)

    def read(self, first: int, last: int, hashes: np.ndarray | None) -> dict[str, pa.Table]:
        """By topic, the events in [first, last] of the groups with these hashes; None: of all groups."""
        wanted = None if hashes is None else pa.array(hashes)
        events = {}
        for topic, chunks in self._chunks.items():
            parts = [chunk.filter(_is_within(chunk, "event_time", first, last)) for chunk in chunks]
            if wanted is not None:
                parts = [part.filter(pc.is_in(part[KEY_HASH], wanted)) for part in parts]
            events[topic] = pa.concat_tables(parts)
        return events

    def _select(self, topics: Iterable[str], is_asked: Callable[[str, pa.Table], pa.ChunkedArray]) -> Touched:
        """`is_asked`: of the events of a topic, which ones."""
        found = [
            chunk.select(["event_time", KEY_HASH]).filter(is_asked(topic, chunk))
            for topic in topics
            for chunk in self._chunks[topic]
        ]
        micros = [rows["event_time"].cast(pa.int64()).to_numpy() for rows in found]
        hashes = [rows[KEY_HASH].to_numpy() for rows in found]
        return Touched(np.concatenate([_NO_NUMBERS, *micros]), np.concatenate([_NO_NUMBERS, *hashes]))


def _is_within(rows: pa.Table, column: str, first: int, last: int | None) -> pa.ChunkedArray:
    numbers = rows[column].cast(pa.int64())
    inside = pc.greater_equal(numbers, first)
    return inside if last is None else pc.and_(inside, pc.less_equal(numbers, last))
