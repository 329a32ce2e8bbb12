"""What a record of Debezium's becomes, worked out by hand."""

import base64
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.events import fast_decoder, gate
from jobs.events.changes import debezium
from jobs.events.changes.change_form import COLUMNS
from jobs.events.changes.change_topic import change_topic
from jobs.events.changes.debezium import Debezium
from jobs.running.errors import Mistake
from tests.jobs.facts.readings_as_json import records
from tests.jobs.facts.two_decoders import same

MICROS = "io.debezium.time.MicroTimestamp"
MOMENT = datetime(2024, 2, 29, 13, 14, 15, 123456, tzinfo=UTC)
SINCE_1970 = (MOMENT - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
SOURCE = {
    "name": "shop",
    "sequence": '["70","77"]',
    "ts_ms": 1_709_212_455_123,
    "ts_us": 1_709_212_455_123_456,
    "snapshot": "false",
}
TIME = "2024-02-29T13:14:15.123456Z"
INSERT = {"op": "c", "before": None, "after": {"id": 1}, "source": SOURCE}


TEXT = StringType()


def columns(kind: DataType = TEXT, **metadata: str) -> StructType:
    return StructType([StructField("id", LongType(), False), StructField("v", kind, True, metadata)])


def plain(value: Any, kind: StructType | None = None, key: Any = None, form: Debezium = debezium.CHANGES) -> Any:
    """The object that is made of one record; None if it is no change."""
    contents = [part if isinstance(part, bytes | None) else json.dumps(part).encode() for part in (key, value)]
    batch = pa.record_batch(
        {
            "key": pa.array(contents[:1], pa.binary()),
            "value": pa.array(contents[1:], pa.binary()),
            "timestamp": pa.array([MOMENT], pa.timestamp("us", "UTC")),
        }
    )
    [made] = form.plain_values(batch, kind or columns()).to_pylist()
    return None if made is None else json.loads(made)


def with_schema(payload: Any, name: str | None, type_: str) -> Any:
    """As JsonConverter writes it with schemas.enable."""
    row = {"type": "struct", "fields": [{"field": "v", "type": type_, "name": name, "optional": True}]}
    parts = [row | {"field": part} for part in ("before", "after")]
    return {"schema": {"type": "struct", "fields": [*parts, {"field": "op", "type": "string"}]}, "payload": payload}


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_each_kind_of_change() -> None:
    said = {"change_time": TIME, "change_source": "shop", "change_commit": 70, "change_lsn": 77}
    both = {"before": {"id": 1, "v": "old"}, "after": {"id": 1, "v": "new"}, "source": SOURCE}
    assert plain(INSERT) == {"id": 1, "change_op": "insert"} | said
    assert plain(both | {"op": "u"}) == {"id": 1, "v": "new", "change_op": "update"} | said
    assert plain(both | {"op": "d", "after": None}) == {"id": 1, "v": "old", "change_op": "delete"} | said
    without = {"op": "d", "before": None, "after": None, "source": SOURCE}
    for key in ({"id": 4}, {"schema": {"type": "struct"}, "payload": {"id": 4}}):
        assert plain(without, key=key) == {"id": 4, "change_op": "delete"} | said
    assert plain(without | {"op": "t"}) == {"change_op": "truncate", "change_clears": True} | said
    assert plain({"op": "m", "source": SOURCE, "message": {}}) == {"change_op": "none", "change_time": TIME}
    assert plain(None, key={"id": 4}) == {"change_op": "none", "change_time": TIME}
    for mark in ("first", "true", "first_in_data_collection", "incremental"):
        snapshot = plain(both | {"op": "r", "source": SOURCE | {"snapshot": mark}})
        assert snapshot == {"id": 1, "v": "new", "change_op": "snapshot"} | said
    for mark in ("last", "last_in_data_collection"):
        snapshot = plain(both | {"op": "r", "source": SOURCE | {"snapshot": mark}})
        assert snapshot == {"id": 1, "v": "new", "change_op": "snapshot", "change_clears": True} | said


@pytest.mark.parametrize(
    ("op", "sequence", "commit"),
    [("r", '[null,"77"]', 77), ("c", '[null,"77"]', None), ("r", '["70","77"]', 70), ("u", '["70","77"]', 70)],
)
def test_the_order(op: str, sequence: str, commit: int | None) -> None:
    """Of a snapshot, of the first transaction after it, of an incremental snapshot, and of a later change."""
    made = plain(INSERT | {"op": op, "source": SOURCE | {"sequence": sequence}})
    assert (made.get("change_commit"), made["change_lsn"]) == (commit, 77)


def test_a_time_in_milliseconds_will_do() -> None:
    old = {name: value for name, value in SOURCE.items() if name != "ts_us"}
    assert plain(INSERT | {"source": old})["change_time"] == "2024-02-29T13:14:15.123000Z"


VALUES: list[tuple[DataType, str | None, Any, Any]] = [
    (DecimalType(10, 2), None, base64_of((123456).to_bytes(3, "big")), "1234.56"),
    (DecimalType(10, 2), None, base64_of((-5).to_bytes(1, "big", signed=True)), "-0.05"),
    (DecimalType(38, 0), None, base64_of((10**37).to_bytes(16, "big")), str(10**37)),
    (DecimalType(38, 10), "io.debezium.data.VariableScaleDecimal", {"scale": 4, "value": base64_of(b"\x0a")}, "0.0010"),
    (DecimalType(10, 2), "io.debezium.data.VariableScaleDecimal", {"scale": -2, "value": base64_of(b"\x0a")}, "1000"),
    (DateType(), "io.debezium.time.Date", (date(2024, 2, 29) - date(1970, 1, 1)).days, "2024-02-29"),
    (DateType(), None, (date(987, 6, 5) - date(1970, 1, 1)).days, "0987-06-05"),
    (DateType(), "io.debezium.time.IsoDate", "2024-02-29Z", "2024-02-29"),
    (TimestampType(), "io.debezium.time.Timestamp", int(SINCE_1970 * 1000), "2024-02-29T13:14:15.123000Z"),
    (TimestampType(), MICROS, 1_709_212_455_123_456, TIME),
    (TimestampType(), MICROS, -1, "1969-12-31T23:59:59.999999Z"),
    (TimestampType(), "io.debezium.time.NanoTimestamp", 1_709_212_455_123_456_999, TIME),
    (TimestampType(), "org.apache.kafka.connect.data.Timestamp", 0, "1970-01-01T00:00:00.000000Z"),
    (TimestampType(), "io.debezium.time.ZonedTimestamp", "2024-02-29T11:14:15.5Z", "2024-02-29T11:14:15.5Z"),
    (TimestampType(), MICROS, 10**18, 10**18),
    (StringType(), "io.debezium.data.Json", '{"a": [1, 2]}', '{"a": [1, 2]}'),
    (StringType(), None, 'quo"ted \\ ü', 'quo"ted \\ ü'),
    (BinaryType(), None, base64_of(b"\x00\xff"), base64_of(b"\x00\xff")),
    (ArrayType(StringType()), None, ["a", None], ["a", None]),
    (DoubleType(), None, 1.5, 1.5),
]


@pytest.mark.parametrize(("kind", "name", "written", "read"), VALUES, ids=str)
def test_a_value(kind: DataType, name: str | None, written: Any, read: Any) -> None:
    change = INSERT | {"after": {"id": 1, "v": written}}
    assert plain(change, columns(kind, **({"debezium": name} if name else {})))["v"] == read
    usual = "org.apache.kafka.connect.data.Decimal" if isinstance(kind, DecimalType) else None
    assert plain(with_schema(change, name or usual, "bytes"), columns(kind))["v"] == read


def test_a_number_of_which_nobody_says_what_it_is_stays_one() -> None:
    change = INSERT | {"after": {"id": 1, "v": 1_709_212_455_123_456}}
    assert plain(change, columns(TimestampType()))["v"] == 1_709_212_455_123_456, "and is quarantined: wrong_type"


@pytest.mark.parametrize(("mode", "written"), [("string", "1234"), ("double", 1234.5)])
def test_decimals_that_say_the_number_as_it_is(mode: str, written: Any) -> None:
    """Digits alone would be base64, too."""
    change = INSERT | {"after": {"id": 1, "v": written}}
    assert plain(change, columns(DecimalType(10, 2)), form=Debezium(decimals=mode))["v"] == written
    assert plain(with_schema(change, None, "string"), columns(DecimalType(10, 2)))["v"] == written


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (StringType(), "__debezium_unavailable_value"),
        (BinaryType(), base64_of(b"__debezium_unavailable_value")),
        (ArrayType(StringType()), ["__debezium_unavailable_value"]),
    ],
    ids=str,
)
def test_a_large_value_that_was_left_alone_is_unknown(kind: DataType, written: Any) -> None:
    made = plain(INSERT | {"op": "u", "after": {"id": 1, "v": written}}, columns(kind))
    assert "v" not in made and json.loads(made["change_unknown"]) == ["v"]


