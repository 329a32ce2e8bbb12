"""The fast pass and the exact one come to the same, and the fast one knows when it must not be believed."""

import io
from contextlib import ExitStack, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark import accumulators
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from jobs.answers.batch_plan import Prior
from jobs.answers.windows import Tumbling
from jobs.events import task_facts
from jobs.facts.panes import Panes
from jobs.keeping import evaluation
from jobs.keeping.evaluation import Outcome
from jobs.running import spark_plan
from jobs.running.errors import Refused
from schemas import archive, filters
from tests.jobs.keeping import readings
from tests.jobs.keeping.checks import check_seen
from tests.jobs.keeping.readings import ODD, PANES, SEEN, Record
from tests.jobs.keeping.world import World

GOOD = [record for record in readings.log(seed=4, each=40) if record.good]
BOTH = replace(
    SEEN, name="both_v1", panes=Panes("1 hour", ("device",), counts=("seen_before",)), windows=(Tumbling("1 day"),)
)
COLUMNS = ("event_time", "site", "reading", "level", "device", "ok")
PICKED = replace(PANES, name="picked_v1", transform=lambda readings: readings.select(*COLUMNS))
RESULTS = {"panes": ODD, "rows": SEEN, "both": BOTH, "picked": PICKED}
ONE_TRIP = ("rows", "both", "picked")


def frame(spark: SparkSession, records: list[Record]) -> DataFrame:
    """A task for each partition, in order of offset, as the log's reader gives them."""
    columns = to_arrow_schema(archive.COLUMNS, timezone="UTC")
    parts = []
    for partition in range(readings.PARTITIONS):
        mine = readings.batch([r for r in records if r.partition == partition])
        made = pa.Table.from_batches([mine])
        more = {"topic": "readings", "partition": partition, "timestampType": 0, "headers": None}
        for name, value in more.items():
            made = made.append_column(name, pa.array([value] * len(made), columns.field(name).type))
        offsets = [r.offset for r in records if r.partition == partition]
        made = made.append_column("offset", pa.array(offsets, pa.int64())).select(columns.names).cast(columns)
        parts.append(spark.createDataFrame(made).coalesce(1))
    return parts[0].union(parts[1]).union(parts[2])


def prior(result: Any) -> Prior:
    nothing = to_arrow_schema(filters.COLUMNS, timezone="UTC").empty_table()
    return Prior({}, nothing if result.membership else None)


def said(passed: Outcome) -> tuple[Any, ...]:
    table = passed.output.toArrow() if isinstance(passed.output, DataFrame) else passed.output
    rows = sorted(str(sorted(row.items())) for row in table.to_pylist())
    facts = sorted(str(sorted(fact.items())) for fact in passed.facts)
    bits = sorted(map(str, passed.filters.to_pylist())) if passed.filters is not None else None
    return rows, facts, bits


def trips(output: DataFrame) -> int:
    """How often Spark hands its records to Python and takes them back."""
    with redirect_stdout(io.StringIO()) as plan:
        output.explain()
    return plan.getvalue().count("MapInArrow")


