"""The fingerprint of a transform is as wide as its meaning: what the result does not use, and in which order the schema
file has its columns, changes nothing; every change of what it does with its columns does.
"""

from collections.abc import Callable
from typing import Any

import pyspark
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    ShortType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.events import fast_decoder
from jobs.keeping.definition import fingerprint, wider_types
from tests.jobs.keeping.definition import sales

PLACE = StructType([StructField("city", StringType()), StructField("floor", ShortType())])
KINDS: dict[str, DataType] = sales.NARROW | {
    "place": PLACE,
    "tags": ArrayType(StringType()),
    "odd `name`#7": LongType(),
}


@F.udf(returnType=IntegerType())
def plus(number):  # type: ignore[no-untyped-def]
    return number + 1


def _sql(words: str) -> Callable[[DataFrame], DataFrame]:
    def transform(events: DataFrame) -> DataFrame:
        events.createOrReplaceTempView("sold")
        return events.sparkSession.sql(words)

    return transform


TRANSFORMS: dict[str, Callable[[DataFrame], DataFrame]] = {
    "picks": sales.picked,
    "a filter": lambda events: events.where("cents > 5"),
    "another filter": lambda events: events.where("cents > 6"),
    "two filters": lambda events: events.where("cents > 5").where(F.col("shop") != "x"),
    "another column": lambda events: events.withColumn("cents", F.col("size").cast("int")),
    "an expression": lambda events: events.withColumn("cents", F.col("cents") * 2),
    "another expression": lambda events: events.withColumn("cents", F.col("cents") * 3),
    "a step in between": lambda events: events.withColumn("c", F.col("cents") * 2).withColumn("cents", F.col("c") + 1),
    "a field": lambda events: events.withColumn("shop", F.col("place.city")),
    "a field by another name": lambda events: events.withColumnRenamed("place", "p").withColumn(
        "shop", F.upper("p.city")
    ),
    "a whole struct": lambda events: events.withColumn("shop", F.to_json("place")),
    "a lambda": lambda events: events.withColumn(
        "shop", F.concat_ws(",", F.transform("tags", lambda tag: F.upper(tag)))
    ),
    "another lambda": lambda events: events.withColumn(
        "shop", F.concat_ws(",", F.transform("tags", lambda tag: F.lower(tag)))
    ),
    "exploded": lambda events: events.withColumn("shop", F.explode("tags")),
    "exploded, with none": lambda events: events.withColumn("shop", F.explode_outer("tags")),
    "Python": lambda events: events.withColumn("cents", plus("cents")),
    "random": lambda events: events.where(F.rand() < 0.5),
    "random, another share": lambda events: events.where(F.rand() < 0.25),
    "a union": lambda events: events.where("cents > 5").union(events.where("cents < 3")),
    "another union": lambda events: events.where("cents > 5").union(events.where("cents < 2")),
    "SQL": _sql("select event_time, shop, size, cents, price, weight from sold as s where price > 1"),
    "SQL, another number": _sql("select event_time, shop, size, cents, price, weight from sold as s where price > 2"),
    "a subquery": _sql("select * from sold where cents > (select max(id) from range(5))"),
    "another subquery": _sql("select * from sold where cents > (select min(id) from range(5))"),
    "the clock": lambda events: events.where(F.col("event_time") < F.current_timestamp()),
    "a long list": lambda events: events.where(F.col("cents").isin([*range(60)])),
    "a list that is other at its end": lambda events: events.where(F.col("cents").isin([*range(59), 99])),
    "a text with a number": lambda events: events.where(F.col("shop") != "no #12"),
    "a text with another number": lambda events: events.where(F.col("shop") != "no #13"),
    "an odd name": lambda events: events.withColumn("cents", F.col("`odd ``name``#7`").cast("int")),
    "a hash": lambda events: events.withColumn("shop", F.xxhash64("cents").cast("string")),
    "each once": lambda events: events.dropDuplicates(["shop"]),
}


RECORD = [
    StructField("record_partition", IntegerType()),
    StructField("record_offset", LongType()),
    StructField("record_timestamp", TimestampType()),
    StructField("record_key", BinaryType()),
    StructField("event_time", TimestampType()),
]


@pytest.fixture
def meaning_of(spark: SparkSession) -> Callable[..., fingerprint.Meaning]:
    """The meaning of a transform over a schema file with these columns."""

    def meaning(
        transform: Any, kinds: dict[str, DataType] = KINDS, was: StructType | None = None
    ) -> fingerprint.Meaning:
        events = StructType([*RECORD, *(StructField(name, kind) for name, kind in kinds.items())])
        return fingerprint.transform_meaning(spark, sales.over(kinds, transform), events, was)

    return meaning


def test_each_of_these_transforms_means_something_else(meaning_of: Callable[..., fingerprint.Meaning]) -> None:
    found = {name: meaning_of(transform).fingerprint for name, transform in TRANSFORMS.items()}
    by_fingerprint: dict[str, list[str]] = {}
    for name, text in found.items():
        by_fingerprint.setdefault(text, []).append(name)
    assert [names for names in by_fingerprint.values() if len(names) > 1] == []


GROWN = {
    "channel": StringType(),
    "odd `name`#7": LongType(),
    "place": StructType([StructField("lift", BooleanType()), *PLACE.fields[::-1], StructField("n", LongType())]),
    **dict(reversed(sales.NARROW.items())),
    "tags": ArrayType(StringType()),
    "days": MapType(StringType(), DateType()),
}
"""The same columns in another order, with some between them, and a struct with fields more."""


