"""A column of the topic gets a wider type: the job goes on, records that were too large are read, and the tables hold
them; wherever a run stops in between, and if the type is changed back.
"""

import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    DataType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
)

from jobs import run
from jobs.answers.result import Reads, Result
from jobs.answers.windows import merging
from jobs.decisions.membership import Membership
from jobs.facts import aggregation
from jobs.facts.panes import Panes
from jobs.keeping import ledger, microbatch, recovery, result_tables
from jobs.keeping.definition import widening
from jobs.keeping.requeue import requeue
from jobs.lake import commits, delta_tables
from jobs.running.errors import Refused
from jobs.running.places import Places
from tests import delta
from tests.altered import altered
from tests.jobs.keeping.definition import sales
from tests.jobs.keeping.definition.sales import NARROW, RESULT, WIDE
from tests.jobs.keeping.world import places_in
from tests.jobs.steps import Stopped, stopping_at

WIDER = sales.over(WIDE)


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result over the narrow types: half of the sales are too large for them. Copied, never changed."""
    folder = tmp_path_factory.mktemp("made")
    sales.write(places_in(folder), sales.SALES)
    keep(spark, folder, RESULT)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def keep(spark: SparkSession, folder: Path, result: Result, **more: Any) -> list[str]:
    """One run; what it said."""
    said: list[str] = []
    microbatch.keep(run.Run(spark, places_in(folder), **({"say": said.append} | more)), result)
    return said


def found(folder: Path) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """{(shop, size): (records, cents, price, weight)}, of each the mean, the minimum and the maximum."""
    rows = delta.rows(folder / "tables/sales_v1")
    parts = ("mean", "min", "max")
    return {
        (row["shop"], row["size"]): (
            row["records"],
            *(tuple(row[f"{name}_{part}"] for part in parts) for name in ("cents", "price", "weight")),
        )
        for row in rows
    }


def due(*numbers: int) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """What `found` must say of the sales of these numbers, all of one hour."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for one in (sales.SALES[number] for number in numbers):
        groups.setdefault((one["shop"], one["size"]), []).append(one)
    return {
        key: (len(some), *(_facts(some, name) for name in ("cents", "price", "weight"))) for key, some in groups.items()
    }


def _facts(some: list[dict[str, Any]], name: str) -> tuple[Any, ...]:
    values = [Decimal(str(one[name])) if name == "price" else one[name] for one in some]
    return (pytest.approx(float(sum(values)) / len(values), rel=1e-12), min(values), max(values))


def types(folder: Path, name: str = "sales_v1") -> dict[str, str]:
    """Of the columns that come of the topic's."""
    schema = pa.schema(DeltaTable(f"{folder}/tables/{name}").schema().to_arrow())
    own = ("size", "cents_sum", "cents_min", "price_sum", "price_max", "weight_sum", "weight_max")
    return {field.name: str(field.type) for field in schema if field.name in own}


BEFORE = {"size": "int16", "cents_min": "int32", "price_max": "decimal128(5, 2)", "weight_max": "float"}
AFTER = {"size": "int32", "cents_min": "int64", "price_max": "decimal128(9, 2)", "weight_max": "double"}
GOOD = (0, 2, 4)
ALL = (0, 1, 2, 3, 4, 5)


def test_records_that_were_too_large_are_read_wherever_a_run_stops(folder: Path, spark: SparkSession) -> None:
    assert (found(folder), types(folder)) == (due(*GOOD), BEFORE)
    comments = {field.name: field.metadata for field in DeltaTable(f"{folder}/tables/sales_v1").schema().fields}
    before = ledger.last(places_in(folder), "sales_v1")
    assert before and len(delta.rows(f"{folder}/tables/sales_v1_quarantine")) == 3
    for moment in ("before widen sales_v1", "after widen sales_v1", "before ledger"):
        job = run.Run(spark, places_in(folder), step=stopping_at(moment), say=lambda _: None)
        with pytest.raises(Stopped):
            requeue(job, WIDER)
        assert found(folder) == due(*GOOD)
        assert ledger.last(places_in(folder), "sales_v1") == before
    said: list[str] = []
    row = requeue(run.Run(spark, places_in(folder), say=said.append), WIDER)
    assert (row.kind, row.records, row.quarantined, row.generation) == ("requeue", 3, -3, before.generation)
    assert (found(folder), types(folder)) == (due(*ALL), AFTER)
    assert types(folder, "sales_v1_panes") == AFTER | {
        "cents_sum": "decimal128(30, 0)",
        "price_sum": "decimal128(19, 2)",
        "weight_sum": "double",
    }
    assert comments == {field.name: field.metadata for field in DeltaTable(f"{folder}/tables/sales_v1").schema().fields}
    assert any("were too narrow" in line or "earlier run" in line for line in said), said
    kinds = [row["kind"] for row in sorted(delta.rows(f"{folder}/tables/sales_v1_ledger"), key=lambda r: r["sequence"])]
    assert kinds == ["start", "batch", "publish", "widen", "requeue"]
    assert keep(spark, folder, WIDER) == []


