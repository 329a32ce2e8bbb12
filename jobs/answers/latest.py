"""The latest row of each key of a table whose changes are read.

Which change is the latest is the order of the database's own log, and never the order of arrival, or a time: the same
changes in any order give the same rows.
"""

from dataclasses import dataclass

from pyspark.sql.types import StructType

from jobs.answers.changes.change_answer import CARRIED, ChangeAnswer


@dataclass(frozen=True)
class Latest(ChangeAnswer):
    """A row for each key that is not deleted, with its columns as the transform names them."""

    key: tuple[str, ...]
    """The columns of the table's primary key; with "change_source" among them several databases are kept apart."""
    name: str = ""
    """Follows the result's name in the name of the table; empty: the table has the result's own name."""
    topic: str = ""
    """Whose changes they are; empty: the result reads one topic of changes."""

    def __post_init__(self) -> None:
        self.check_key()

    @property
    def row_key(self) -> tuple[str, ...]:
        """The key."""
        return self.key

    @property
    def deletion_key(self) -> tuple[str, ...]:
        """The key: its last deletion counts."""
        return self.key

    def columns(self, changes: StructType) -> StructType:
        """The columns of the rows."""
        values = [changes[name] for name in self.value_columns(changes)]
        return StructType([*(changes[name] for name in self.key), *values, *self.known_columns(), CARRIED])
