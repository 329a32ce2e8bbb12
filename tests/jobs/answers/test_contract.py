"""What cannot be kept is refused by name, before anything is made: names and types of schema, job and statistics."""

from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    ByteType,
    CharType,
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
    TimestampNTZType,
    TimestampType,
    VarcharType,
)

from jobs.answers import contract
from jobs.answers.result import Late, Reads, Result
from jobs.answers.top import Top
from jobs.answers.windows import Tumbling, Windows
from jobs.decisions.clocks import Clocks
from jobs.decisions.membership import Membership
from jobs.events import topic_schema
from jobs.facts.panes import Panes
from jobs.keeping import result_tables
from jobs.running import spark_plan
from jobs.running.errors import Mistake, Refused

EVENT = StructField("event_time", TimestampType())
PLACE = [
    EVENT,
    StructField("record_partition", IntegerType()),
    StructField("record_offset", LongType()),
    StructField("record_key", BinaryType()),
]


def schema(*columns: tuple[str, DataType], **more: Any) -> Any:
    fields = [StructField("at", TimestampType(), False), *(StructField(name, kind) for name, kind in columns)]
    return SimpleNamespace(**({"TOPIC": "t", "KEY": None, "EVENT_TIME": "at", "COLUMNS": StructType(fields)} | more))


def nothing(events: DataFrame) -> DataFrame:
    return events


def result(panes: Panes | None, name: str = "r_v1", **more: Any) -> Result:
    reads = Reads(more.pop("topic", schema()), nothing, decide=more.pop("membership", None))
    return Result(name, reads, Windows(panes, Tumbling("1 hour")) if panes else None, **more)


def one_line(error: Refused) -> str:
    said = str(error)
    assert "\n" not in said.replace("\\n", "")
    return said


