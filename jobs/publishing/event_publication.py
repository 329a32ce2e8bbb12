"""The answers of kept events are brought up to date: in this process if few events are looked at, else in tasks."""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_type
from pyspark.sql.types import StructField, StructType

from jobs.answers.event_rows.event_answer import EventAnswer
from jobs.answers.result import Result
from jobs.lake import commits
from jobs.publishing import event_plan, row_writing
from jobs.publishing.event_cache import EventCache
from jobs.publishing.event_difference import Moment
from jobs.publishing.event_plan import EventSource, Plan
from jobs.publishing.stored_events import StoredEvents
from jobs.running.instants import LAST_MICROS
from jobs.running.places import Places

MOST_SLICES = 16
"""A publication of more slices than that is left to tasks of Spark: what they find has to come back through Java."""


class EventPublisher:
    """Publishes the answers of one result."""

    def __init__(self, spark: SparkSession, places: Places, result: Result, has_cache: bool) -> None:
        """`has_cache`: whether events stay in memory from one publication to the next."""
        self._spark, self._places, self._result = spark, places, result
        self._cache = EventCache(result.topics) if has_cache else None

    def record_append(self, topic: str, rows: pa.Table | None) -> None:
        """Events were appended to the table of a topic; None if they are not at hand."""
        if self._cache:
            self._cache.record_append(topic, rows)

    def update(
        self, versions: Mapping[str, int], before: Moment, now: Moment, commit: commits.Commit
    ) -> dict[str, pa.Table | None]:
        """Bring the tables of the answers from one moment to the other, each in one commit. `versions`: of the tables
        of events, by name. Returns what has changed, by the name of the answer, if the result delivers anything.
        """
        changed: dict[str, pa.Table | None] = {}
        tables = {topic: self._result.events_table(topic) for topic in self._result.topics}
        stored = StoredEvents({topic: (self._places.table(name), versions[name]) for topic, name in tables.items()})
        is_filled = True
        for answer in self._result.event_answers:
            source = self._source(stored, answer, before, now)
            is_filled &= source is not stored
            planned = event_plan.plan(answer, source, before, now)
            if planned:
                changes = self._changes(answer, source, planned, before, now)
                path = self._places.table(self._result.answer_table(answer))
                written = row_writing.write(path, changes, answer.key, "event_time", commit)
                changed |= {answer.name: written} if self._result.deliver else {}
        if self._cache:
            first = self._first_kept(now)
            if not is_filled and not self._cache.holds(first):
                self._cache.fill(stored.read(first, LAST_MICROS, None), first)
            self._cache.trim(first)
        return changed

    def _source(self, stored: StoredEvents, answer: EventAnswer, before: Moment, now: Moment) -> EventSource:
        """The cache, if it has all that the answer needs; else the tables. A cache that is empty is filled now, if it
        will hold what is needed: then that is read once.
        """
        if not self._cache:
            return stored
        needed = event_plan.first_needed(answer, self._cache if self._cache.is_filled else stored, before, now)
        first = self._first_kept(now)
        if not self._cache.is_filled and needed is not None and needed >= first:
            self._cache.fill(stored.read(first, LAST_MICROS, None), first)
        if self._cache.is_filled and (needed is None or self._cache.holds(needed)):
            return self._cache
        return stored

    def _first_kept(self, now: Moment) -> int:
        """From when on events are needed for what comes next, unless that is late."""
        answers = self._result.event_answers
        reach = max(sum(answer.reach) for answer in answers)
        longest = max(wait for answer in answers for _, wait in answer.waits)
        return max(0, now.complete_micros - 2 * reach - longest - 1)

    def _changes(
        self, answer: EventAnswer, source: EventSource, planned: Plan, before: Moment, now: Moment
    ) -> pa.Table:
        if len(planned.slices) <= MOST_SLICES or not isinstance(source, StoredEvents):
            slices = planned.slices
            return pa.concat_tables(
                [event_plan.slice_changes(answer, source, planned, one, before, now) for one in slices]
            )
        return _changes_in_tasks(self._spark, answer, source, planned, before, now)


def _changes_in_tasks(
    spark: SparkSession, answer: EventAnswer, stored: StoredEvents, planned: Plan, before: Moment, now: Moment
) -> pa.Table:
    """The changes of all slices, each worked out in a task that reads its events itself."""
    nothing = event_plan.slice_changes(answer, stored, Plan(np.array([], np.int64), ()), (0, 0), before, now).schema

    def work(numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in numbers:
            for number in batch["id"].to_pylist():
                found = event_plan.slice_changes(answer, stored, planned, planned.slices[number], before, now)
                yield from found.combine_chunks().to_batches(50_000)

    columns = StructType([StructField(field.name, from_arrow_type(field.type)) for field in nothing])
    slices = spark.range(0, len(planned.slices), 1, len(planned.slices))
    return slices.mapInArrow(work, columns).toArrow().cast(nothing)
