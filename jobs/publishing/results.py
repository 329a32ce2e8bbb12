"""Readers of results for analysts and notebooks: with Spark, or without any Java.

`published` is what the last publishing wrote; `fresh` is the same windows merged from the panes at this moment. `query`
and `pandas` need no JVM. All follow the names that `headrace promote` switches. tables.py has the last two for whoever
does not want to say where the tables are.
"""

from datetime import datetime
from typing import TYPE_CHECKING, cast

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from jobs.answers.result import Result
from jobs.answers.windows import KIND, merging
from jobs.lake import delta_tables, pointers
from jobs.lake.table_queries import identifier
from jobs.publishing import named_tables, window_column, window_views
from jobs.publishing.window_views import View
from jobs.running.errors import Refused
from jobs.running.instants import EPOCH, to_micros
from jobs.running.places import Places

if TYPE_CHECKING:
    import pandas as pd
    from deltalake import DeltaTable


def published_rows(spark: SparkSession, places: Places, result: Result) -> DataFrame:
    """The table of `result` as it stands: its published windows, or its rows. Raises Refused if there is none yet."""
    return _load(spark, places, result.name)


def fresh(spark: SparkSession, places: Places, result: Result) -> DataFrame:
    """The windows of `result` with every batch that is closed, published or not.

    The columns are those of `published_rows` but for `revision` and `updated_time`. An append whose batch is not closed
    yet may be among them. Raises Refused if the result has no panes or no tables yet.
    """
    if result.panes is None:
        raise Refused(f"{result.name} keeps a row for each record and no panes: its table is always fresh.")
    panes = _load(spark, places, result.table("panes"))
    complete_micros = to_micros(_complete_time(places, result) or EPOCH)
    windows = merging.merge(panes, result.panes, result.windows, complete_micros)
    return windows.withColumnRenamed(KIND, window_column.as_stored(places, result).window_column)


def _complete_time(places: Places, result: Result) -> datetime | None:
    """Complete time after the last batch that is closed."""
    ledger = result.table("ledger")
    last = query(places, f'select complete_time from "{ledger}" order by sequence desc limit 1', ledger)
    return cast(datetime | None, last["complete_time"][0].as_py()) if len(last) else None


def query(places: Places, sql: str, *names: str) -> pa.Table:
    """The answer to `sql`, in which tables (such as departure_delay_v1) stand under their names, and the rows of one
    kind of window under that of its view (departure_delay_v1_1_hour; see window_views.py). Which ones it reads is taken
    from the SQL, unless `names` say so.

    A name that `headrace promote` has pointed to a result stands for its table; all that the query names are of the
    same moment between two switches. The SQL is that of Apache DataFusion. Runs in this process without Java; raises
    Refused if a table is not there, or if the SQL cannot be read.
    """
    from deltalake import QueryBuilder

    tables, views = _open(places, *(names or named_tables.names(sql)))
    builder = QueryBuilder()
    registered = {name: table for name, (_, table) in tables.items()}
    by_own_name = dict(tables.values())
    for view in views.values():
        if view.table not in registered:
            registered[view.table] = by_own_name.get(view.table) or _table(places, view.table, view.table)
    for name, table in registered.items():
        builder = builder.register(name, table)
    for name, view in views.items():
        builder.execute(f'create view "{name}" as {view.select("datafusion", identifier(view.table))}').read_all()
    return _plain(pa.table(builder.execute(sql).read_all()))


def pandas(places: Places, name: str, window: str | None = None) -> "pd.DataFrame":
    """The whole table `name` as a pandas frame, without Java; with `window` the rows of this kind of window alone, in
    the columns of its view. It is named by its label ("tumbling 1 hour", "day America/New_York"), or by what is enough
    to tell it from the others ("1 hour", "day").

    Raises Refused if there is no such table or window.
    """
    if window is None:
        return query(places, f"select * from {identifier(name)}", name).to_pandas()
    view = window_views.choose(places, _own_name(places, name), window)
    return query(places, f"select * from {identifier(view.name)}", view.name).to_pandas()


def table_path(places: Places, name: str) -> str:
    """The path of the table that `name` means now, for Spark and other readers of Delta tables: its own, or that of the
    result to which `headrace promote` has pointed the name. Raises Refused if there is none.
    """
    return places.table(_own_name(places, name))


def _own_name(places: Places, name: str) -> str:
    """The name of the table that `name` means now."""
    ((meant, table),) = pointers.open_tables(places, (name,)).values()
    if table is None:
        raise _absence(places, name, meant)
    return meant


def _load(spark: SparkSession, places: Places, name: str) -> DataFrame:
    return spark.read.format("delta").load(table_path(places, name))


def _open(places: Places, *names: str) -> "tuple[dict[str, tuple[str, DeltaTable]], dict[str, View]]":
    """By name, the table that it means and its own name; and the views. Raises Refused if there is neither."""
    tables: dict[str, tuple[str, DeltaTable]] = {}
    views: dict[str, View] = {}
    for name, (meant, table) in pointers.open_tables(places, names).items():
        if table is not None:
            tables[name] = meant, table
        elif (view := window_views.find(places, name) or window_views.find(places, meant)) is not None:
            views[name] = view
        else:
            raise _absence(places, name, meant)
    return tables, views


def _table(places: Places, name: str, meant: str) -> "DeltaTable":
    table = delta_tables.find(places.table(meant))
    if table is None:
        raise _absence(places, name, meant)
    return table


def _absence(places: Places, name: str, meant: str) -> Refused:
    of_result = "" if meant == name else f" (the name points to {meant})"
    advice = "run the job that keeps it; headrace status lists the results"
    return Refused(f"there is no table {name} in {places.tables}{of_result}: {advice}.")


def _plain(table: pa.Table) -> pa.Table:
    """With strings and bytes in Arrow's common layout, which every reader knows."""
    return table.cast(pa.schema([field.with_type(_common(field.type)) for field in table.schema]))


def _common(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_map(kind):
        key, item = kind.key_field, kind.item_field
        return pa.map_(key.with_type(_common(key.type)), item.with_type(_common(item.type)))
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_common(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_common(field.type)) for field in kind])
    return {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}.get(kind, kind)
