"""Windows are upserted into their table: those with a pane that was written since the last time, merged anew.

A small change is made in this process, in a tenth of a second; a large one by Spark, whose MERGE takes three seconds
or more. Both give the same rows.
"""

from dataclasses import replace
from datetime import UTC, datetime

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from jobs.answers import windows
from jobs.answers.result import Result
from jobs.answers.windows import Window, merging
from jobs.lake import commits, delta_tables, table_queries
from jobs.publishing import calendar_days, in_process_upsert, stored_panes
from jobs.publishing.finality import Finality
from jobs.publishing.near_panes import NearPanes, Source, TooMuch
from jobs.publishing.pane_cache import PaneCache
from jobs.running import work_progress
from jobs.running.instants import EPOCH, to_micros
from jobs.running.places import Places

DAY_SECONDS = 86_400
LAST_SECOND = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
"""Python's calendar ends a day later."""


def publish(
    spark: SparkSession,
    places: Places,
    result: Result,
    since_sequence: int,
    finality: Finality,
    commit: commits.Commit,
    cache: PaneCache | None = None,
) -> None:
    """Merge the changed windows into the result's table; a row whose numbers change gets the next revision. Windows
    that have become final say so.

    `cache` keeps panes in memory for the next time.
    """
    panes_path, path = places.table(result.table("panes")), places.table(result.name)
    near: NearPanes | None = None
    is_too_much = False
    try:
        if cache:
            near = cache.near_panes(since_sequence)
        else:
            near = stored_panes.near(panes_path, result.pane_windows, since_sequence)
    except TooMuch:
        is_too_much = True
    _update_days(places, result, since_sequence, commit, near, fills_cache=bool(cache))
    try:
        if is_too_much:
            raise TooMuch
        sources = [Source(result.windows_from_panes, near), *calendar_days.sources(places, result, since_sequence)]
        in_process_upsert.upsert_windows(path, result, sources, since_sequence, finality, commit)
    except TooMuch:
        with work_progress.show_wait(f"{result.name}: publishing many windows, which Spark merges"):
            _publish_by_spark(spark, places, result, since_sequence, finality, commit)
    if cache:
        cache.trim()


def _update_days(
    places: Places,
    result: Result,
    since_sequence: int,
    commit: commits.Commit,
    near: NearPanes | None,
    fills_cache: bool,
) -> None:
    """Bring the days to what the panes are now. Those `near` are read once more only if that costs little, or if nobody
    else would read them into the cache.
    """
    if result.day_zones:
        is_at_hand = near is not None and (near.is_in_memory or (fills_cache and not result.windows_from_panes))
        calendar_days.update(places, result, since_sequence, commit, near if is_at_hand else None)


def _publish_by_spark(
    spark: SparkSession,
    places: Places,
    result: Result,
    since_sequence: int,
    finality: Finality,
    commit: commits.Commit,
) -> None:
    """Windows of panes by Spark, and before them, in this process and in a commit of their own, those of days, and what
    has become final. If a run ends between the two, the next one does both again.
    """
    path, before = places.table(result.name), replace(commit, step=f"{commit.step} final")
    windows = result.windows_from_panes
    try:
        sources = calendar_days.sources(places, result, since_sequence)
        in_process_upsert.upsert_windows(path, result, sources, since_sequence, finality, before)
    except TooMuch:
        windows = result.windows
        in_process_upsert.turn_windows(path, finality, before)
    if windows:
        _upsert_by_spark(spark, places, result, windows, since_sequence, finality, commit)


def _spans(path: str, since_sequence: int, kinds: tuple[Window, ...]) -> list[tuple[int, int]]:
    """Spans of time in seconds, [start, end), a day or more each, that cover every window with a newer pane."""
    spans: list[tuple[int, int]] = []
    for day in table_queries.days(path, "pane_start", f"sequence > {since_sequence}"):
        start = windows.first_start(kinds, day * DAY_SECONDS)
        end = windows.last_end(kinds, (day + 1) * DAY_SECONDS - 1)
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def _within(column: str, spans: list[tuple[int, int]]) -> Column:
    inside = F.lit(False)
    for start, end in spans:
        inside = inside | ((F.col(column) >= F.lit(_time(start))) & (F.col(column) < F.lit(_time(end))))
    return inside


def _time(second: int) -> datetime:
    """The instant, or the end of Python's calendar if that comes before it: no pane is that late."""
    return datetime.fromtimestamp(min(second, LAST_SECOND), UTC)


def _upsert_by_spark(
    spark: SparkSession,
    places: Places,
    result: Result,
    kinds: tuple[Window, ...],
    since_sequence: int,
    finality: Finality,
    commit: commits.Commit,
) -> None:
    assert result.panes
    stored = places.table(result.table("panes"))
    spans = _spans(stored, since_sequence, kinds)
    if not spans:
        return
    near = spark.read.format("delta").load(stored).where(_within("pane_start", spans))
    changed = merging.merge(near, result.panes, kinds, to_micros(finality.now or EPOCH), since_sequence)
    changed = changed.withColumnRenamed(windows.KIND, result.window_column)
    source = changed.withColumns({"revision": F.lit(1), "updated_time": F.lit(datetime.now(UTC))})
    keys = [f"t.`{key}` <=> s.`{key}`" for key in (*result.window_key, *result.panes.by)]
    # Literal bounds let Delta leave out the files of other times.
    start, end = (_time(second).isoformat() for second in (spans[0][0], spans[-1][1]))
    bounds = f"t.window_start >= timestamp'{start}' and t.window_start < timestamp'{end}'"
    updated = {f"`{name}`": f"s.`{name}`" for name in source.columns if name != "revision"} | {
        "revision": "t.revision + 1"
    }
    path = places.table(result.name)
    if not table_queries.may_hold(path, "window_start", _time(spans[0][0]), _time(spans[-1][1])):
        delta_tables.append(source, path, commit, {})  # nothing there to match, so a merge would only insert
        return
    # Panes are only ever added, so a window has changed exactly if it counts more records.
    count = f"`{result.panes.count}`"
    condition = " and ".join([*keys, bounds])
    delta_tables.merge(source, path, condition, f"t.{count} <> s.{count}", updated, commit)
