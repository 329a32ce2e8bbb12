"""Keeps a result up to date: one microbatch after another, each closed by a row of the ledger.

The steps of a batch: quarantine, panes or rows, filters, windows if they are due, ledger. Each is one Delta commit
that says which step it is, so a batch that is tried again does only what is missing.
"""

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from jobs.broker.groups import Group
from jobs.run import Refused, Run
from jobs.sinks import checkpoint, ledger, locks, passes, position, publish, reach, recovery, tables
from jobs.sinks.batch_size import BatchSize
from jobs.sinks.ledger import Row
from jobs.sinks.position import Log
from jobs.transforms import durations
from jobs.transforms.result import Result


def keep(run: Run, result: Result, log: Log) -> Row:
    """Bring `result` up to date with the log, or keep it up to date if the run is continuous; returns the last row.

    Raises Refused when the log or the tables are not as they must be; see recovery.resume and position.check.
    """
    with locks.only_run(run.spark, run.places.checkpoints, result.name):
        reach.check(run.spark, "tables", run.places.tables)
        start = _start(run, result, log)
        newest = ledger.last(run.places, result.name, "batch")
        keeper = Keeper(run, result, start.last, start.checkpoint, careful=bool(newest and newest.quarantined))
        while not _stream(run, result, log, start.last, keeper):
            pass
        keeper.publish_rest()
        return keeper.last


def _stream(run: Run, result: Result, log: Log, last: Row, keeper: "Keeper") -> bool:
    """Run the query to its end; False if it is to start again with another size of batches."""
    records = log.read(
        run.spark,
        run.places,
        result.topic.TOPIC,
        starting_offsets=_kafka_json(result.topic.TOPIC, last.end_offsets),
        max_records_per_batch=keeper.size.limit if run.continuous else result.max_records_per_batch,
        group=result.name,
    )
    trigger: dict[str, Any] = {"processingTime": run.continuous} if run.continuous else {"availableNow": True}
    keeper.query = query = (
        records.writeStream.foreachBatch(keeper.batch)
        .option("checkpointLocation", keeper.checkpoint)
        .queryName(result.name)
        .trigger(**trigger)
        .start()
    )
    try:
        run.watch(query)
    except BaseException as error:
        if isinstance(keeper.failure, _Resized):
            keeper.failure = None
            return False
        raise keeper.failure or error from None
    finally:
        query.stop()
    return True


class _Resized(Exception):
    """Ends a query whose batches are to have another size. Its last batch is closed: it is not done again."""


def _start(run: Run, result: Result, log: Log) -> recovery.Start:
    """Where the run goes on, in the log and in the tables."""
    before = ledger.last(run.places, result.name)
    topic = position.check(run, result, log, before) if before else log.topic(run.places, result.topic.TOPIC)
    start = recovery.resume(run.spark, run.places, result, topic_id=topic.id)
    for note in start.notes:
        run.say(f"{result.name}: {note}")
    return replace(start, last=position.begin(run, result, log, start.last))


