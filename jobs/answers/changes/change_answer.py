"""What follows from the changes of one table of a database: its latest rows, or the versions that its rows had.

The law: rows follow from the set of changes. The order is that of the database's log (change_order.py), and never that
of arrival.
"""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TypeVar

from pyspark.sql.types import StringType, StructField, StructType

from jobs.events.changes import change_form
from jobs.running.errors import Mistake

KNOWN = ("change_time", "change_op", "change_source", "change_commit", "change_lsn")
"""What a row says of the change that it is of."""
CARRIED = StructField(
    "change_carried",
    StringType(),
    True,
    {"comment": "JSON object: columns whose value is of an earlier change, and which; null: no change told it."},
)

_Own = TypeVar("_Own", bound="ChangeAnswer")


class ChangeAnswer(ABC):
    """The part that is the same for each: a frozen dataclass with these three fields derives from it."""

    key: tuple[str, ...]
    topic: str
    name: str

    def named(self: _Own, name: str) -> _Own:
        """The same in a table of its own, with this name behind the result's."""
        return replace(self, name=name)  # type: ignore[type-var]

    @property
    @abstractmethod
    def row_key(self) -> tuple[str, ...]:
        """The columns that tell a row of the answer from another."""

    @property
    @abstractmethod
    def deletion_key(self) -> tuple[str, ...]:
        """The columns that tell a row of the table of deleted keys from another."""

    @abstractmethod
    def columns(self, changes: StructType) -> StructType:
        """The columns of the rows, of changes with these columns."""

    def check_key(self) -> None:
        """Raises Mistake unless there is a key."""
        if not self.key or not isinstance(self.key, tuple):
            kind = type(self).__name__
            raise Mistake(f'{kind}: key takes the columns of the primary key: {kind}(key=("id",)), with a comma')

    def check(self, changes: StructType) -> None:
        """Raises Mistake unless changes have the columns that it needs."""
        missing = [name for name in (*self.key, *change_form.COLUMNS.names) if name not in changes.names]
        if missing:
            raise Mistake(
                f"{type(self).__name__} needs the column {missing[0]}, which the transform does not return: let it "
                "select the columns of the table and those that begin with change_, or return the events as they are"
            )

    def known_columns(self) -> list[StructField]:
        """What a row says of its change."""
        return [change_form.COLUMNS[name] for name in KNOWN if name not in self.key]

    def deleted_columns(self, changes: StructType) -> StructType:
        """The columns of the table of deleted keys."""
        return StructType([*(changes[name] for name in self.key), *self.known_columns()])

    def value_columns(self, changes: StructType) -> list[str]:
        """The columns of the database's table, but for the key."""
        own = {
            *self.key,
            *change_form.COLUMNS.names,
            change_form.TRANSACTION.name,
            "event_time",
            "late",
            "key_hash",
            "sequence",
        }
        return [name for name in changes.names if name not in own and not name.startswith("record_")]
