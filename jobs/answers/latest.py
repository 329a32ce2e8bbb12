"""The latest row of each key of a table whose changes are read.

Which change is the latest is the order of the database's own log, and never the order of arrival, or a time: the same
changes in any order give the same rows.
"""

from dataclasses import dataclass, replace

from pyspark.sql.types import StringType, StructField, StructType

from jobs.events.changes import change_form
from jobs.running.errors import Mistake

KNOWN = ("change_time", "change_op", "change_source", "change_commit", "change_lsn")
"""What a row says of its last change."""
CARRIED = StructField(
    "change_carried",
    StringType(),
    True,
    {"comment": "JSON object: columns whose value is of an earlier change, and which; null: no change told it."},
)


@dataclass(frozen=True)
class Latest:
    """A row for each key that is not deleted, with its columns as the transform names them."""

    key: tuple[str, ...]
    """The columns of the table's primary key; with "change_source" among them several databases are kept apart."""
    name: str = ""
    """Follows the result's name in the name of the table; empty: the table has the result's own name."""

    def __post_init__(self) -> None:
        if not self.key or not isinstance(self.key, tuple):
            raise Mistake('Latest: key takes the columns of the primary key: Latest(key=("id",)), with a comma')

    def named(self, name: str) -> "Latest":
        """The same in a table of its own, with this name behind the result's."""
        return replace(self, name=name)

    @property
    def by(self) -> tuple[str, ...]:
        """The columns of the group of kept changes."""
        return self.key

    def check(self, changes: StructType) -> None:
        """Raises Mistake unless changes have the columns that it needs."""
        missing = [name for name in (*self.key, *change_form.COLUMNS.names) if name not in changes.names]
        if missing:
            raise Mistake(
                f"Latest needs the column {missing[0]}, which the transform does not return: let it select the columns "
                "of the table and those that begin with change_, or return the events as they are"
            )

    def columns(self, changes: StructType) -> StructType:
        """The columns of the rows."""
        values = [changes[name] for name in self.value_columns(changes)]
        known = [change_form.COLUMNS[name] for name in KNOWN if name not in self.key]
        return StructType([*(changes[name] for name in self.key), *values, *known, CARRIED])

    def deleted_columns(self, changes: StructType) -> StructType:
        """The columns of the table of deleted keys."""
        known = [change_form.COLUMNS[name] for name in KNOWN if name not in self.key]
        return StructType([*(changes[name] for name in self.key), *known])

    def value_columns(self, changes: StructType) -> list[str]:
        """The columns of the database's table, but for the key."""
        own = {*self.key, *change_form.COLUMNS.names, "event_time", "late", "key_hash", "sequence"}
        return [name for name in changes.names if name not in own and not name.startswith("record_")]
