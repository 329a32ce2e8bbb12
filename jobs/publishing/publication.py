"""Windows into their table: those that hold a pane written since the last time are merged anew and corrected.

A small change is made in this process, in a tenth of a second; a large one by Spark, whose MERGE takes three seconds
or more. Both give the same rows.
"""

from datetime import UTC, datetime

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from jobs.answers import merging, windows
from jobs.answers.result import Result
from jobs.answers.windows import Window
from jobs.lake import commits, delta_tables, table_queries
from jobs.publishing import in_process_upsert
from jobs.publishing.pane_cache import Recent
from jobs.running.places import Places

DAY_SECONDS = 86_400
LAST_SECOND = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
"""Python's calendar ends within a day from there."""


def publish(
    spark: SparkSession,
    places: Places,
    result: Result,
    since_sequence: int,
    commit: commits.Commit,
    recent: Recent | None = None,
) -> None:
    """Merge the changed windows into the result's table; a row that changes gets the next revision.

    `recent` keeps panes in memory for the next time.
    """
    recent = recent or Recent(places.table(f"{result.name}_panes"), result)
    near = recent.near(since_sequence)
    if near is None or not in_process_upsert.windows(places.table(result.name), result, near, since_sequence, commit):
        _by_spark(spark, places, result, since_sequence, commit)
    recent.published()


def _spans(path: str, since_sequence: int, some: tuple[Window, ...]) -> list[tuple[int, int]]:
    """Spans of seconds that hold the windows that newer panes are in, whole, a day or more each."""
    spans: list[tuple[int, int]] = []
    for day in table_queries.days(path, "pane_start", f"sequence > {since_sequence}"):
        first = windows.first_start(some, day * DAY_SECONDS)
        after = windows.last_end(some, (day + 1) * DAY_SECONDS - 1)
        if spans and first <= spans[-1][1]:
            spans[-1] = (spans[-1][0], after)
        else:
            spans.append((first, after))
    return spans


def _within(column: str, spans: list[tuple[int, int]]) -> Column:
    inside = F.lit(False)
    for first, after in spans:
        start, end = F.lit(_moment(first)), F.lit(_moment(after))
        inside = inside | ((F.col(column) >= start) & (F.col(column) < end))
    return inside


def _moment(second: int) -> datetime:
    """The instant; where the calendar ends if that is before it: no pane is as late."""
    return datetime.fromtimestamp(min(second, LAST_SECOND), UTC)


def _by_spark(spark: SparkSession, places: Places, result: Result, since_sequence: int, commit: commits.Commit) -> None:
    assert result.panes
    stored = places.table(f"{result.name}_panes")
    spans = _spans(stored, since_sequence, result.windows)
    if not spans:
        return
    near = spark.read.format("delta").load(stored).where(_within("pane_start", spans))
    changed = merging.merge(near, result.panes, result.windows, since_sequence)
    source = changed.withColumns({"revision": F.lit(1), "updated_time": F.lit(datetime.now(UTC))})
    keys = [f"t.`{key}` <=> s.`{key}`" for key in (*windows.KEYS, *result.panes.by)]
    # Literal bounds let Delta leave out the files of other times.
    first, after = (_moment(second).isoformat() for second in (spans[0][0], spans[-1][1]))
    bounds = f"t.window_start >= timestamp'{first}' and t.window_start < timestamp'{after}'"
    updated = {f"`{name}`": f"s.`{name}`" for name in source.columns if name != "revision"} | {
        "revision": "t.revision + 1"
    }
    path = places.table(result.name)
    if not table_queries.may_hold(path, "window_start", _moment(spans[0][0]), _moment(spans[-1][1])):
        delta_tables.append(source, path, commit, {})  # nothing there to match, so a merge would only insert
        return
    # Panes are only ever added, so a window has changed exactly if it counts more records.
    count = f"`{result.panes.count}`"
    condition = " and ".join([*keys, bounds])
    delta_tables.merge(source, path, condition, f"t.{count} <> s.{count}", updated, commit)
