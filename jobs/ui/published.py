"""What a result has published, for charts and tables: windows by kind and group, and how often they were corrected."""

import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from jobs.admin.versions import answer_keys
from jobs.answers.windows import EARLIER_KIND, KEYS
from jobs.keeping import ledger
from jobs.lake import delta_tables, table_queries
from jobs.lake.table_queries import identifier, text_literal
from jobs.publishing import window_column
from jobs.running.errors import Refused
from jobs.running.places import Places

MOST_WINDOWS = 120
"""So many windows of a group are drawn, the last ones."""
MOST_GROUPS = 300
"""So many groups can be chosen, those with the most windows."""
LINES = 6
"""So many groups are drawn if none is chosen, those with the most windows."""
MOST_ROWS = 50_000
"""So many rows of a kind are read, the last ones."""
ONE_GROUP = "all"
"""The group of windows without groups."""
_, START, END = KEYS


@dataclass(frozen=True)
class WindowChoice:
    """What can be drawn of the windows of a result."""

    kinds: tuple[str, ...]
    by: tuple[str, ...]
    """The columns of the group."""
    groups: tuple[str, ...]
    """Groups of the first kind, as `group_text` writes them; those with the most windows come first."""
    measures: tuple[str, ...]
    """Columns with numbers."""


@dataclass(frozen=True)
class Correction:
    """How many rows of what is published have a revision."""

    revision: int
    rows: int


def corrections(places: Places, table_name: str) -> list[Correction]:
    """By revision, the rows of a table that is published; empty if it has no revisions."""
    table = delta_tables.find(places.table(table_name))
    if table is None or "revision" not in [field.name for field in table.schema().fields]:
        return []
    sql = "select revision, count(*) as rows from it where revision is not null group by revision order by revision"
    return [Correction(row["revision"], row["rows"]) for row in table_queries.query(table, sql).to_pylist()]


def window_choice(places: Places, name: str) -> WindowChoice | None:
    """What can be drawn; None if the result publishes no windows, or none yet."""
    table = delta_tables.find(places.table(name))
    by = _groups(places, name)
    column = window_column.column(table) if table else None
    if table is None or by is None or column is None:
        return None
    found = table_queries.query(table, f'select "{column}", count(*) as rows from it group by "{column}" order by rows')
    kinds = tuple(kind for kind in found[column].to_pylist() if kind is not None)
    if not kinds:
        return None
    schema = pa.schema(table.schema().to_arrow())
    kept_out = {*KEYS, EARLIER_KIND, *by, "revision"}
    measures = tuple(field.name for field in schema if _is_number(field.type) and field.name not in kept_out)
    return WindowChoice(kinds, by, _groups_of(table, kinds[0], by), measures)


def windows(
    places: Places, name: str, choice: WindowChoice, kind: str, group: str, measure: str
) -> list[dict[str, Any]]:
    """Windows in order of group and time: `start`, `end`, `group`, `value`. `group`: "" for those with most windows.

    Raises Refused if there is no such kind or measure.
    """
    for what, given, there in (("kind", kind, choice.kinds), ("measure", measure, choice.measures)):
        if given not in there:
            raise Refused(f"{name} has no windows of this {what}; there are {', '.join(there)}.")
    table = DeltaTable(places.table(name))
    rows = _rows(table, kind, choice.by, (START, END, measure, *choice.by))
    texts = _group_texts(rows, choice.by)
    wanted = {group} if group else set(choice.groups[:LINES])
    drawn: dict[str, list[dict[str, Any]]] = {each: [] for each in wanted}
    for start, end, value, text in zip(*(rows[c].to_pylist() for c in (START, END, measure)), texts, strict=True):
        if text in wanted and len(drawn[text]) < MOST_WINDOWS:  # the last ones come first
            drawn[text].append({"start": start, "end": end, "group": text, "value": _plain(value)})
    return sorted((row for each in drawn.values() for row in each), key=lambda row: (row["group"], row["start"]))


def group_text(values: tuple[Any, ...]) -> str:
    """A group as it is shown and chosen: its only value, or several with commas."""
    return ", ".join("null" if value is None else value if isinstance(value, str) else _text(value) for value in values)


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool | int | float) else str(value)


def _plain(value: Any) -> float | int | None:
    return value if value is None or isinstance(value, int | float) else float(value)


def _groups(places: Places, name: str) -> tuple[str, ...] | None:
    """The columns of the group of windows; None if it has no windows."""
    last = ledger.last(places, name)
    if last is None or not last.definition.get("windows"):
        return None
    key = answer_keys.read(name, last.definition)[""].key
    return tuple(column for column in key if column not in KEYS)


def _rows(table: DeltaTable, kind: str, by: tuple[str, ...], columns: tuple[str, ...]) -> pa.Table:
    """The last rows of a kind, in these columns, the newest first."""
    names = ", ".join(identifier(column) for column in dict.fromkeys(columns)) or f'"{START}"'
    order = ", ".join([f'"{START}" desc', *(identifier(column) for column in by)])
    sql = f"select {names} from it where {_is_of_kind(table, kind)} order by {order} limit {MOST_ROWS}"
    return table_queries.query(table, sql)


def _groups_of(table: DeltaTable, kind: str, by: tuple[str, ...]) -> tuple[str, ...]:
    """The groups of windows of a kind, those with the most windows first."""
    if not by:
        return (ONE_GROUP,)
    names = ", ".join(map(identifier, by))
    sql = (
        f'select {names}, count(*) as "__rows" from it where {_is_of_kind(table, kind)} group by {names} '
        f'order by "__rows" desc, {names} limit {MOST_GROUPS}'
    )
    return tuple(dict.fromkeys(_group_texts(table_queries.query(table, sql), by)))


def _group_texts(rows: pa.Table, by: tuple[str, ...]) -> list[str]:
    if not by:
        return [ONE_GROUP] * len(rows)
    return [group_text(values) for values in zip(*(rows[column].to_pylist() for column in by), strict=True)]


def _is_of_kind(table: DeltaTable, kind: str) -> str:
    """SQL that holds for windows of this kind."""
    return f'"{window_column.column(table)}" = {text_literal(kind)}'


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
