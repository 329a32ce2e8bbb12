"""What a view does, worked out before there is any row: its columns, the tables it reads, what a change touches."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from jobs.answers.views import bound_plan, derivation, output_columns
from jobs.answers.views.engine import Engine
from jobs.answers.views.view import CHANGED, HIDDEN, View
from jobs.running.errors import Mistake


@dataclass(frozen=True)
class Analysis:
    """Of one view over tables of these columns."""

    columns: StructType
    """Of its rows."""
    schema: pa.Schema
    """The same, in Arrow's types."""
    tables: Mapping[str, Mapping[str, str]]
    """The tables that its SQL reads, or that of `touched`, with the columns that SQL sees and their types in DuckDB."""
    needed: Mapping[str, tuple[str, ...]]
    """The columns of each that are read. SQL sees null in the others."""
    touched: Mapping[str, str]
    """By table, SQL that selects what a change touches. A change of another table that the view reads may touch any
    row."""
    reads: frozenset[str]
    """The tables that its SQL reads."""
    restricted: str | None
    """The table of which the rows with touched values are enough; None if that is not certain of one."""
    restricted_columns: tuple[str, ...]
    """The columns of that table which `by` are."""


def analyse(view: View, given: Mapping[str, StructType]) -> Analysis:
    """Raises Mistake as View.columns does. `given`: the columns of the tables of latest rows, by name."""
    return analyse_tables(view, {name: to_arrow_schema(columns, timezone="UTC") for name, columns in given.items()})


def analyse_tables(view: View, given: Mapping[str, pa.Schema]) -> Analysis:
    """As `analyse`, with Arrow's types."""
    owner = view.owner
    seen = {name: _seen_columns(columns) for name, columns in given.items()}
    if CHANGED in (name.lower() for name in given):
        raise Mistake(f"{owner}: a table of latest rows cannot be called {CHANGED}: name the answer otherwise")
    with Engine(owner) as engine:
        for name, schema in seen.items():
            engine.create(name, schema)
        kinds = {name: engine.kinds(name) for name in seen}
        reads = bound_plan.columns_read(owner, view.sql, engine, seen)
        output_columns.check_names(owner, engine.names(view.sql))
        rows = engine.rows(f"from ({view.sql}\n) limit 0").schema
    columns = output_columns.of_schema(owner, rows)
    output_columns.check_key(owner, "key", view.key, rows)
    output_columns.check_key(owner, "by", view.by, rows)
    derived = derivation.derive(view.sql, view.by, seen)
    needed = dict(reads)
    for name, more in _columns_of_touched(view, rows, seen, frozenset(reads)):
        needed[name] = needed.get(name, frozenset()) | more
    for name, (column, _) in (view.limit or {}).items():
        _check_limit(view, name, column, needed, seen)
        needed[name] |= {column}
    return Analysis(
        columns,
        rows,
        {name: kinds[name] for name in sorted(needed)},
        {name: tuple(column for column in kinds[name] if column in needed[name]) for name in needed},
        derived.touched if view.touched is None else view.touched,
        frozenset(reads),
        *(derived.table, derived.columns),
    )


def _check_limit(
    view: View, table: str, column: str, needed: Mapping[str, frozenset[str]], seen: Mapping[str, pa.Schema]
) -> None:
    """Raises Mistake unless the view reads the table, and that has the column."""
    if table not in needed:
        raise Mistake(f"{view.owner}: limit names {table}, and its SQL reads {', '.join(sorted(needed))}")
    if column not in seen[table].names:
        raise Mistake(
            f"{view.owner}: limit names the column {column} of {table}, which has {', '.join(seen[table].names)}"
        )


def _columns_of_touched(
    view: View, rows: pa.Schema, seen: Mapping[str, pa.Schema], reads: frozenset[str]
) -> Iterator[tuple[str, frozenset[str]]]:
    """The tables that the SQL of `touched` reads, and their columns. Raises Mistake if it is wrong."""
    given = view.touched
    if given is None:
        return
    for names, remedy in ((reads - given.keys(), "give SQL for it"), (given.keys() - reads, "leave it out")):
        if names:
            there = ", ".join(sorted(reads))
            raise Mistake(f"{view.owner}: touched is wrong about {min(names)}: the SQL reads {there}: {remedy}")
    for table, sql in given.items():
        owner = f"{view.owner}: touched[{table!r}]"
        with Engine(owner) as engine:
            for name, schema in (*seen.items(), (CHANGED, seen[table])):
                engine.create(name, schema)
            found = bound_plan.columns_read(owner, sql, engine, {*seen, CHANGED})
            selected = engine.rows(f"from ({sql}\n) limit 0").schema
        output_columns.check_touched(view.owner, table, {name: rows.field(name).type for name in view.by}, selected)
        yield from ((name, columns) for name, columns in found.items() if name != CHANGED)


def _seen_columns(columns: pa.Schema) -> pa.Schema:
    """The columns of a table of latest rows that SQL sees."""
    return pa.schema([field for field in columns if field.name not in HIDDEN])
