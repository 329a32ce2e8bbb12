"""The quick pass and the careful one come to the same, and the quick one knows when it must not be believed."""

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema

from jobs.sinks import passes
from jobs.sinks.passes import Before, Pass
from jobs.transforms.panes import Panes
from jobs.transforms.windows import Tumbling
from schemas import archive, filters
from tests.jobs.sinks import readings
from tests.jobs.sinks.readings import PANES, SEEN, Record

GOOD = [record for record in readings.log(seed=4, each=40) if record.good]
BOTH = replace(
    SEEN, name="both_v1", panes=Panes("1 hour", ("device",), counts=("seen_before",)), windows=(Tumbling("1 day"),)
)
RESULTS = {"panes": PANES, "rows": SEEN, "both": BOTH}


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
    rows = sorted(str(sorted(row.asDict().items())) for row in passed.output.collect())
    facts = sorted(str(sorted(fact.items())) for fact in passed.facts)
    bits = sorted(map(str, passed.filters.to_pylist())) if passed.filters is not None else None
    return rows, facts, bits


@pytest.mark.parametrize("kind", RESULTS)
def test_both_passes_come_to_the_same(kind: str, spark: SparkSession) -> None:
    result, records = RESULTS[kind], frame(spark, GOOD)
    limit = spark.conf.get("spark.sql.execution.arrow.maxBytesPerBatch")
    with ExitStack() as cached:
        quick = passes.quick(records, result, before(result), cached)
        assert quick and quick.bad is None
        careful = passes.careful(records, result, before(result), cached)
        assert careful.bad is None
        assert said(quick) == said(careful)
        assert len(said(quick)[0]) > 10
    assert spark.conf.get("spark.sql.execution.arrow.maxBytesPerBatch") == limit


def test_the_quick_pass_gives_up_on_a_doubtful_record_and_on_pieces(spark: SparkSession) -> None:
    one_bad = [GOOD[0]._replace(value=b"hello"), *GOOD[1:]]
    pieces = frame(spark, GOOD).repartition(5)
    with ExitStack() as cached:
        for result in RESULTS.values():
            assert passes.quick(frame(spark, one_bad), result, before(result), cached) is None
        assert passes.quick(pieces, SEEN, before(SEEN), cached) is None
        whole = passes.quick(frame(spark, GOOD), SEEN, before(SEEN), cached)
        torn = passes.careful(pieces, SEEN, before(SEEN), cached)
        assert whole and said(whole)[::2] == said(torn)[::2]