@dataclass
class Keeper:
    """Runs the batches of one result; `last` is the ledger's last row."""

    run: Run
    result: Result
    last: Row
    checkpoint: str
    careful: bool = False
    """Whether the next batch is likely to hold doubtful records: a log that had some in one has some in the next."""
    failure: Exception | None = None
    query: StreamingQuery | None = None
    group: Group | None = None
    tells_kafka: bool = True
    published_at: float = field(default_factory=time.monotonic)
    size: BatchSize = field(init=False)

    def __post_init__(self) -> None:
        floor, ceiling = self.result.min_records_per_batch, self.result.max_records_per_batch
        self.size = BatchSize(durations.seconds(self.result.batch_target), min(floor, ceiling), ceiling)

    def batch(self, records: DataFrame, batch_id: int) -> None:
        """One microbatch, from its records to its ledger row. A batch that the ledger has already is left alone."""
        if batch_id <= self.last.batch_id:
            return
        try:
            self._batch(records, batch_id)
        except Exception as error:
            self.failure = error  # Spark would wrap it in pages of Java
            raise

    def _batch(self, records: DataFrame, batch_id: int) -> None:
        spark, result, begun = records.sparkSession, self.result, time.monotonic()
        end = checkpoint.end_offsets(spark, self.checkpoint, batch_id)
        row = self.last.next("batch", batch_id=batch_id, end_offsets=self.last.end_offsets | end)
        with ExitStack() as cached:
            passed = self._pass(records, cached)
            row = self._measured(row, passed.facts)
            if passed.bad is not None:
                unread = {"requeued_sequence": F.lit(None).cast("bigint")}
                self._append(passed.bad, f"{result.name}_quarantine", row, **unread)
            self._append(passed.output, f"{result.name}_panes" if result.panes else result.name, row)
            if passed.filters is not None and passed.filters.num_rows:
                row = self._filtered(row, passed.filters)
        seconds = time.monotonic() - begun
        if self.run.continuous and self._publish_due():  # a scheduled run publishes at its end
            row = self._published(spark, row)
        self._close(row)
        if self.run.continuous and self.size.moved(row.records, seconds):
            raise _Resized

    def _pass(self, records: DataFrame, cached: ExitStack) -> passes.Pass:
        result, filters = self.result, None
        if result.membership:
            name = f"{result.name}_filters"
            filters = tables.read(self.run.places.table(name), self.last.tables[name]["version"])
        before = passes.Before(self._stream_micros(), filters)
        passed = None if self.careful else passes.quick(records, result, before, cached)
        passed = passed or passes.careful(records, result, before, cached)
        self.careful = passed.doubtful
        return passed

    def _stream_micros(self) -> dict[int, int]:
        return {partition: _micros(moment) for partition, moment in self.last.stream_time.items()}

    def _measured(self, row: Row, facts: list[dict[str, Any]]) -> Row:
        stream = self._stream_micros()
        records, bad = sum(f["records"] for f in facts), sum(f["quarantined"] for f in facts)
        sketches = [bytes(f["lateness_sketch"]) for f in facts if f["out_of_order"]]
        sketch, half, most, latest = ledger.lateness(sketches, records - bad)
        for fact in facts:
            if fact["stream_micros"] is not None:
                stream[fact["record_partition"]] = max(fact["stream_micros"], stream.get(fact["record_partition"], 0))
        times = [_moment(fact["record_micros"]) for fact in facts]
        return replace(
            row,
            records=records,
            quarantined=bad,
            out_of_order=sum(f["out_of_order"] for f in facts),
            late=sum(f["late"] for f in facts),
            lateness_sketch=sketch,
            lateness_p50_seconds=half,
            lateness_p99_seconds=most,
            lateness_max_seconds=latest,
            stream_time={partition: _moment(micros) for partition, micros in stream.items()},
            record_time=max([*times, *([row.record_time] if row.record_time else [])], default=None),
        )

    def _filtered(self, row: Row, found: pa.Table) -> Row:
        """Write the filters that the batch changed, drop those that no record can ask for any more."""
        membership = self.result.membership
        assert membership
        facts = found.drop_columns(["bits"]).to_pylist()
        allowed = durations.seconds(self.result.allowed_lateness)
        streams = {fact["partition"]: _micros(fact["stream_time"]) for fact in facts}
        oldest = {partition: membership.oldest_bucket(micros, allowed) for partition, micros in streams.items()}
        length = timedelta(microseconds=membership.bucket_micros)
        gone = [(partition, "<", _EPOCH + bucket * length) for partition, bucket in sorted(oldest.items())]
        gone += [(fact["partition"], "=", fact["bucket_time"]) for fact in facts]
        sequence = pa.array([row.sequence] * found.num_rows, pa.int64())
        self.run.step("before filters")
        tables.replace(
            found.append_column("sequence", sequence),
            self.run.places.table(f"{self.result.name}_filters"),
            " or ".join(f"(partition = {p} and bucket_time {sign} '{time:{_INSTANT}}')" for p, sign, time in gone),
            self._commit(row, "filters"),
        )
        self.run.step("after filters")
        return replace(
            row,
            filter_fill=max(fact["fill"] for fact in facts),
            filter_false_positive_rate=max(fact["false_positive_rate"] for fact in facts),
        )

    def _append(self, frame: DataFrame, name: str, row: Row, **more: Any) -> None:
        step = name.removeprefix(self.result.name).strip("_") or "rows"
        frame = frame.withColumn("sequence", F.lit(row.sequence).cast("bigint")).withColumns(more)
        self.run.step(f"before {step}")
        tables.append(frame.coalesce(1), self.run.places.table(name), self._commit(row, step))
        self.run.step(f"after {step}")

    def _publish_due(self) -> bool:
        due = time.monotonic() - self.published_at >= durations.seconds(self.result.publish_every)
        return bool(self.result.windows) and due

    def _published(self, spark: SparkSession, row: Row) -> Row:
        since = self.last.published_sequence
        self.run.step("before windows")
        # A step of its own outside a batch: the next batch may get the same sequence, if this stops before the ledger.
        step = "windows" if row.kind == "batch" else recovery.PUBLISH
        publish.publish(spark, self.run.places, self.result, since, self._commit(row, step))
        self.run.step("after windows")
        self.published_at = time.monotonic()
        return replace(row, published_sequence=row.sequence)

    def publish_rest(self) -> None:
        """Publish what batches have written since the last time, under a ledger row of its own."""
        if self.result.windows and self.last.published_sequence < self.last.sequence:
            self._close(self._published(self.run.spark, self.last.next("publish")))

    def _close(self, row: Row) -> None:
        self.last = ledger.close(self.run, row, self._commit(row, "ledger"))
        self._tell_kafka()
        self.run.closed(self.result.name, self.last, self._lag())

    def _tell_kafka(self) -> None:
        """Commit the offsets under the result's name, for whoever watches Kafka's consumer groups."""
        if self.run.places.log != "kafka" or not self.tells_kafka:
            return
        assert self.run.places.kafka
        try:
            if self.group is None:
                self.group = Group(self.run.places.kafka, self.result.name, self.result.topic.TOPIC)
            self.group.commit(self.last.end_offsets)
        except Refused as error:  # the numbers are right all the same
            self.tells_kafka = False
            self.run.say(f"{self.result.name}: its offsets are not shown in Kafka in this run: {error}")

    def _lag(self) -> int | None:
        """Records in the log that are not read yet, as far as the source has said; None before it has."""
        sources: list[Any] = self.query.lastProgress["sources"] if self.query and self.query.lastProgress else []
        latest: dict[str, Any] = json.loads(sources[0]["latestOffset"] or "null") or {} if sources else {}
        latest = latest.get(self.result.topic.TOPIC, latest)
        ends = self.last.end_offsets
        return sum(max(0, end - ends.get(int(partition), 0)) for partition, end in latest.items()) if latest else None

    def _commit(self, row: Row, step: str) -> tables.Commit:
        return tables.Commit(
            self.result.name, str(row.generation), row.sequence, step, row.start_offsets, row.end_offsets
        )


def _kafka_json(topic: str, offsets: dict[int, int]) -> str:
    """Where to start, as Kafka's source writes it; a topic not read yet starts at its earliest record."""
    return json.dumps({topic: {str(p): offset for p, offset in offsets.items()}}) if offsets else "earliest"


_INSTANT = "%Y-%m-%dT%H:%M:%S.%fZ"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