def test_a_job_goes_on_in_wider_types_and_not_back(folder: Path, spark: SparkSession) -> None:
    sales.write(places_in(folder), sales.SALES[1:2], first=6)
    said = keep(spark, folder, WIDER)
    assert any(
        f"{folder}/tables/sales_v1_panes was written anew" in line and "cents_sum is bigint" in line for line in said
    )
    assert found(folder) == due(0, 2, 4, 1)
    assert types(folder) == AFTER
    last = ledger.last(places_in(folder), "sales_v1")
    assert last
    columns = "at timestamp, cents bigint, price decimal(9,2), shop string, size int, weight double"
    assert (last.definition["columns"], last.is_published, last.generation) == (columns, True, 1)
    with pytest.raises(Refused) as refused:
        keep(spark, folder, RESULT)
    assert "column cents: was bigint, is now int; column price: was decimal(9,2), is now decimal(5,2)" in str(
        refused.value
    )
    assert "shop" not in str(refused.value)


def test_types_that_are_changed_back_before_the_ledger_knows(folder: Path, spark: SparkSession) -> None:
    with pytest.raises(Stopped):
        keep(spark, folder, WIDER, step=stopping_at("after widen sales_v1_panes"))
    assert types(folder, "sales_v1_panes").items() >= AFTER.items()
    sales.write(places_in(folder), sales.SALES[:1], first=6)
    assert any("taken back" in line for line in keep(spark, folder, RESULT))
    assert (found(folder), types(folder)) == (due(*GOOD, 0), BEFORE)
    sales.write(places_in(folder), sales.SALES[1:2], first=7)
    keep(spark, folder, WIDER)
    assert (found(folder), types(folder)) == (due(*GOOD, 0, 1), AFTER)


SHOPLESS = {name: value for name, value in sales.SALES[0].items() if name != "shop"}


@pytest.mark.parametrize(
    ("moment", "mended", "sale"),
    [("after quarantine", sales.over(NARROW, optional=("shop",)), SHOPLESS), ("after panes", WIDER, sales.SALES[1])],
)
def test_a_batch_is_not_finished_under_another_schema_file_than_it_was_begun(
    moment: str, mended: Result, sale: dict[str, Any], folder: Path, spark: SparkSession
) -> None:
    """Else a sale would be in quarantine and in the panes, or in neither."""
    sales.write(places_in(folder), [sales.SALES[0], sale], first=6)
    with pytest.raises(Stopped):
        keep(spark, folder, RESULT, step=stopping_at(moment))
    keep(spark, folder, mended)
    records = {key: facts[0] for key, facts in found(folder).items()}
    assert records == ({("a", 3): 3, ("b", 4): 1, (None, 3): 1} if mended is not WIDER else {("a", 3): 4, ("b", 4): 1})
    assert len(delta.rows(f"{folder}/tables/sales_v1_quarantine")) == 3


def test_columns_that_come_and_move_change_nothing(folder: Path, spark: SparkSession) -> None:
    grown = {"channel": StringType(), **dict(reversed(NARROW.items()))}
    sales.write(places_in(folder), [sales.SALES[0] | {"channel": "web"}], first=6)
    assert keep(spark, folder, sales.over(grown, optional=("channel",))) == []
    assert found(folder) == due(*GOOD, 0)


def grouped(sold: Any) -> Any:
    return sold.withColumn("size", F.xxhash64("size"))


def test_what_another_type_would_change_is_refused(spark: SparkSession, places: Places) -> None:
    assert RESULT.panes
    by_weight = altered(RESULT, panes=replace(RESULT.panes, by=("shop", "weight"), averages=("cents",)))
    recovery.resume(spark, places, by_weight)
    closed(places)
    with pytest.raises(Refused, match=r"sales_v1_panes are not those of the job \(weight is float, not double\)"):
        recovery.resume(spark, places, altered(by_weight, topic=WIDER.topic))
    hashed = sales.over(NARROW, grouped)
    hashed = replace(hashed, name="hashed_v1")
    recovery.resume(spark, places, hashed)
    closed(places, "hashed_v1")
    with pytest.raises(Refused, match=r"\(column size: was smallint, is now int\)"):
        recovery.resume(spark, places, altered(hashed, topic=WIDER.topic))


def closed(places: Places, name: str = "sales_v1") -> None:
    """As if a batch had been read."""
    last = ledger.last(places, name)
    assert last
    ledger.write(places, name, last.next("batch", published_sequence=2))


