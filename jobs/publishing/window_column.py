"""Under which name tables have the kind of window."""

from dataclasses import replace

from deltalake import DeltaTable

from jobs.answers.result import Result
from jobs.answers.windows import EARLIER_KIND, KEYS, KIND
from jobs.lake import delta_tables
from jobs.running.places import Places


def as_stored(places: Places, result: Result) -> Result:
    """`result` with the `window_column` of its tables: those of an earlier version go on as they are."""
    table = delta_tables.find(places.table(result.name)) if result.panes else None
    return replace(result, window_column=EARLIER_KIND) if table and column(table) == EARLIER_KIND else result


def column(table: DeltaTable) -> str | None:
    """The column of a table with the label of the kind of window; None if it has none."""
    names = {field.name for field in table.schema().fields}
    return next((name for name in (KIND, EARLIER_KIND) if {name, KEYS[1]} <= names), None)
