"""A view that is kept up to date for what changes touch is what the whole SQL gives."""

from collections import Counter

import duckdb
import pyarrow as pa
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from jobs.answers.views import analysis, evaluation
from jobs.answers.views.evaluation import TableChanges
from jobs.answers.views.view import View
from tests.jobs.answers.views import joined_sql
from tests.jobs.answers.views.joined_sql import SCHEMAS, TABLES, Rows, selects, states

ORACLE = duckdb.connect()


def tables(state: Rows) -> dict[str, pa.Table]:
    return {name: pa.Table.from_pylist(list(rows.values()), SCHEMAS[name]) for name, rows in state.items()}


def whole(sql: str, state: Rows) -> Counter[tuple[object, ...]]:
    """What DuckDB gives."""
    for name, rows in tables(state).items():
        ORACLE.register(name, rows)
    return Counter(ORACLE.execute(sql).fetchall())


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


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(select=selects(), histories=st.lists(states(), min_size=3, max_size=3))
def test_what_is_derived_from_the_sql(
    select: tuple[str, tuple[str, ...], tuple[str, ...]], histories: list[tuple[Rows, Rows]]
) -> None:
    sql, key, by = select
    view = View(sql, key, by)
    found = analysis.analyse(view, {name: joined_sql.columns(name) for name in TABLES})
    for before, after in histories:
        now = tables(after)
        touched = evaluation.touched_values(view, found, now, changes(before, after))
        event("everything" if touched is None else "nothing" if not len(touched) else "some")
        values = None if touched is None else {tuple(row.values()) for row in touched.to_pylist()}
        was, due = whole(sql, before), whole(sql, after)
        stays = Counter({row: n for row, n in was.items() if values is not None and row[: len(by)] not in values})
        event("the same" if was == due else "other rows")
        assert stays + in_rows(evaluation.rows(view, found, now, touched)) == due