def test_a_ledger_of_version_0_2_0_goes_on(folder: Path, spark: SparkSession) -> None:
    """It has an unmarked fingerprint, and no columns in its definition."""
    last = ledger.last(places_in(folder), "sales_v1")
    assert last and last.transform.startswith("2:")
    known = {name: text for name, text in last.definition.items() if name != "columns"}
    stored = "33cb74e9be9bfa393124d3e580a0847223c913fec43570f7896bc622adeca30e"  # see test_meaning.STORED
    old = last.next("publish", definition=known, transform=stored, published_sequence=last.sequence + 1)
    ledger.write(places_in(folder), "sales_v1", old)
    with pytest.raises(Refused, match=r"version 0\.2\.0 .*run once with both as they were"):
        keep(spark, folder, sales.over(NARROW | {"channel": StringType()}))
    sales.write(places_in(folder), sales.SALES[:1], first=6)
    assert keep(spark, folder, RESULT) == []
    after = ledger.last(places_in(folder), "sales_v1")
    assert after and (after.definition, after.transform) == (last.definition, last.transform)


def test_rows_of_a_result_with_membership_get_wider(spark: SparkSession, places: Places) -> None:
    seen = Result(
        "seen_v1", Reads(sales.topic(NARROW), lambda sold: sold, decide=Membership("1 day", expected_keys=10))
    )
    sales.write(places, sales.SALES)
    microbatch.keep(run.Run(spark, places, say=lambda _: None), seen)
    requeue(run.Run(spark, places, say=lambda _: None), altered(seen, topic=WIDER.topic))
    rows = sorted(delta.rows(places.table("seen_v1")), key=lambda row: row["at"])
    assert [(row["size"], row["cents"], row["weight"]) for row in rows] == [
        (one["size"], one["cents"], one["weight"]) for one in sales.SALES
    ]
    assert [row["sequence"] for row in rows] == [2, 4, 2, 4, 2, 4]


def test_a_table_is_written_anew_once_and_says_the_same(tmp_path: Path) -> None:
    def columns(count: Any, total: Any, *more: StructField) -> StructType:
        fields = [StructField("count", count, True, {"comment": "How many."}), StructField("x_sum", total), *more]
        return StructType([*fields, StructField("word", StringType())])

    path = f"{tmp_path}/table"
    delta_tables.create(
        path, columns(IntegerType(), DecimalType(30, 2)), (), "A sentence.", {"delta.appendOnly": "false"}
    )
    values = {
        "count": [1, None, -(2**31)],
        "x_sum": [Decimal("1.25"), None, Decimal("-0.01")],
        "word": ["a", None, "c"],
    }
    schema = pa.schema(DeltaTable(path).schema().to_arrow())
    for word in ("x", "y"):
        write_deltalake(path, pa.table(values | {"word": [word, None, "c"]}, schema=schema), mode="append")
    before, id_ = sorted(map(str, delta.rows(path))), delta_tables.identity(path)[0]
    beyond = StructField("x_sum_beyond", StringType())
    commit = commits.Commit("r_v1", "widen-3", 3, "widen", {}, {})
    for _ in range(2):
        delta_tables.rewrite(path, columns(LongType(), DecimalType(38, 2), beyond), commit)
    table = DeltaTable(path)
    assert delta_tables.identity(path) == (id_, 3), "one commit"
    assert next((field.name, field.metadata) for field in table.schema().fields) == ("count", {"comment": "How many."})
    assert (table.metadata().description, table.metadata().configuration["delta.appendOnly"]) == (
        "A sentence.",
        "false",
    )
    now = delta.rows(path)
    assert all(row.pop("x_sum_beyond") is None for row in now)
    assert sorted(map(str, now)) == before
    assert str(pa.schema(table.schema().to_arrow()).field("count").type) == "int64"
    delta_tables.restore(path, 2)
    assert pa.schema(DeltaTable(path).schema().to_arrow()) == schema
    assert sorted(map(str, delta.rows(path))) == before


KINDS = [
    (IntegerType(), LongType(), True),
    (FloatType(), DoubleType(), True),
    (DecimalType(20, 2), DecimalType(25, 2), True),
    (DecimalType(20, 2), DecimalType(35, 2), True),
    (LongType(), IntegerType(), False),
    (LongType(), DoubleType(), False),
    (DecimalType(35, 2), DecimalType(20, 2), False),
]


@pytest.mark.parametrize(("was", "now", "fits"), KINDS)
def test_sums_and_deviations_go_on_in_wider_types(was: DataType, now: DataType, fits: bool, tmp_path: Path) -> None:
    panes = Panes("1 hour", sums=("x",), deviations=("x",))
    result = altered(RESULT, panes=panes)

    def expected(kind: DataType) -> list[result_tables.Table]:
        partials = aggregation.output(StructType([StructField("x", kind)]), panes)
        kinds = {"sales_v1_panes": partials, "sales_v1": merging.output(partials, panes)}
        return [result_tables.Table(name, columns, (), "A sentence.") for name, columns in kinds.items()]

    for table in expected(was):
        delta_tables.create(places_in(tmp_path).table(table.name), table.columns, (), table.sentence)
    assert widening.is_possible(places_in(tmp_path), result, expected(was))
    assert widening.is_possible(places_in(tmp_path), result, expected(now)) == fits
