"""The fast pass and the exact one come to the same, and the fast one knows when it must not be believed."""

import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark import accumulators
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from jobs.answers.batch_plan import Prior
from jobs.answers.result import Result
from jobs.answers.windows import Tumbling
from jobs.decisions.clocks import Clocks
from jobs.events import task_facts
from jobs.facts.panes import Panes
from jobs.keeping import exact_pass, fast_pass
from jobs.keeping.outcome import Outcome
from jobs.log.batch_records import BatchRecords
from jobs.log.offsets import Offsets
from jobs.log.ranges import Range
from jobs.running import spark_plan
from jobs.running.errors import Refused
from schemas import archive
from sketches import hyperloglog
from tests.altered import altered
from tests.jobs.keeping import readings
from tests.jobs.keeping.checks import check_seen
from tests.jobs.keeping.readings import ODD, PANES, SEEN, Record
from tests.jobs.keeping.world import World

GOOD = [record for record in readings.log(seed=4, each=40) if record.good]
BOTH = altered(
    SEEN, name="both_v1", panes=Panes("1 hour", ("device",), counts=("seen_before",)), windows=(Tumbling("1 day"),)
)
COLUMNS = ("event_time", "site", "reading", "level", "device", "ok")
PICKED = altered(PANES, name="picked_v1", transform=lambda readings: readings.select(*COLUMNS))
CLOCKED = altered(
    BOTH,
    name="clocked_v1",
    transform=lambda readings: readings.select(
        "event_time", "record_partition", "record_offset", "record_timestamp", "device"
    ),
    membership=Clocks("device", sent="event_time", window=3),
    panes=Panes("1 hour", ("clock_method", "clock_refusal"), averages=("clock_offset_seconds",)),
)
"""A reading is sent at once."""
RESULTS = {"panes": ODD, "rows": SEEN, "both": BOTH, "picked": PICKED, "clocked": CLOCKED}
ONE_TRIP = ("rows", "both", "picked", "clocked")