def test_what_is_no_change() -> None:
    cut = json.dumps(INSERT).encode()[:-1]
    changes = (
        {"id": 1},
        INSERT | {"op": "x"},
        INSERT | {"source": None},
        INSERT | {"source": SOURCE | {"sequence": "x"}},
        INSERT | {"after": {"id": None}},
    )
    for value in (b"", b"x", b"null", b"[]", b"{}", b"\xff", cut, *changes):
        assert plain(value) is None, value
    for row in (
        {"id": 1},
        {"id": 1, "__op": "c", "__lsn": 7, "__deleted": "false", "__source_ts_ms": 5},
        {"id": 1, "__deleted": "false"},
    ):
        assert plain(row, form=debezium.FLATTENED) is None


def test_rows_alone() -> None:
    row = {
        "id": 1,
        "v": "x",
        "__op": "u",
        "__source_sequence": '["70","77"]',
        "__source_ts_ms": 1_709_212_455_123,
        "__deleted": "false",
    }
    said = {"id": 1, "v": "x", "change_time": "2024-02-29T13:14:15.123000Z", "change_commit": 70, "change_lsn": 77}
    assert plain(row, form=debezium.FLATTENED) == said | {"change_op": "update"}
    wrapped = {"schema": {"type": "struct", "fields": [{"field": "v", "type": "string"}]}, "payload": row}
    assert plain(wrapped, form=debezium.FLATTENED) == said | {"change_op": "update"}
    assert plain(row | {"__deleted": "true"}, form=debezium.FLATTENED) == said | {"change_op": "delete"}
    last = row | {"__op": "r", "__source_snapshot": "last", "__source_name": "shop"}
    made = plain(last, form=debezium.FLATTENED)
    assert made == said | {"change_op": "snapshot", "change_clears": True, "change_source": "shop"}