@pytest.mark.parametrize("name", [name for name in TRANSFORMS if name not in ("a whole struct", "each once")])
def test_columns_that_are_not_used_change_nothing(name: str, meaning_of: Callable[..., fingerprint.Meaning]) -> None:
    before = meaning_of(TRANSFORMS[name])
    assert meaning_of(TRANSFORMS[name]) == before, "the same plan made again"
    after = meaning_of(TRANSFORMS[name], GROWN)
    assert (after.fingerprint, after.columns) == (before.fingerprint, before.columns)


def test_what_is_done_to_columns_that_nothing_needs_means_nothing(
    meaning_of: Callable[..., fingerprint.Meaning],
) -> None:
    plain = meaning_of(sales.picked).fingerprint
    assert meaning_of(lambda events: events).fingerprint == plain
    assert (
        meaning_of(lambda events: sales.picked(events.alias("s").withColumn("more", F.col("cents") + 1))).fingerprint
        == plain
    )
    assert (
        meaning_of(lambda events: events.drop("place").select("*", F.upper("shop").alias("loud"))).fingerprint == plain
    )
    narrow = {name: kind for name, kind in KINDS.items() if name in sales.NARROW}
    assert meaning_of(sales.picked, narrow).fingerprint == plain, "columns that are not used are taken away"
    assert meaning_of(sales.picked, KINDS | {"tags": DoubleType()}).fingerprint == plain, "and get another type"


def test_the_columns_that_are_used(meaning_of: Callable[..., fingerprint.Meaning]) -> None:
    def used(name: str) -> str:
        return fingerprint.columns_text(meaning_of(TRANSFORMS[name]).columns)

    assert used("picks") == "at timestamp, cents int, price decimal(5,2), shop string, size smallint, weight float"
    assert "place struct<city: string>," in used("a field by another name")
    assert "place struct<city: string, floor: smallint>," in used("a whole struct")
    assert "`odd ``name``#7` bigint," in used("an odd name") and "cents" not in used("an odd name")
    assert "cents int" in used("a filter")
    assert "tags array<string>" in used("exploded")
    for name in ("picks", "a field", "a whole struct", "an odd name", "exploded"):
        assert fingerprint.parse_columns(used(name)) == meaning_of(TRANSFORMS[name]).columns


def test_with_the_types_that_were_a_transform_is_the_one_that_was(
    meaning_of: Callable[..., fingerprint.Meaning],
) -> None:
    """Spark's plan of `cents > 5` has a cast when cents gets wider."""
    wide = KINDS | sales.WIDE | {"place": StructType([PLACE["floor"], PLACE["city"]])}
    for name in ("a filter", "an expression", "a field", "a union", "SQL", "a subquery", "a long list", "Python"):
        was = meaning_of(TRANSFORMS[name])
        assert meaning_of(TRANSFORMS[name], wide, was.columns).fingerprint == was.fingerprint, name
    assert meaning_of(TRANSFORMS["a filter"], wide).fingerprint != meaning_of(TRANSFORMS["a filter"]).fingerprint


def test_a_hash_depends_on_the_type(meaning_of: Callable[..., fingerprint.Meaning]) -> None:
    assert meaning_of(TRANSFORMS["a hash"]).by_type == {("cents",)}
    twice = meaning_of(
        lambda events: events.withColumn("c", F.col("cents") + 1).withColumn("shop", F.hash("c").cast("string"))
    )
    assert twice.by_type == {("cents",)}
    assert not meaning_of(TRANSFORMS["an expression"]).by_type


@pytest.mark.parametrize(
    ("was", "now", "held"),
    [
        (ShortType(), LongType(), True),
        (LongType(), IntegerType(), False),
        (IntegerType(), DoubleType(), False),
        (FloatType(), DoubleType(), True),
        (DecimalType(5, 2), DecimalType(9, 2), True),
        (DecimalType(5, 2), DecimalType(9, 3), False),
        (TimestampType(), LongType(), False),
        (ArrayType(IntegerType(), False), ArrayType(LongType()), True),
        (MapType(StringType(), FloatType()), MapType(StringType(), DoubleType()), True),
        (PLACE, StructType([PLACE["city"], StructField("floor", IntegerType())]), True),
        (PLACE, StructType([PLACE["city"]]), False),
        (PLACE, StructType([PLACE["floor"], PLACE["city"]]), False),
        (StringType(), StringType(), True),
    ],
)
def test_types_that_hold_others(was: DataType, now: DataType, held: bool) -> None:
    assert wider_types.holds(now, was) == held
    assert wider_types.is_same(now, was) == (held and wider_types.holds(was, now))


def test_what_decides_which_records_are_good() -> None:
    plain = fingerprint.schema_fingerprint(sales.topic(sales.NARROW))
    assert fingerprint.schema_fingerprint(sales.topic(dict(reversed(sales.NARROW.items())))) == plain
    other = [
        sales.topic(sales.WIDE),
        sales.topic(sales.NARROW, optional=("shop",)),
        sales.topic(sales.NARROW, KEY="shop"),
        sales.topic(sales.NARROW, MOST=3),
        sales.topic(sales.NARROW | {"note": StringType()}),
    ]
    assert plain not in (found := [fingerprint.schema_fingerprint(each) for each in other])
    assert len(set(found)) == len(found)


STORED = {"4.2.0": "33cb74e9be9bfa393124d3e580a0847223c913fec43570f7896bc622adeca30e"}
"""By version of Spark, what version 0.2.0 of this project wrote for sales.RESULT."""


@pytest.mark.skipif(pyspark.__version__ not in STORED, reason="ledgers of 0.2.0 under another Spark are not compared")
def test_the_fingerprint_of_an_older_ledger_is_known(spark: SparkSession) -> None:
    events = fast_decoder.event_columns(sales.RESULT.topic)
    assert fingerprint.fingerprint_of_version_0_2_0(spark, sales.RESULT, events) == STORED[pyspark.__version__]