def test_a_small_batch_is_tried_although_the_one_before_it_had_bad_records(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(spark, tmp_path, PICKED)
    world.write([next(record for record in readings.log() if record.bad), GOOD[0]])
    assert world.keep()
    assert len(world.rows("_quarantine")) == 1
    monkeypatch.setattr(exact_pass, "evaluate", None)  # so whoever takes it fails
    world.write(GOOD[1:])
    assert world.keep()
    assert sum(row["records"] for row in world.rows("_panes")) == len(GOOD)


class MemoryRanges:
    """A reader of ranges out of tables in memory, one a partition, in the columns of the log."""

    def __init__(self, records: list[Record]) -> None:
        self._tables = {}
        columns = to_arrow_schema(archive.COLUMNS, timezone="UTC")
        for partition in {record.partition for record in records}:
            mine = [record for record in records if record.partition == partition]
            made = pa.Table.from_batches([readings.batch(mine)])
            more = {"topic": "readings", "partition": partition, "timestampType": 0, "headers": None}
            for name, value in more.items():
                made = made.append_column(name, pa.array([value] * len(made), columns.field(name).type))
            made = made.append_column("offset", pa.array([record.offset for record in mine], pa.int64()))
            self._tables[partition] = made.select(columns.names).cast(columns)

    def plan(self, starts: Offsets, ends: Offsets) -> list[Range]:
        return [Range(partition, starts.get(partition, 0), end) for partition, end in sorted(ends.items())]

    def read(self, ranges: Sequence[Range], names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for each in ranges:
            table = self._tables[each.partition].select(names)
            inside = (pc.field("offset") >= each.start) & (pc.field("offset") < each.end)
            yield from table.filter(inside).combine_chunks().to_batches(max_chunksize=7)

    def close(self) -> None:
        pass


def log_of(spark: SparkSession, records: list[Record]) -> BatchRecords:
    """The records as a batch of all partitions."""
    reader = MemoryRanges(records)
    return BatchRecords(spark, reader, reader.plan({}, {partition: 10**6 for partition in reader._tables}))


class Torn(BatchRecords):
    """As when Spark had put the records of a partition into several tasks."""

    def frame(self) -> DataFrame:
        return super().frame().repartition(5)


def fast_outcome(
    records: BatchRecords, result: Result, cached: ExitStack, few: bool, monkeypatch: pytest.MonkeyPatch
) -> Outcome | None:
    monkeypatch.setattr(fast_pass, "FEW_RECORDS", 10**9 if few else 0)
    return fast_pass.FastPass(records.spark, result).evaluate(records, prior(result), cached)


def exact_outcome(records: BatchRecords, result: Result, cached: ExitStack) -> Outcome:
    return exact_pass.evaluate(records, result, prior(result), cached)


def prior(result: Any) -> Prior:
    if not result.decision:
        return Prior({}, None, result.lateness_rule)
    return Prior({}, to_arrow_schema(result.decision.state, timezone="UTC").empty_table(), result.lateness_rule)


def said(passed: Outcome) -> tuple[Any, ...]:
    table = passed.output.toArrow() if isinstance(passed.output, DataFrame) else passed.output
    found = table.to_pylist()
    for row in found:  # the bytes of a sketch depend on who has put which parts together
        row |= {name: hyperloglog.estimate(value) for name, value in row.items() if name.endswith("_sketch")}
    rows = sorted(str(sorted(row.items())) for row in found)
    facts = sorted(str(sorted(fact.items())) for fact in passed.facts)
    state = sorted(map(str, passed.changed_state.to_pylist())) if passed.changed_state is not None else None
    return rows, facts, state


def trips(output: DataFrame) -> int:
    """How often Spark hands its records to Python and takes them back."""
    with redirect_stdout(io.StringIO()) as plan:
        output.explain()
    return plan.getvalue().count("MapInArrow")


@pytest.mark.parametrize("kind", RESULTS)
def test_all_passes_come_to_the_same(kind: str, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    result, records = RESULTS[kind], log_of(spark, GOOD)
    with ExitStack() as cached:
        fast = fast_outcome(records, result, cached, False, monkeypatch)
        few = fast_outcome(records, result, cached, True, monkeypatch)
        assert fast and few and fast.bad is few.bad is None
        assert isinstance(few.output, pa.Table) and isinstance(fast.output, DataFrame)
        adding_up = bool(result.panes)  # a trip of its own, after the records have been put together by pane
        assert trips(fast.output) == (1 if kind in ONE_TRIP else 2) + adding_up
        with monkeypatch.context() as patch:
            patch.setattr(spark_plan, "is_selection", lambda *_: False)
            twice = fast_outcome(records, result, cached, False, patch)
            here = fast_outcome(records, result, cached, True, patch)
        assert twice and isinstance(twice.output, DataFrame) and trips(twice.output) == 2 + adding_up
        assert here and isinstance(here.output, pa.Table)
        assert said(twice) == said(here) == said(fast)
        exact = exact_outcome(records, result, cached)
        assert exact.bad is None
        assert said(fast) == said(few) == said(exact)
        assert len(said(fast)[0]) > 10


def test_the_fast_pass_gives_up_on_a_doubtful_record_and_the_exact_one_mends_pieces(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_bad = [GOOD[0]._replace(value=b"hello"), *GOOD[1:]]
    whole = log_of(spark, GOOD)
    pieces = Torn(spark, whole.reader, whole.ranges)
    with ExitStack() as cached:
        for result in RESULTS.values():
            for few in (False, True):
                assert fast_outcome(log_of(spark, one_bad), result, cached, few, monkeypatch) is None
        mended = said(exact_outcome(pieces, SEEN, cached))
        assert mended[::2] == said(exact_outcome(whole, SEEN, cached))[::2]


def test_records_of_a_partition_in_pieces_are_not_believed(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that gives them out of order stands for Spark, which might."""
    whole = log_of(spark, GOOD)
    backwards = BatchRecords(
        spark,
        whole.reader,
        [piece for each in whole.ranges for piece in (replace(each, start=12), replace(each, end=12))],
    )
    with ExitStack() as cached:
        for result in RESULTS.values():
            for few in (False, True):
                assert fast_outcome(backwards, result, cached, few, monkeypatch) is None


def test_few_records_that_are_large_are_left_to_tasks(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_pass, "FEW_BYTES", 100)
    with ExitStack() as cached:
        outcome = fast_outcome(log_of(spark, GOOD), SEEN, cached, True, monkeypatch)
    assert outcome and isinstance(outcome.output, DataFrame)


def test_a_transform_that_does_more_than_pick_columns_is_not_taken_for_one(spark: SparkSession) -> None:
    events = spark.createDataFrame([(1, "x", 2.0)], "number int, name string, level double").filter("number > 0")
    picks = [events.select("name", "number"), events.select(events.level), events.drop("name")]
    more: list[DataFrame] = [
        events,
        events.select("name", F.col("number") + 1),
        events.select("name", F.col("number").alias("count")),
        events.select("name").where("name = 'x'"),
        events.where("name = 'x'").select("name"),
        events.select("name").distinct(),
        events.select(F.lit(1).alias("number")),
        events.filter("number > 0").select("number"),
        events.select("name", F.explode(F.array("number")).alias("number")),
    ]
    assert [spark_plan.is_selection(events, frame) for frame in picks] == [True] * 3
    assert [spark_plan.is_selection(events, frame) for frame in more] == [False] * len(more)


class _Lossy:
    """Stands where the updates of an accumulator arrive, and loses the first that holds anything: as when Spark cannot
    deliver it, which it logs, and goes on.
    """

    def __init__(self, accumulator: task_facts.FactAccumulator) -> None:
        self._accumulator, self._lost = accumulator, False

    def __iadd__(self, update: Any) -> "_Lossy":
        if self._lost or not any(update.values()):
            self._accumulator += update
        else:
            self._lost = True
        return self


def lose(monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    """Of the accumulators that are made from now on, those with an x in `which` lose what one task has reported."""
    make, left = task_facts.accumulator, list(which)

    def telling(spark: SparkSession) -> task_facts.FactAccumulator:
        made = make(spark)
        if left and left.pop(0) == "x":
            accumulators._accumulatorRegistry[made.aid] = _Lossy(made)  # type: ignore[assignment]
        return made

    monkeypatch.setattr(task_facts, "accumulator", telling)


@pytest.mark.parametrize(
    ("kind", "which"), [(kind, "x-") for kind in RESULTS] + [("rows", "-x"), ("both", "-x"), ("clocked", "-x")]
)
def test_a_fast_pass_is_not_believed_if_what_a_task_reports_is_lost(
    kind: str, which: str, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = RESULTS[kind]
    lose(monkeypatch, which)
    with ExitStack() as cached:
        assert fast_outcome(log_of(spark, GOOD), result, cached, False, monkeypatch) is None
        assert fast_outcome(log_of(spark, GOOD), result, cached, False, monkeypatch), "nothing is lost"


@pytest.mark.parametrize("kind", ["rows", "both", "clocked"])
def test_an_exact_pass_is_done_again_if_what_a_task_reports_is_lost_and_refused_the_second_time(
    kind: str, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = RESULTS[kind]
    with ExitStack() as cached:
        whole = said(exact_outcome(log_of(spark, GOOD), result, cached))
        lose(monkeypatch, "-x--xx")
        assert said(exact_outcome(log_of(spark, GOOD), result, cached)) == whole
        with pytest.raises(Refused, match=rf"{result.name}: .* twice.*Nothing of the batch was written") as refused:
            exact_outcome(log_of(spark, GOOD), result, cached)
    assert "\n" not in str(refused.value)


def test_a_transform_that_gives_each_record_twice_is_not_taken_for_a_loss(spark: SparkSession) -> None:
    def twice(events: DataFrame) -> DataFrame:
        rows = readings.placed(events)
        return rows.union(rows)

    with ExitStack() as cached:
        passed = exact_outcome(log_of(spark, GOOD), altered(SEEN, transform=twice), cached)
        assert len(said(passed)[0]) == 2 * len(GOOD)


@pytest.mark.parametrize("few", [False, True])
def test_records_that_a_transform_drops_unseen_are_counted(
    few: bool, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spark's tasks do not read them at all: it knows beforehand that no row comes of them."""
    result = altered(PANES, transform=lambda events: events.where(F.lit(False)))
    with ExitStack() as cached:
        passed = fast_outcome(log_of(spark, GOOD), result, cached, few, monkeypatch)
        assert bool(passed) == few
        passed = passed or exact_outcome(log_of(spark, GOOD), result, cached)
    assert sum(fact["records"] for fact in passed.facts) == len(GOOD)


@pytest.mark.parametrize("which", ["----", "--x", "---x-x"])
def test_tables_are_right_whatever_reports_are_lost_and_where_none_is_nothing_is_done_twice(
    which: str, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two batches of good records: of the first nothing is lost."""
    monkeypatch.setattr(fast_pass, "FEW_RECORDS", 0)
    evaluate, calls = exact_pass.evaluate, list[str]()

    def counted(*given: Any) -> Outcome:
        calls.append(which)
        return evaluate(*given)

    monkeypatch.setattr(exact_pass, "evaluate", counted)
    lose(monkeypatch, which)
    world = World(spark, tmp_path, SEEN)
    for half in (slice(0, 15), slice(15, 30)):
        for partition in range(readings.PARTITIONS):
            mine = [record for record in GOOD if record.partition == partition]
            numbered = [record._replace(offset=offset) for offset, record in enumerate(mine)]
            world.write(numbered[half])
        world.keep()
    assert len(calls) == ("x" in which)
    assert len(world.rows("_ledger")) == 3
    check_seen(world)