SCHEMAS: dict[str, tuple[Any, str]] = {
    "no topic": (SimpleNamespace(KEY=None, EVENT_TIME="at", COLUMNS=StructType()), "does not say TOPIC"),
    "no key": (SimpleNamespace(TOPIC="t", EVENT_TIME="at", COLUMNS=StructType()), "does not say KEY: KEY = None if"),
    "no event time": (SimpleNamespace(TOPIC="t", KEY=None, COLUMNS=StructType()), "does not say EVENT_TIME"),
    "no columns": (schema(COLUMNS=StructType()), "COLUMNS has no column"),
    "columns as a list": (schema(COLUMNS=[StructField("at", TimestampType())]), "COLUMNS is no StructType"),
    "a topic that is a number": (schema(TOPIC=5), "TOPIC is no text"),
    "a topic with a blank": (schema(TOPIC="my topic"), "TOPIC takes letters, digits, dots"),
    "a name of nothing": (schema(("", LongType())), "a column without a name"),
    "names that differ by case": (schema(("Id", LongType()), ("ID", LongType())), "the columns Id, ID have one name"),
    "the same name twice": (schema(("id", LongType()), ("id", LongType())), "the columns id, id have one name"),
    "the place in the log": (schema(("Record_Offset", LongType())), "column Record_Offset cannot have this name"),
    "another event time": (schema(("event_time", StringType())), "column event_time cannot have this name"),
    "one of the engine's": (schema(("__raw", StringType())), "column __raw cannot have this name"),
    "padded text": (schema(("s", CharType(5))), r"s is char\(5\); texts are StringType"),
    "bounded text": (schema(("s", VarcharType(5))), r"s is varchar\(5\); texts are StringType"),
    "text of another order": (schema(("s", StringType("UTF8_LCASE"))), "s is string collate UTF8_LCASE; texts are"),
    "time without zones": (schema(("s", TimestampNTZType())), "s is timestamp_ntz; take TimestampType"),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_file_that_cannot_be_is_refused(name: str) -> None:
    wrong, said = SCHEMAS[name]
    with pytest.raises(Mistake, match=said) as refused:
        Result("r_v1", Reads(wrong, nothing), Windows(Panes("1 hour"), Tumbling("1 hour")))
    one_line(refused.value)


def test_names_of_a_topic_may_have_any_character() -> None:
    topic_schema.check(
        schema(*((name, LongType()) for name in ("a.b", "a b", 'a"b', "a'b", "a`b", "ä", "a-b", "lg_k", "raw")))
    )


COUNTED_TWICE = Panes("1 hour", averages=("a",), counts=("a_count",), by=("a_count_count",))
OWN_NAMES: dict[str, tuple[Panes, str]] = {
    "window": (Panes("1 hour", ("window",)), "two columns window .*Rename window"),
    "window of a sum": (Panes("1 hour", averages=("a",), by=("a_mean",)), "two columns a_mean .*Rename a_mean"),
    "pane_start": (Panes("1 hour", ("pane_start",)), "two columns pane_start "),
    "by case": (Panes("1 hour", ("Sequence",)), "two columns sequence .*Rename Sequence"),
    "revision": (Panes("1 hour", ("revision",)), "two columns revision "),
    "updated_time": (Panes("1 hour", ("updated_time",)), "two columns updated_time "),
    "size of sketches": (Panes("1 hour", ("lg_k",), uniques=("u",)), "two columns lg_k "),
    "the count": (Panes("1 hour", ("Records",)), "two columns records .*Rename Records, records"),
    "a count of a count": (COUNTED_TWICE, "a_count_count "),
    "a dot": (Panes("1 hour", ("a.b",)), r"cannot be called 'a.b', which has '\.'.*F.col\(\"`a.b`\"\).alias"),
    "a blank": (Panes("1 hour", averages=("a b",)), "cannot be called 'a b', which has ' '"),
    "a quote": (Panes("1 hour", count='"'), "cannot be called"),
    "one of the engine's": (Panes("1 hour", ("__g",)), "cannot be called '__g', which begins with __"),
}  # fmt: skip


@pytest.mark.parametrize("name", OWN_NAMES)
def test_a_column_with_a_name_of_headraces_own_is_refused(name: str) -> None:
    panes, said = OWN_NAMES[name]
    with pytest.raises(Mistake, match=said) as refused:
        result(panes)
    one_line(refused.value)


def test_other_names_are_taken() -> None:
    result(Panes("1 hour", ("lg_k", "raw", "parsed", "fault", "text", "good", "key", "value", "user-agent", "straße")))
    result(Panes("1 hour", averages=("a",), uniques=("a",)))


@pytest.mark.parametrize("name", ["", "my result", "a/b", "r'v1", 'r"v1', "r_panes", "R_Ledger", "é_v1", "../r"])
def test_a_name_of_a_result_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(Mistake):
        result(Panes("1 hour"), name)


NESTED = StructType([StructField("city", StringType())])
GROUPS: list[DataType] = [
    StringType(),
    BooleanType(),
    ByteType(),
    ShortType(),
    IntegerType(),
    LongType(),
    FloatType(),
    DoubleType(),
]
GROUPS += [DecimalType(38, 18), DateType(), TimestampType(), BinaryType()]
NO_GROUPS = [NESTED, ArrayType(StringType()), MapType(StringType(), LongType()), StringType("UTF8_LCASE")]
NUMBERS: list[DataType] = [
    ByteType(),
    ShortType(),
    IntegerType(),
    LongType(),
    FloatType(),
    DoubleType(),
    DecimalType(38, 0),
]
NO_NUMBERS = [StringType(), BooleanType(), DateType(), TimestampType(), BinaryType(), NESTED]
TYPES: dict[str, tuple[list[DataType], list[DataType], str]] = {
    "by": (GROUPS, NO_GROUPS, "by has c, which is .*: no group. Group by a field"),
    "averages": (NUMBERS, NO_NUMBERS, r"averages has c, which is .*: no number. .*F.col\(\"c\"\).try_cast"),
    "counts": ([BooleanType()], [LongType(), StringType(), NESTED], "counts has c, which is .*: not true or false"),
    "uniques": (
        [StringType(), IntegerType(), LongType()],
        [DoubleType(), DecimalType(9, 2), TimestampType(), BinaryType(), NESTED],
        "c is .*; uniques takes string, int and bigint. Cast it",
    ),
}


@pytest.mark.parametrize("role", TYPES)
def test_each_type_is_taken_or_refused_by_name(role: str) -> None:
    taken, refused, said = TYPES[role]
    roles: dict[str, Any] = {role: ("c",)}
    checked = result(Panes("1 hour", **roles))
    for kind in taken:
        checked.check(StructType([EVENT, StructField("c", kind)]))
    for kind in refused:
        with pytest.raises(Mistake, match=said) as error:
            checked.check(StructType([EVENT, StructField("c", kind)]))
        assert kind.simpleString() in one_line(error.value)


def test_what_a_transform_leaves_out_gives_twice_or_changes_is_named() -> None:
    counted = result(Panes("1 hour", ("shop",), averages=("cents",)))
    shop, cents = StructField("shop", StringType()), StructField("cents", LongType())
    with pytest.raises(Mistake, match="does not return shop; it returns event_time, cents"):
        counted.check(StructType([EVENT, cents]))
    with pytest.raises(Mistake, match="does not return event_time"):
        counted.check(StructType([shop, cents]))
    with pytest.raises(Mistake, match="returns shop 2 times"):
        counted.check(StructType([EVENT, shop, cents, shop]))
    with pytest.raises(Mistake, match="event_time is string after the transform"):
        counted.check(StructType([StructField("event_time", StringType()), shop, cents]))
    counted.check(StructType([EVENT, shop, cents, StructField("other", NESTED), StructField("other", NESTED)]))


def test_rows_that_cannot_be_in_a_table_are_named() -> None:
    seen = result(None, membership=Membership("1 day"))
    seen.check(StructType([*PLACE, StructField("user-agent", NESTED)]))
    for name, said in (("Seen_Before", "two columns seen_before"), ("sequence", "two columns sequence"),
                       ("a.b", "cannot be called 'a.b'")):  # fmt: skip
        with pytest.raises(Mistake, match=said):
            seen.check(StructType([*PLACE, StructField(name, LongType())]))
    with pytest.raises(Mistake, match="does not return record_offset"):
        seen.check(StructType([*PLACE[:2], PLACE[3]]))
    both = result(Panes("1 hour", counts=("seen_before",)), membership=Membership("1 day"))
    both.check(StructType(PLACE))


CLOCKED = StructType([*PLACE[:3], StructField("record_timestamp", TimestampType()),
                      StructField("device", StringType()), StructField("sent", TimestampType())])  # fmt: skip


def clocked_without(name: str, instead: DataType | None = None) -> StructType:
    """The columns of CLOCKED, but for one, which is left out or has another type."""
    more = [] if instead is None else [StructField(name, instead)]
    return StructType([*(field for field in CLOCKED if field.name != name), *more])


def test_clocks_get_the_columns_that_they_name() -> None:
    clocked = result(None, membership=Clocks("device", "sent"))
    clocked.check(CLOCKED)
    clocked.check(clocked_without("device", LongType()))
    for name in CLOCKED.names:
        with pytest.raises(Mistake, match=f"r_v1: the transform does not return {name}; it returns ") as refused:
            clocked.check(clocked_without(name))
        one_line(refused.value)
    for name, kind, said in (
        ("sent", StringType(), "r_v1: clocks: column sent is string; it must be a timestamp"),
        ("record_timestamp", LongType(), "r_v1: clocks: column record_timestamp is bigint; it must be a timestamp"),
        ("device", NESTED, "r_v1: clocks: column device is .*: no name of a device"),
    ):
        with pytest.raises(Mistake, match=said) as refused:
            clocked.check(clocked_without(name, kind))
        one_line(refused.value)
    with pytest.raises(Mistake, match="two columns clock_refusal"):
        clocked.check(StructType([*CLOCKED, StructField("Clock_Refusal", LongType())]))
    by_method = result(Panes("1 hour", ("clock_method",)), membership=Clocks("device", "sent", received="event_time"))
    by_method.check(clocked_without("record_timestamp"))


def test_a_decision_cannot_be_had_with_idle_partitions() -> None:
    for decide in (Membership("1 day"), Clocks("device", "sent")):
        with pytest.raises(Mistake, match="r_v1: a decision cannot be had together with idle_after: make two results"):
            result(None, membership=decide, late=Late("1 hour", idle_after="1 hour"))


def test_a_transform_goes_row_by_row(spark: SparkSession) -> None:
    events = result_tables.empty_frame(spark, StructType([*PLACE, StructField("v", LongType())]))
    shops = spark.createDataFrame([(1, "x")], "v long, shop string").groupBy("v").agg(F.first("shop").alias("shop"))
    taken = {
        "picked": events.select("event_time", "v"),
        "joined with a table that is counted": events.join(F.broadcast(shops), "v", "left"),
        "exploded": events.select("event_time", F.explode(F.array("v", "v")).alias("v")),
        "both halves": events.where("v > 0").unionByName(events.where("v <= 0")),
        "in an order": events.orderBy("v"),
    }
    for transformed in taken.values():
        contract.check_transformed("r_v1", transformed)
    window = Window.partitionBy("v").orderBy("event_time")
    combined = [
        ("groupBy or an aggregate", events.groupBy("event_time").agg(F.sum("v").alias("v"))),
        ("distinct or dropDuplicates", events.dropDuplicates(["v"])),
        ("distinct or dropDuplicates", events.distinct().where("v > 0")),
        ("a window function", events.withColumn("n", F.row_number().over(window))),
        ("limit", events.limit(5)),
        ("sample", events.sample(0.5)),
    ]
    for said, transformed in combined:
        with pytest.raises(Mistake, match=rf"the transform combines events \({said}\)"):
            contract.check_transformed("r_v1", transformed)
    for wrong, said in ((None, "returns nothing"), (5, "returns a int")):
        with pytest.raises(Mistake, match=said):
            contract.check_transformed("r_v1", wrong)


def test_a_transform_leaves_the_time_of_events(spark: SparkSession) -> None:
    events = spark_plan.empty_relation(spark, StructType([*PLACE, StructField("v", TimestampType())]))
    shops = spark.createDataFrame([(1, "x")], "record_partition int, shop string")
    for transformed in (
        events.select("event_time", "v").where("v > event_time"),
        events.join(F.broadcast(shops), "record_partition", "left"),
        events.withColumn("v", F.col("event_time")),
        events.where("v > event_time").unionByName(events.where("v <= event_time")),
    ):
        contract.check_event_time("r_v1", transformed)
    for transformed in (
        events.withColumn("event_time", F.col("v")),
        events.select((F.col("event_time") - F.expr("interval 1 hour")).alias("event_time"), "v"),
        events.drop("event_time").withColumnRenamed("v", "event_time"),
    ):
        with pytest.raises(Mistake, match="r_v1: the transform changes event_time, by which ") as refused:
            contract.check_event_time("r_v1", transformed)
        one_line(refused.value)


RANKED = StructType([*PLACE, StructField("route", StringType()), StructField("carrier", StringType())])
BY_ROUTE = Windows(Panes("1 hour", ("route",), count="flights"), Tumbling("1 hour"))
BUSIEST = Top(3, item="route", by="flights")


def ranked(*answers: Any) -> Result:
    return Result("r_v1", Reads(schema(), nothing), answers)


def test_a_ranking_has_a_table_of_its_own() -> None:
    made = ranked(BY_ROUTE, BUSIEST, BUSIEST.named("three"))
    columns = {table.name: table.columns.names for table in result_tables.tables_from(made, RANKED)}
    added = ["due_time", "final", "revision", "updated_time"]
    assert columns["r_v1_top"] == ["window_kind", "window_start", "window_end", "rank", "route", "flights", *added]
    assert {"r_v1", "r_v1_panes", "r_v1_three"} < columns.keys()


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ((BUSIEST,), "several answers are Windows and the Tops that rank them, in this order"),
        ((BUSIEST, BY_ROUTE), "several answers are Windows and the Tops that rank them, in this order"),
        ((BY_ROUTE, BY_ROUTE), "several answers are Windows and the Tops that rank them, in this order"),
        ((BY_ROUTE, BUSIEST, BUSIEST), "two of its tables would be called r_v1_top"),
        ((BY_ROUTE, BUSIEST.named("panes")), "r_v1_panes is a table of headrace: take another name than panes"),
        ((BY_ROUTE, BUSIEST.named("")), "the windows have the table r_v1: give each Top a name of its own"),
    ],
)
def test_what_cannot_be_ranked_is_refused_when_the_job_file_is_loaded(answers: Any, message: str) -> None:
    with pytest.raises(Mistake, match=message):
        ranked(*answers)


@pytest.mark.parametrize(
    ("ranking", "message"),
    [
        (Top(3, item="carrier", by="flights"), "each and item are carrier, and the windows are grouped by route"),
        (Top(3, item="route", by="delay_mean"), "the windows have no column delay_mean; they have"),
        (Top(3, item="route", by="window_start"), "by is window_start, which is timestamp: no number"),
    ],
)
def test_a_ranking_names_columns_of_the_windows(ranking: Top, message: str) -> None:
    with pytest.raises(Mistake, match=f"r_v1: Top top: {message}"):
        result_tables.tables_from(ranked(BY_ROUTE, ranking), RANKED)