def customers(**more: Any) -> Any:
    fields = [
        StructField("id", LongType(), False),
        StructField("credit", DecimalType(10, 2)),
        StructField("since", TimestampType(), True, {"debezium": MICROS}),
    ]
    return SimpleNamespace(TOPIC="shop.public.customers", COLUMNS=StructType(fields), **more)


def test_the_quick_look_says_what_the_gate_says(spark: SparkSession) -> None:
    topic = change_topic(customers(MAX_AHEAD=None), debezium.CHANGES)
    good = {"id": 1, "credit": base64_of((123456).to_bytes(3, "big")), "since": 1_709_212_455_123_456}
    afters = [
        good,
        good | {"credit": None},
        {"id": 7},
        good | {"id": "x"},
        good | {"credit": True},
        good | {"since": 10**18},
    ]
    afters += [good | {"credit": base64_of(b"\x7f" * 9)}, good | {"note": "y" * 20_000}, good | {"note": "z" * 2**20}]
    values: list[tuple[bytes | None, bytes | None]] = [
        (b'{"id":1}', json.dumps(INSERT | {"after": after}).encode()) for after in afters
    ]
    values += [(b'{"id":1}', None), (None, b"no change"), (b"k", json.dumps(INSERT | {"op": "t"}).encode())]
    certain = same(spark, [*values[:3], values[9], values[11]], topic)
    assert len(certain) == 5
    same(spark, values, topic)
    assert certain[0]["credit"] == Decimal("1234.56") and certain[0]["since"] == "2024-02-29 13:14:15.123456"
    faults = {
        row.record_offset: (row["__fault"].reason, row["__fault"].field, row["__raw"].value)
        for row in gate.decode(records(spark, values), topic).select("record_offset", "__fault", "__raw").collect()
        if row["__fault"]
    }
    said = {offset: (reason, field) for offset, (reason, field, _) in faults.items()}
    assert said == {
        3: ("wrong_type", "id"),
        4: ("wrong_type", "credit"),
        5: ("wrong_type", "since"),
        6: ("wrong_type", "credit"),
        8: ("too_large", None),
        10: ("not_a_change", None),
    }
    assert all(bytes(raw) == values[offset][1] for offset, (*_, raw) in faults.items()), "the record as it was written"
    assert set(fast_decoder.event_columns(topic).names) > {*COLUMNS.names, "id", "credit", "since", "event_time"}


def test_a_schema_file_of_changes() -> None:
    for more, said in (
        ({"EVENT_TIME": "since"}, "EVENT_TIME of changes is change_time"),
        ({"COLUMNS": StructType([StructField("Change_Op", StringType())])}, "column change_op cannot have this name"),
        ({"COLUMNS": 5}, "does not say COLUMNS"),
    ):
        with pytest.raises(Mistake, match=said):
            change_topic(SimpleNamespace(**(vars(customers()) | more)), debezium.CHANGES)
    with pytest.raises(Mistake, match="decimals is 'exact'; it must be precise, string or double"):
        Debezium(decimals="exact")


def test_the_name_follows_from_what_it_reads() -> None:
    """The ledger knows a form by its name alone. The first two are in ledgers already."""
    assert [debezium.CHANGES.name, debezium.FLATTENED.name] == ["debezium", "debezium-flattened"]
    names = {
        Debezium(is_flat=flat, decimals=mode).name for flat in (False, True) for mode in ("precise", "string", "double")
    }
    assert len(names) == 6
