"""A view for each kind of window of a table. A sum over the table itself counts each record once for every window that
holds it; a sum over such a view of windows side by side counts it once.

Delta has no views. So a view is made where the question is asked: in `results.query`, or by the statements that
`headrace views` prints.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from deltalake import DeltaTable

from jobs.answers import table_names
from jobs.answers.result import WINDOWS, WITHOUT_UNIQUES
from jobs.answers.windows import KEYS, KIND
from jobs.lake import delta_tables, table_queries
from jobs.lake.table_queries import identifier
from jobs.publishing import window_column
from jobs.running.errors import Refused
from jobs.running.places import Places

_END = KEYS[2]
DATE = "window_date"
"""In a view of days, weeks, months or years of a zone: the date there on which the window begins."""
_DATED = ("day", "week", "month", "year")
"""How the labels of windows begin that have a date."""

_STANDARD = '"'
_SIGNS = {"spark": "`"}
"""What stands around a name where it is not the standard's sign."""
Dialect = Literal["datafusion", "duckdb", "spark", "trino"]
_LOCAL_DATES: dict[Dialect, str] = {
    "datafusion": "cast(arrow_cast(window_start, 'Timestamp(Microsecond, Some(\"{zone}\"))') as date)",
    "duckdb": "cast(window_start at time zone '{zone}' as date)",
    # Whatever the time zone of the session is: from_utc_timestamp makes an instant that shows the local time in UTC.
    "spark": "date_from_unix_date(int(floor(unix_seconds(from_utc_timestamp(window_start, '{zone}')) / 86400)))",
    "trino": "cast(window_start at time zone '{zone}' as date)",
}
"""The date in a zone at `window_start`."""


@dataclass(frozen=True)
class View:
    """The rows of one kind of window."""

    table: str
    """Name of the table that has them, among others."""
    label: str
    """What column `window_kind` says of them, such as "tumbling 1 hour"."""
    columns: tuple[str, ...]
    """Those of the table."""
    kind: str = KIND
    """The one of them that has the label."""

    @property
    def suffix(self) -> str:
        """What follows the name of the table in that of the view: see `suffix`."""
        return suffix(self.label)

    @property
    def name(self) -> str:
        """Of the view, such as departure_delay_v1_1_hour."""
        return f"{self.table}_{self.suffix}"

    def select(self, dialect: Dialect, source: str) -> str:
        """The query that the view is, over the table that is written `source`. Its columns are those of the table
        without `kind`; after `window_end` stands `window_date`, if the windows have a date.
        """
        sign = _SIGNS.get(dialect, _STANDARD)
        period, _, zone = self.label.partition(" ")
        date = _LOCAL_DATES[dialect].format(zone=_text(zone)) if period in _DATED else ""
        columns = []
        for column in self.columns:
            columns += [] if column == self.kind else [identifier(column, sign)]
            columns += [f"{date} as {DATE}"] if date and column == _END else []
        return f"select {', '.join(columns)} from {source} where {identifier(self.kind, sign)} = '{_text(self.label)}'"

    def statements(self, dialect: Dialect, table: str, path: str) -> list[str]:
        """What makes the view in an engine, as one of the table that is called `table` there and lies at `path`. DuckDB
        reads the path by its extension delta; Spark's views are those of a session; Trino has to know the table.
        """
        name, known = (identifier(each, _SIGNS.get(dialect, _STANDARD)) for each in (f"{table}_{self.suffix}", table))
        if dialect == "spark":
            return [
                f"create or replace temporary view {known} using delta options (path '{_text(path)}');",
                f"create or replace temporary view {name} as {self.select(dialect, known)};",
            ]
        source = f"delta_scan('{_text(path)}')" if dialect == "duckdb" else known
        return [f"create or replace view {name} as {self.select(dialect, source)};"]


def _text(value: str) -> str:
    return value.replace("'", "''")


def suffix(label: str) -> str:
    """The label of a kind of window as a part of a name: 1_hour, 1_hour_every_5_minutes, day_america_new_york."""
    words = re.sub(r"^(tumbling|hopping) ", "", label.lower())
    for sign, word in (("+", "plus"), ("-", "minus")):  # Etc/GMT+5 and Etc/GMT-5 are ten hours apart
        words = re.sub(rf"{re.escape(sign)}(?=\d)", f" {word} ", words)
    return re.sub("[^a-z0-9]+", "_", words).strip("_")


def of_result(places: Places, result: str) -> list[View]:
    """Those of all tables of a result that have windows, in the order of the job file; none if it has no ledger."""
    tables, labels = _tables_and_labels(places, result)
    views = []
    for table in sorted(tables) if labels else ():
        opened = None if table.endswith(table_names.suffix("feed")) else delta_tables.find(places.table(table))
        views += _views(table, opened, labels)
    return views


def of_table(places: Places, table: str) -> list[View]:
    """Those of one table, in the order of the job file; none if it has no windows."""
    opened = delta_tables.find(places.table(table))
    if opened is None or window_column.column(opened) is None:
        return []
    results = (_tables_and_labels(places, result) for result in _beginnings(table))
    return next((_views(table, opened, labels) for tables, labels in results if table in tables), [])


def find(places: Places, name: str) -> View | None:
    """The view of this name; None if there is none."""
    for result in _beginnings(name):
        tables, labels = _tables_and_labels(places, result)
        for label in labels:
            table = name.removesuffix(f"_{suffix(label)}")
            if table != name and table in tables:
                return next(iter(_views(table, delta_tables.find(places.table(table)), (label,))), None)
    return None


def choose(places: Places, table: str, window: str) -> View:
    """That of the table which `window` names: by its label, by what follows the name of the table in that of the view,
    or by words with which only one of these begins. Raises Refused if there is none, or more than one.
    """
    views = of_table(places, table)
    asked = suffix(window)
    found = [view for view in views if view.suffix == asked]
    found = found or [view for view in views if view.suffix.startswith(f"{asked}_")]
    if len(found) != 1:
        labels = ", ".join(view.label for view in views) or "none"
        raise Refused(f"{table} has {'no' if not found else 'more than one'} window {window!r}; it has {labels}.")
    return found[0]


def _beginnings(name: str) -> Iterator[str]:
    """The name, and what is left of it without its last words: one of them may be that of the result."""
    words = name.split("_")
    return ("_".join(words[:end]) for end in range(len(words), 0, -1))


def _tables_and_labels(places: Places, result: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the tables of a result, and the labels of its windows, by its ledger."""
    ledger = delta_tables.find(places.table(table_names.table(result, "ledger")))
    if ledger is None:
        return (), ()
    last = table_queries.query(ledger, "select tables, definition from it order by sequence desc limit 1").to_pylist()
    if not last:
        return (), ()
    labels = dict(last[0]["definition"] or ()).get(WINDOWS, "").split("; ")
    tables = tuple(name for name, _ in last[0]["tables"] or ())
    return tables, tuple(label.removesuffix(WITHOUT_UNIQUES) for label in labels if label)


def _views(table: str, opened: DeltaTable | None, labels: tuple[str, ...]) -> list[View]:
    kind = window_column.column(opened) if opened else None
    if opened is None or kind is None:
        return []
    columns = tuple(field.name for field in opened.schema().fields)
    return [View(table, label, columns, kind) for label in labels]
