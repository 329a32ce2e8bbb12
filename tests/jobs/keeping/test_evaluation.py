"""The quick pass and the careful one come to the same, and the quick one knows when it must not be believed."""

import io
from contextlib import ExitStack, redirect_stdout
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from jobs.answers.windows import Tumbling
from jobs.events import fast_decoder
from jobs.facts.panes import Panes
from jobs.keeping import evaluation
from jobs.keeping.evaluation import Before, Pass
from schemas import archive, filters
from tests.jobs.keeping import readings
from tests.jobs.keeping.readings import ODD, PANES, SEEN, Record

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


def before(result: Any) -> Before:
    nothing = to_arrow_schema(filters.COLUMNS, timezone="UTC").empty_table()
    return Before({}, nothing if result.membership else None)


def said(passed: Pass) -> tuple[Any, ...]:
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
        quick = evaluation.quick(records, result, before(result), cached, few=False)
        few = evaluation.quick(records, result, before(result), cached, few=True)
        assert quick and few and quick.bad is few.bad is None
        assert isinstance(few.output, pa.Table) and isinstance(quick.output, DataFrame)
        adding_up = bool(result.panes)  # a trip of its own, after the records have been put together by pane
        assert trips(quick.output) == (1 if kind in ONE_TRIP else 2) + adding_up
        with monkeypatch.context() as patch:
            patch.setattr(fast_decoder, "picked", lambda *_: False)
            twice = evaluation.quick(records, result, before(result), cached, few=False)
        assert twice and isinstance(twice.output, DataFrame) and trips(twice.output) == 2 + adding_up
        assert said(twice) == said(quick)
        careful = evaluation.careful(records, result, before(result), cached)
        assert careful.bad is None
        assert said(quick) == said(few) == said(careful)
        assert len(said(quick)[0]) > 10
    assert spark.conf.get("spark.sql.execution.arrow.maxBytesPerBatch") == limit


def test_the_quick_pass_gives_up_on_a_doubtful_record_and_on_pieces(spark: SparkSession) -> None:
    one_bad = [GOOD[0]._replace(value=b"hello"), *GOOD[1:]]
    pieces = frame(spark, GOOD).repartition(5)
    with ExitStack() as cached:
        for result in RESULTS.values():
            for few in (False, True):
                assert evaluation.quick(frame(spark, one_bad), result, before(result), cached, few) is None
        assert evaluation.quick(pieces, SEEN, before(SEEN), cached, few=False) is None
        whole = evaluation.quick(frame(spark, GOOD), SEEN, before(SEEN), cached, few=False)
        torn = evaluation.careful(pieces, SEEN, before(SEEN), cached)
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
    assert [fast_decoder.picked(events, frame) for frame in picks] == [True] * 3
    assert [fast_decoder.picked(events, frame) for frame in more] == [False] * len(more)
