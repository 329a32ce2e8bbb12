"""A view that is kept up to date for what changes touch is what the whole SQL gives."""

from collections import Counter

import duckdb
import pyarrow as pa
from hypothesis import HealthCheck, given, settings

from jobs.answers.views import analysis, evaluation
from jobs.answers.views.evaluation import TableChanges
from jobs.answers.views.view import View
from tests.jobs.answers.views import joined_sql
from tests.jobs.answers.views.joined_sql import SCHEMAS, TABLES, Rows, selects, states


def tables(state: Rows) -> dict[str, pa.Table]:
    return {name: pa.Table.from_pylist(list(rows.values()), SCHEMAS[name]) for name, rows in state.items()}


def whole(sql: str, state: Rows) -> Counter[tuple[object, ...]]:
    """What DuckDB gives."""
    with duckdb.connect() as connection:
        for name, rows in tables(state).items():
            connection.register(name, rows)
        return Counter(connection.execute(sql).fetchall())


def changes(before: Rows, after: Rows) -> dict[str, TableChanges]:
    found = {}
    for name in TABLES:
        old, new = before[name], after[name]
        was = [row for key, row in old.items() if new.get(key) != row]
        is_now = [row for key, row in new.items() if old.get(key) != row]
        found[name] = TableChanges(*(pa.Table.from_pylist(rows, SCHEMAS[name]) for rows in (was, is_now)))
    return found


def in_rows(found: pa.Table) -> Counter[tuple[object, ...]]:
    return Counter(tuple(row.values()) for row in found.to_pylist())


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(select=selects(), state=states())
def test_what_is_derived_from_the_sql(
    select: tuple[str, tuple[str, ...], tuple[str, ...]], state: tuple[Rows, Rows]
) -> None:
    sql, key, by = select
    before, after = state
    view = View(sql, key, by)
    found = analysis.analyse(view, {name: joined_sql.columns(name) for name in TABLES})
    now = tables(after)
    touched = evaluation.touched_values(view, found, now, changes(before, after))
    assert in_rows(evaluation.rows(view, found, now)) == whole(sql, after)
    if touched is not None:
        values = {tuple(row.values()) for row in touched.to_pylist()}
        stays = Counter({row: n for row, n in whole(sql, before).items() if row[: len(by)] not in values})
        assert stays + in_rows(evaluation.rows(view, found, now, touched)) == whole(sql, after)
