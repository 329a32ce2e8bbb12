"""What a result has published, as a test looks at it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jobs.answers import table_names
from jobs.publishing import results
from jobs.running.places import Places

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]


class Rows(list[Row]):
    """The rows of a published table, each a dictionary by column, sorted by the columns of their key. Times: UTC."""

    def __init__(self, places: Places, name: str, answer: str, key: Sequence[str]) -> None:
        """`name`: of the result. `answer`: what follows it in the name of the table, and `key`: its key."""
        self.places, self.name = places, name
        super().__init__(_in_order(_read(places, table_names.part(name, answer)), key))

    @property
    def quarantine(self) -> list[Row]:
        """The records that could not be read, in the order of the log: `reason`, `field`, `value` and more."""
        return _in_order(self.table("quarantine"), ("topic", "partition", "offset"))

    @property
    def stragglers(self) -> list[Row]:
        """The records that were late, in the order of the log: `event_time`, `lateness_seconds`, `done` and more."""
        return _in_order(self.table("stragglers"), ("topic", "partition", "offset"))

    def table(self, name: str) -> list[Row]:
        """The rows of another table of the result, such as "top" for NAME_top, in no order. Raises Refused if there is
        none.
        """
        return _read(self.places, table_names.part(self.name, name))

    def select(self, *columns: str) -> list[tuple[Any, ...]]:
        """The values of these columns, a tuple for each row. Raises KeyError if there is no such column."""
        return [tuple(row[column] for column in columns) for row in self]

    def pandas(self) -> "pd.DataFrame":
        """The rows as a frame of pandas."""
        import pandas as pd

        return pd.DataFrame(list(self))


def _read(places: Places, table: str) -> list[Row]:
    found: list[Row] = results.query(places, f'select * from "{table}"', table).to_pylist()
    return found


def _in_order(rows: list[Row], columns: Sequence[str]) -> list[Row]:
    """Null comes first."""
    return sorted(rows, key=lambda row: [(row[column] is not None, row[column]) for column in columns])
