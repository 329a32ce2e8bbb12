"""What a view does, worked out before there is any row: its columns, the tables it reads, what a change touches."""

from collections.abc import Mapping
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
    tables: Mapping[str, tuple[str, ...]]
    """The tables that its SQL reads, or that of `touched`, with the columns that SQL sees."""
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
    owner = view.owner
    seen = {name: seen_columns(columns) for name, columns in given.items()}
    if CHANGED in (name.lower() for name in given):
        raise Mistake(f"{owner}: a table of latest rows cannot be called {CHANGED}: name the answer otherwise")
    with Engine(owner) as engine:
        for name, schema in seen.items():
            engine.create(name, schema)
        reads = bound_plan.tables_read(owner, view.select, engine, seen)
        output_columns.check_names(owner, engine.names(view.select))
        rows = engine.rows(f"from ({view.select}\n) limit 0").schema
    columns = output_columns.of_schema(owner, rows)
    output_columns.check_key(owner, "key", view.key, rows)
    output_columns.check_key(owner, "by", view.by, rows)
    derived = derivation.derive(view.select, view.by, seen)
    uses = reads if view.touched is None else reads | _tables_of_touched(view, rows, seen, reads)
    return Analysis(
        columns,
        rows,
        {name: tuple(seen[name].names) for name in sorted(uses)},
        derived.touched if view.touched is None else view.touched,
        reads,
        *(derived.table, derived.columns),
    )


def _tables_of_touched(
    view: View, rows: pa.Schema, seen: Mapping[str, pa.Schema], reads: frozenset[str]
) -> frozenset[str]:
    """The tables that the SQL of `touched` reads. Raises Mistake if it is wrong."""
    given, found = view.touched or {}, set[str]()
    for names, remedy in ((reads - given.keys(), "give SQL for it"), (given.keys() - reads, "leave it out")):
        if names:
            raise Mistake(
                f"{view.owner}: touched is wrong about {min(names)}: the SQL reads {', '.join(sorted(reads))}: {remedy}"
            )
    for table, sql in given.items():
        owner = f"{view.owner}: touched[{table!r}]"
        with Engine(owner) as engine:
            for name, schema in (*seen.items(), (CHANGED, seen[table])):
                engine.create(name, schema)
            found |= bound_plan.tables_read(owner, sql, engine, {*seen, CHANGED})
            selected = engine.rows(f"from ({sql}\n) limit 0").schema
        output_columns.check_touched(view.owner, table, {name: rows.field(name).type for name in view.by}, selected)
    return frozenset(found - {CHANGED})


def seen_columns(columns: StructType) -> pa.Schema:
    """The columns of a table of latest rows that SQL sees."""
    seen = [field for field in columns if field.name not in HIDDEN]
    return to_arrow_schema(StructType(seen), timezone="UTC")
