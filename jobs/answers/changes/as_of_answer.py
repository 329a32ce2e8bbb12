"""What follows from each event and from versions that were valid at its time: an answer is a frozen dataclass that
derives from AsOfAnswer. To add one: a file like enriched.py, and tests of the laws.

The law: rows follow from the set of events and the set of versions. A row depends on its own event and on versions, and
on no other event. So a version that comes late restates the rows of events since it was valid.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pyarrow as pa
from pyspark.sql.types import StructType

from jobs.answers.versions import Versions
from jobs.facts.kept_events import PLACE
from jobs.running import durations

_Own = TypeVar("_Own", bound="AsOfAnswer")


class AsOfAnswer(ABC):
    """The part that is the same for each."""

    name: str
    """Of its table, NAME_name; "": that is the result's own."""
    each: str
    """The topic of the events."""
    versions: Versions
    """An answer of the same result."""
    restate: str
    """A version changes no row of an event that was longer than this before the database recorded it."""

    def named(self: _Own, name: str) -> _Own:
        """The same in a table of its own, with this name behind the result's."""
        return replace(self, name=name)  # type: ignore[type-var]

    @property
    def restate_micros(self) -> int:
        """`restate` in microseconds."""
        return durations.seconds(self.restate) * 1_000_000

    @property
    @abstractmethod
    def by(self) -> tuple[str, ...]:
        """The columns of events that equal those of `versions.key`, in its order; empty: an event may meet versions of
        every key.
        """

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell a row from another."""
        return PLACE

    @abstractmethod
    def check(self, events: StructType, versions: StructType) -> None:
        """Raises Mistake unless events and versions have the columns that it needs."""

    @abstractmethod
    def columns(self, events: StructType, versions: StructType) -> StructType:
        """The columns of its rows, among them `event_time`, `due_time` and `final`."""

    @abstractmethod
    def rows(self, events: pa.Table, versions: pa.Table, complete_micros: int) -> pa.Table:
        """The rows of these events, in `columns`. `versions`: all of each key that an event may meet."""

    def measured_rows(
        self, events: pa.Table, versions: pa.Table, complete_micros: int, clock: Callable[[], int]
    ) -> tuple[pa.Table, pa.Table | None]:
        """The rows; and, of an answer with a table of rules, what each rule took. `clock`: nanoseconds."""
        return self.rows(events, versions, complete_micros), None

    def notes(self, written: pa.Table) -> tuple[str, ...]:
        """What the ledger says of rows that a publish has written."""
        return ()
