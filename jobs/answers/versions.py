"""The versions that the rows of a table had, each with the time from which and until which it was valid.

Without `valid_from` a version is valid from the moment at which the database made the change, and the order of its log
decides. With it the row itself says from when on it is valid, also an earlier time (a correction) or a later one (a
price of next month); of two versions that are valid from the same instant the one that was recorded last counts.
"""

from dataclasses import dataclass

from pyspark.sql.types import StructField, StructType, TimestampType

from jobs.answers.changes.change_answer import CARRIED, ChangeAnswer
from jobs.answers.changes.change_order import COLUMNS as PLACE
from jobs.running.errors import Mistake

VALID_FROM, VALID_TO = "valid_from", "valid_to"
INTERVAL = (
    StructField(VALID_FROM, TimestampType(), True, {"comment": "From then on the version is valid, UTC."}),
    StructField(
        VALID_TO,
        TimestampType(),
        True,
        {"comment": "First instant at which it is valid no more, UTC; null: it still is. As valid_from: it never was."},
    ),
)
"""The columns of the interval [valid_from, valid_to)."""


@dataclass(frozen=True)
class Versions(ChangeAnswer):
    """A row for each change but deletions, with the columns of the table as the transform names them."""

    key: tuple[str, ...]
    """The columns of the table's primary key; with "change_source" among them several databases are kept apart."""
    valid_from: str | None = None
    """A column of the table, with a timestamp: from when on a row is valid; null there, and None here: from the moment
    at which the database made the change."""
    name: str = ""
    """Follows the result's name in the name of the table; empty: the table has the result's own name."""
    topic: str = ""
    """Whose changes they are; empty: the result reads one topic of changes."""

    def __post_init__(self) -> None:
        self.check_key()

    @property
    def row_key(self) -> tuple[str, ...]:
        """The key, and which change of the row it was."""
        return (*self.key, *PLACE, "change_op")

    @property
    def deletion_key(self) -> tuple[str, ...]:
        """The key, and which deletion it was."""
        return (*self.key, *PLACE)

    def check(self, changes: StructType) -> None:
        """Raises Mistake unless changes have the columns that it needs."""
        super().check(changes)
        if self.valid_from is None:
            return
        if self.valid_from not in changes.names:
            raise Mistake(
                f"Versions(valid_from={self.valid_from!r}): the transform returns no such column; it returns "
                f"{', '.join(self.value_columns(changes))}"
            )
        if not isinstance(changes[self.valid_from].dataType, TimestampType):
            kind = changes[self.valid_from].dataType.simpleString()
            raise Mistake(f"Versions(valid_from={self.valid_from!r}): the column is {kind}, and must be a timestamp")

    def stored_columns(self, changes: StructType) -> list[str]:
        """The columns of the database's table that a row has beside its key and its interval."""
        own = VALID_FROM if self.valid_from == VALID_FROM else None
        return [name for name in self.value_columns(changes) if name != own]

    def columns(self, changes: StructType) -> StructType:
        """The columns of the rows."""
        values = [changes[name] for name in self.stored_columns(changes)]
        key = (changes[name] for name in self.key)
        return StructType([*key, *values, *INTERVAL, *self.known_columns(), CARRIED])
