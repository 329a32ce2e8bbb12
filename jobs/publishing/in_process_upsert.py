"""Changed windows are upserted in this process, piece by piece: rows of a span of time are replaced by corrected ones.

All pieces make one commit. What is in memory at once does not depend on how many windows there are, nor on how much
time they span.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, QueryBuilder

from jobs.answers.result import Result
from jobs.answers.windows import Window, merging
from jobs.answers.windows.open_windows import Completed
from jobs.facts.panes import Panes
from jobs.lake import commits, delta_tables, table_queries
from jobs.publishing import event_difference
from jobs.publishing.finality import Finality
from jobs.publishing.near_panes import NearPanes, Source, TooMuch
from jobs.running.instants import EPOCH, sql_literal, to_micros

MOST_WINDOWS = 500_000
"""Most windows that are upserted here; more are left to Spark, which makes them on all cores."""
TARGET_FILE_BYTES = 4 * 2**20
"""To correct a window its whole file is written again. So files are small: windows that are no longer corrected are
in files of their own, which stay as they are."""
_OURS = ("revision", "updated_time")
"""Columns that are not merged from panes."""

Span = tuple[int, int]
"""Starts of windows, [first, after), in seconds since 1970 UTC."""


def upsert_windows(
    path: str,
    result: Result,
    sources: Sequence[Source],
    since_sequence: int,
    finality: Finality,
    commit: commits.Commit,
) -> None:
    """Upsert the windows of these sources: new windows get revision 1, those that count more records than before
    their next revision. Windows that have become final say so. Raises TooMuch if they are too many; then nothing is
    written.
    """
    assert result.panes
    table = DeltaTable(path)
    spans = {name: span for source in sources for name, span in _spans(result, source).items()}
    has_old, turns = bool(spans) and _may_hold(path, spans), _turns(table, finality)
    where = " or ".join([*([_condition(spans, result.window_column)] if spans else []), *([turns] if turns else [])])
    if not where:
        return
    if (has_old or turns) and _count(table, where) > MOST_WINDOWS:
        raise TooMuch
    delta_tables.replace_in_pieces(
        _pieces(table, result, sources, since_sequence, finality, spans, has_old, turns),
        *(path, where, commit, TARGET_FILE_BYTES),
    )


def turn_windows(path: str, finality: Finality, commit: commits.Commit) -> None:
    """Let the published windows that have become final, or no longer are, say so; however many there are."""
    table = DeltaTable(path)
    turns = _turns(table, finality)
    if turns:
        rows = _turned_rows(table, turns, finality, datetime.now(UTC))
        delta_tables.replace_in_pieces(rows, path, turns, commit, TARGET_FILE_BYTES)


def _turns(table: DeltaTable, finality: Finality) -> str | None:
    """`finality.condition`, or None if the table has no such window."""
    return finality.condition if finality.condition and _count(table, finality.condition) else None


def _turned_rows(table: DeltaTable, where: str, finality: Finality, now: datetime) -> Iterator[pa.Table]:
    """The rows for which `where` holds, as they are now, in pieces."""
    columns = pa.schema(table.schema().to_arrow())
    query = QueryBuilder(table_queries.ONE_THREAD).register("it", table)
    for rows in query.execute(f"select * from it where {where}"):
        yield _with_finality(pa.table(rows).cast(columns), finality, now)


def _pieces(
    table: DeltaTable,
    result: Result,
    sources: Sequence[Source],
    since_sequence: int,
    finality: Finality,
    spans: dict[str, Span],
    has_old: bool,
    turns: str | None,
) -> Iterator[pa.Table]:
    """The rows that take the place of those of the windows that start in `spans`, then of the others for which `turns`
    holds. `has_old`: whether the table may have some in `spans`.
    """
    assert result.panes
    columns, now = pa.schema(table.schema().to_arrow()), datetime.now(UTC)
    keys = (*result.window_key, *result.panes.by)
    for step in (step for source in sources for step in _steps(result, source, since_sequence, finality, columns)):
        changed = pa.concat_tables([completed.rows for completed in step])
        parts = _completed_spans(step, spans) if has_old else {}
        old = table_queries.rows_where(table, _condition(parts, keys[0])) if parts else columns.empty_table()
        old = _with_finality(old, finality, now)
        yield _corrected_rows(changed, old, keys, result.panes.count, now).sort_by("window_start")
    if turns:
        others = f"{turns} and not ({_condition(spans, keys[0])})" if spans else turns
        yield from _turned_rows(table, others, finality, now)


def _steps(
    result: Result, source: Source, since_sequence: int, finality: Finality, columns: pa.Schema
) -> Iterator[list[Completed]]:
    assert result.panes
    if not source.near or not source.windows:
        return iter(())
    target = pa.schema([field for field in columns if field.name not in _OURS])
    complete_micros = to_micros(finality.now or EPOCH)
    return merging.window_steps(
        *(source.near.read(None), result.panes, source.windows, target, complete_micros, since_sequence), block_rows=0
    )


def _spans(result: Result, source: Source) -> dict[str, Span]:
    """For each kind of windows where those start that hold a new pane. Raises TooMuch if they are too many."""
    near = source.near
    if near is None:
        return {}
    assert result.panes
    if _are_too_many(near, result.panes, source.windows):
        raise TooMuch
    return {window.name: _span(window, near) for window in source.windows}


def _count(table: DeltaTable, where: str) -> int:
    return int(table_queries.query(table, f"select count(*) as n from it where {where}")["n"][0].as_py())


def _with_finality(old: pa.Table, finality: Finality, now: datetime) -> pa.Table:
    """Published rows as they are now: those that have become final, or are no longer, are updated."""
    final = finality.is_final(old["window_end"])
    has_turned = pc.not_equal(pc.fill_null(old["final"], False), final)
    times = pc.if_else(has_turned, pa.scalar(now, old["updated_time"].type), old["updated_time"])
    columns = {"due_time": old["window_end"], "final": final, "updated_time": times}
    for name, column in columns.items():
        old = old.set_column(old.schema.get_field_index(name), old.schema.field(name), column)
    return old


def _are_too_many(near: NearPanes, panes: Panes, windows: tuple[Window, ...]) -> bool:
    """Whether the panes fill more than MOST_WINDOWS windows; a window with panes of two pieces counts twice."""
    one = np.zeros(1, np.int64)
    if near.most_rows * sum(window.count(one, one) for window in windows) <= MOST_WINDOWS:
        return False
    pieces = near.read(("pane_start", *panes.by))
    return sum(merging.window_count(pa.Table.from_batches([piece]), panes, windows) for piece in pieces) > MOST_WINDOWS


def _span(window: Window, near: NearPanes) -> Span:
    """Where the windows of this kind start that hold a new pane."""
    first, last = (np.array([int(moment.timestamp())]) for moment in (near.first_new, near.last_new))
    return int(window.first_starts(first)[0]), int(window.starts(last)[0]) + 1


def _completed_spans(step: list[Completed], spans: dict[str, Span]) -> dict[str, Span]:
    """What of these spans a step has completed."""
    parts = {}
    for done in step:
        first, after = spans[done.window.name]
        first = first if done.first is None else max(first, done.first)
        after = after if done.after is None else min(after, done.after)
        if first < after:
            parts[done.window.name] = first, after
    return parts


def _condition(spans: dict[str, Span], column: str) -> str:
    """SQL that holds for all windows of these kinds, whose labels are in `column`, which start in these spans."""
    kinds = (
        f"(\"{column}\" = '{name}' and window_start >= {_literal(first)} and window_start <= {_literal(after - 1)})"
        for name, (first, after) in spans.items()
    )
    return " or ".join(kinds)


def _literal(second: int) -> str:
    return sql_literal(datetime.fromtimestamp(second, UTC))


def _may_hold(path: str, spans: dict[str, Span]) -> bool:
    """Whether the table may have windows that start in these spans."""
    first, after = min(first for first, _ in spans.values()), max(after for _, after in spans.values())
    moments = (datetime.fromtimestamp(second, UTC) for second in (first, after))
    return table_queries.may_hold(path, "window_start", *moments)


def _corrected_rows(changed: pa.Table, old: pa.Table, keys: tuple[str, ...], count: str, now: datetime) -> pa.Table:
    """The old rows, but for those that have changed, and the `changed` windows that count more records, or are new."""
    before = np.zeros(len(changed), np.int64)
    if len(old) and len(changed):
        at = event_difference.places_among(changed, old, keys)
        known = at >= 0
        # Panes are only ever added, so a window has changed exactly if it counts more records.
        is_corrected = ~known | (_numbers(old, count, at) != changed[count].to_numpy())
        before = np.where(known, _numbers(old, "revision", at), 0)[is_corrected]
        stays = np.ones(len(old), bool)
        stays[at[known & is_corrected]] = False
        changed, old = changed.filter(pa.array(is_corrected)), old.filter(pa.array(stays))
    changed = changed.append_column("revision", pa.array(before + 1, old.schema.field("revision").type))
    times = pa.repeat(pa.scalar(now, old.schema.field("updated_time").type), len(changed))
    changed = changed.append_column("updated_time", times)
    return pa.concat_tables([old, changed.select(old.column_names)])


def _numbers(old: pa.Table, name: str, at: np.ndarray) -> np.ndarray:
    """A column of the old rows at these places; where the place is -1, a number without a meaning."""
    values: np.ndarray = old[name].to_numpy()[at]
    return values
