"""What an answer of kept events must be able to do. To add one: a file like outcomes.py, and tests of the laws.

The law: rows follow from the set of events. In which order they were read, in which batches, and when an answer was
asked for, does not matter. Canonical order of events is (event_time, place of the topic in `given`, record_partition,
record_offset); no answer uses another one.
"""

from abc import abstractmethod
from collections.abc import Collection, Mapping
from typing import Protocol

import pyarrow as pa
from pyspark.sql.types import StructType

SHOWN = "__shown"
"""Private column: whether a row is shown while a run goes on."""


class EventAnswer(Protocol):
    """An answer with its parameters: a frozen dataclass."""

    @property
    def name(self) -> str:
        """Of its table, NAME_name; "": that is the result's own."""

    @property
    def by(self) -> tuple[str, ...]:
        """The columns of the group: events of unlike groups never meet. Null equals nothing."""

    @property
    def reach(self) -> tuple[int, int]:
        """(before, after), in microseconds: a row anchored at a time depends on events of its group in
        [time - before, time + after] alone.
        """

    @property
    def waits(self) -> tuple[tuple[int, int], ...]:
        """Spans [shortest, longest] of microseconds: a row falls due so long after an event of its group."""

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell a row from another."""

    def check(self, given: Mapping[str, StructType]) -> None:
        """Raises Mistake unless the events, by topic in order of reading, have the columns that it needs."""

    def columns(self, given: Mapping[str, StructType]) -> StructType:
        """The columns of its rows, among them `due_time` and `final`. `given`: those of the events, by topic."""

    def rows(self, given: Mapping[str, pa.Table], complete_micros: int) -> pa.Table:
        """A row for each anchor event among `given`, which come in any order, in `columns` and SHOWN.

        Every further event with a time before `complete_micros` is late. `due_time` of a row is the time from which on
        no event that is not late can change it; `final` says whether complete time has reached it.
        """

    def lone_topics(self, topics: Collection[str]) -> frozenset[str]:
        """Those of the topics whose events change no row but their own, which is not shown before it is final. None is
        always right; each one spares a publish to look at the group of every new event.
        """

    def leaves_open_rows(self, topics: Collection[str]) -> bool:
        """Whether a row that a run has shown open, as it ended, stays so until it is final, or the next run ends: each
        anchor has one row, whatever else comes. False is always right.
        """

    def waits_by_topic(self, topics: Collection[str]) -> Mapping[str, tuple[tuple[int, int], ...]]:
        """Of `waits`, those after an event of each of the topics. All of them is always right."""

    def anchor_topic(self, topics: Mapping[str, object]) -> str:
        """The topic of its anchor events, whose place a row has in record_partition and record_offset."""


class WithoutShortcuts:
    """The part of an answer that is right for every one: each new event may change any row of its group."""

    @property
    @abstractmethod
    def waits(self) -> tuple[tuple[int, int], ...]:
        """See EventAnswer."""

    def lone_topics(self, topics: Collection[str]) -> frozenset[str]:
        """None."""
        return frozenset()

    def leaves_open_rows(self, topics: Collection[str]) -> bool:
        """No: which rows there are may change until they are final."""
        return False

    def waits_by_topic(self, topics: Collection[str]) -> Mapping[str, tuple[tuple[int, int], ...]]:
        """The same for each."""
        return dict.fromkeys(topics, self.waits)
