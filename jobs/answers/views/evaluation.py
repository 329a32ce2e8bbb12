"""The rows of a view: all of them, or those that changes touch."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from jobs.answers.views.analysis import Analysis
from jobs.answers.views.engine import Engine, quote
from jobs.answers.views.view import CHANGED, View
from jobs.running.errors import Mistake

_TOUCHED, _ROWS, _NOW, _BEFORE = "__touched", "__rows", "__now_", "__before_"
"""Names of tables that no answer has."""


@dataclass(frozen=True)
class TableChanges:
    """What has happened to a table of latest rows."""

    before: pa.Table
    """Rows that have changed or are gone, as they were."""
    after: pa.Table
    """Rows that have changed or are new, as they are."""


def touched_values(
    view: View, analysis: Analysis, tables: Mapping[str, pa.Table], changes: Mapping[str, TableChanges], spill: str = ""
) -> pa.Table | None:
    """The values of `by` whose rows may have changed, in the columns `by`, each once; None: any row may have.

    `tables`: as they are now, by name, with the columns that are needed. `changes`: since the view was right, by table.
    `spill`: folder for what does not fit into memory.
    """
    happened = {name: found for name, found in changes.items() if name in analysis.reads and _has_any(found)}
    if not view.by or not happened.keys() <= analysis.touched.keys():
        return None
    nothing = pa.schema([analysis.schema.field(name) for name in view.by]).empty_table()
    found = [nothing]
    with Engine(f"{view.owner}: touched", spill) as engine:
        for table in analysis.tables:
            engine.register({f"{_NOW}{table}": tables[table]})
            sql = f"select {_columns(analysis, table)} from {quote(_NOW + table)}"
            if table in changes:
                engine.register({f"{_BEFORE}{table}": changes[table].before})
                sql += f" union all select {_columns(analysis, table)} from {quote(_BEFORE + table)}"
            engine.define(table, sql)
        for name, change in happened.items():
            parts = (change.before, change.after)
            changed = pa.concat_tables([part.select(list(analysis.tables[name])) for part in parts])
            engine.register({CHANGED: changed})
            values = engine.rows(f"select distinct * from ({analysis.touched[name]}\n)")
            found.append(values.rename_columns(list(view.by)).cast(nothing.schema))
    return pa.concat_tables(found).group_by(list(view.by), use_threads=False).aggregate([])


def rows(
    view: View, analysis: Analysis, tables: Mapping[str, pa.Table], touched: pa.Table | None = None, spill: str = ""
) -> pa.Table:
    """The rows with these touched values of `by`; None: all rows. Raises Mistake if two have the same key, or a key is
    null. `tables`, `spill`: as in touched_values.
    """
    with Engine(view.owner, spill) as engine:
        if touched is not None:
            engine.register({_TOUCHED: touched})
        for table in analysis.reads:
            engine.register({f"{_NOW}{table}": tables[table]})
            sql = f"select {_columns(analysis, table)} from {quote(_NOW + table)} as {_ROWS}"
            if touched is not None and table == analysis.restricted:
                sql += f" where {_is_touched(view.by, analysis.restricted_columns)}"
            engine.define(table, sql)
        sql = f"from ({view.sql}\n) as {_ROWS}"
        if touched is not None:
            sql += f" where {_is_touched(view.by, view.by)}"
        found = engine.rows(sql).cast(analysis.schema)
    check_keys(view, found)
    return found


def _has_any(change: TableChanges) -> bool:
    return bool(len(change.before) or len(change.after))


def _columns(analysis: Analysis, table: str) -> str:
    """What SQL sees of a table."""
    needed = analysis.needed[table]
    kinds = analysis.tables[table].items()
    return ", ".join(quote(name) if name in needed else f"null::{kind} as {quote(name)}" for name, kind in kinds)


def _is_touched(by: tuple[str, ...], columns: tuple[str, ...]) -> str:
    """SQL that says whether these columns have touched values. Null is a value like others."""
    pairs = zip(by, columns, strict=True)
    same = " and ".join(f"{_TOUCHED}.{quote(one)} is not distinct from {_ROWS}.{quote(other)}" for one, other in pairs)
    return f"exists (select 1 from {_TOUCHED} where {same})"


def check_keys(view: View, found: pa.Table) -> None:
    """Raises Mistake if a row has null in its key, or two rows have the same one."""
    for name in view.key:
        if found[name].null_count:
            raise Mistake(
                f"{view.owner}: its column {name} is of the key, and null in {found[name].null_count:,} rows: let "
                "the SQL leave them out, or give them a value by coalesce"
            )
    counts = found.group_by(list(view.key), use_threads=False).aggregate([([], "count_all")])["count_all"]
    twice = pc.sum(pc.greater(counts, 1)).as_py()
    if twice:
        raise Mistake(
            f"{view.owner}: its SQL gives several rows for {twice:,} keys ({', '.join(view.key)}). Let key have all "
            "columns that tell rows apart, or the SQL give one row of them"
        )