@pytest.mark.parametrize("kind", RESULTS)
def test_all_passes_come_to_the_same(kind: str, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    result, records = RESULTS[kind], frame(spark, GOOD)
    limit = spark.conf.get("spark.sql.execution.arrow.maxBytesPerBatch")
    with ExitStack() as cached:
        fast = evaluation.fast(records, result, prior(result), cached, few=False)
        few = evaluation.fast(records, result, prior(result), cached, few=True)
        assert fast and few and fast.bad is few.bad is None
        assert isinstance(few.output, pa.Table) and isinstance(fast.output, DataFrame)
        adding_up = bool(result.panes)  # a trip of its own, after the records have been put together by pane
        assert trips(fast.output) == (1 if kind in ONE_TRIP else 2) + adding_up
        with monkeypatch.context() as patch:
            patch.setattr(spark_plan, "is_selection", lambda *_: False)
            twice = evaluation.fast(records, result, prior(result), cached, few=False)
        assert twice and isinstance(twice.output, DataFrame) and trips(twice.output) == 2 + adding_up
        assert said(twice) == said(fast)
        exact = evaluation.exact(records, result, prior(result), cached)
        assert exact.bad is None
        assert said(fast) == said(few) == said(exact)
        assert len(said(fast)[0]) > 10
    assert spark.conf.get("spark.sql.execution.arrow.maxBytesPerBatch") == limit


def test_the_fast_pass_gives_up_on_a_doubtful_record_and_on_pieces(spark: SparkSession) -> None:
    one_bad = [GOOD[0]._replace(value=b"hello"), *GOOD[1:]]
    pieces = frame(spark, GOOD).repartition(5)
    with ExitStack() as cached:
        for result in RESULTS.values():
            for few in (False, True):
                assert evaluation.fast(frame(spark, one_bad), result, prior(result), cached, few) is None
        assert evaluation.fast(pieces, SEEN, prior(SEEN), cached, few=False) is None
        whole = evaluation.fast(frame(spark, GOOD), SEEN, prior(SEEN), cached, few=False)
        torn = evaluation.exact(pieces, SEEN, prior(SEEN), cached)
        assert whole and said(whole)[::2] == said(torn)[::2]


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


@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize(("kind", "which"), [(kind, "x-") for kind in RESULTS] + [("rows", "-x"), ("both", "-x")])
def test_a_fast_pass_is_not_believed_if_what_a_task_reports_is_lost(
    kind: str, which: str, few: bool, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = RESULTS[kind]
    lose(monkeypatch, which)
    with ExitStack() as cached:
        assert evaluation.fast(frame(spark, GOOD), result, prior(result), cached, few) is None
        assert evaluation.fast(frame(spark, GOOD), result, prior(result), cached, few), "nothing is lost"


@pytest.mark.parametrize("kind", ["rows", "both"])
def test_an_exact_pass_is_done_again_if_what_a_task_reports_is_lost_and_refused_the_second_time(
    kind: str, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = RESULTS[kind]
    with ExitStack() as cached:
        whole = said(evaluation.exact(frame(spark, GOOD), result, prior(result), cached))
        lose(monkeypatch, "-x--xx")
        assert said(evaluation.exact(frame(spark, GOOD), result, prior(result), cached)) == whole
        with pytest.raises(Refused, match=rf"{result.name}: .* twice.*Nothing of the batch was written") as refused:
            evaluation.exact(frame(spark, GOOD), result, prior(result), cached)
    assert "\n" not in str(refused.value)


def test_a_transform_that_gives_each_record_twice_is_not_taken_for_a_loss(spark: SparkSession) -> None:
    def twice(events: DataFrame) -> DataFrame:
        rows = readings.placed(events)
        return rows.union(rows)

    with ExitStack() as cached:
        passed = evaluation.exact(frame(spark, GOOD), replace(SEEN, transform=twice), prior(SEEN), cached)
        assert len(said(passed)[0]) == 2 * len(GOOD)


@pytest.mark.parametrize("few", [False, True])
def test_records_that_a_transform_drops_unseen_are_counted(few: bool, spark: SparkSession) -> None:
    """Spark does not read them at all: it knows beforehand that no row comes of them."""
    result = replace(PANES, transform=lambda events: events.where(F.lit(False)))
    with ExitStack() as cached:
        assert evaluation.fast(frame(spark, GOOD), result, prior(result), cached, few) is None
        passed = evaluation.exact(frame(spark, GOOD), result, prior(result), cached)
    assert sum(fact["records"] for fact in passed.facts) == len(GOOD)


@pytest.mark.parametrize("few", [0, evaluation.FEW_RECORDS], ids=["many", "few"])
@pytest.mark.parametrize("which", ["----", "--x", "---x-x"])
def test_tables_are_right_whatever_reports_are_lost_and_where_none_is_nothing_is_done_twice(
    which: str, few: int, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two batches of good records: of the first nothing is lost."""
    monkeypatch.setattr(evaluation, "FEW_RECORDS", few)
    exact, calls = evaluation.exact, list[str]()

    def counted(*given: Any) -> Outcome:
        calls.append(which)
        return exact(*given)

    monkeypatch.setattr(evaluation, "exact", counted)
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
