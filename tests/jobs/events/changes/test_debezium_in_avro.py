"""Changes in Avro become what the same changes in JSON do, with their schema beside the payload."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from pyspark.sql.types import (
    BinaryType,
    DataType,
    DateType,
    DecimalType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.answers.latest import Latest
from jobs.answers.result import Reads, Result
from jobs.events import plain_values
from jobs.events.changes import debezium, debezium_transactions, keyed_rows
from jobs.events.changes.change_form import ChangeForm
from jobs.events.changes.change_topic import change_topic, row_columns
from jobs.events.changes.debezium import Debezium
from jobs.events.encodings import topic_encoding
from jobs.events.encodings.topic_encoding import encoded_topic
from jobs.running.errors import Mistake
from tests.jobs.events.changes import envelopes
from tests.jobs.events.changes.envelopes import kind
from tests.jobs.events.encodings.mock_source import MockSource

MOMENT = datetime(2024, 2, 29, 13, 14, 15, 123456, tzinfo=UTC)
TIME = "2024-02-29T13:14:15.123456Z"
CONNECT, DEBEZIUM = "org.apache.kafka.connect.data", "io.debezium"
SCALED = {"type": "record", "name": "VariableScaleDecimal", "namespace": f"{DEBEZIUM}.data",
          "connect.name": f"{DEBEZIUM}.data.VariableScaleDecimal",
          "fields": [{"name": "scale", "type": "int"}, {"name": "value", "type": "bytes"}]}  # fmt: skip
UNKNOWN = "__debezium_unavailable_value"
DECIMAL = kind("bytes", f"{CONNECT}.Decimal", logicalType="decimal", precision=10, scale=2)
WHOLE = kind("bytes", f"{CONNECT}.Decimal", logicalType="decimal", precision=64, scale=0)
VALUES: dict[str, tuple[DataType, Any, Any, Any]] = {
    "credit": (DecimalType(10, 2), DECIMAL, Decimal("1234.56"), "1234.56"),
    "whole": (DecimalType(38, 0), WHOLE, Decimal(1234), "1234"),  # digits alone would be base64, too
    "scaled": (DecimalType(38, 10), SCALED, {"scale": 4, "value": b"\x0a"}, "0.0010"),
    "again": (DecimalType(38, 10), f"{DEBEZIUM}.data.VariableScaleDecimal", {"scale": -2, "value": b"\x0a"}, "1000"),
    "micros": (TimestampType(), kind("long", f"{DEBEZIUM}.time.MicroTimestamp"), 1_709_212_455_123_456, TIME),
    "millis": (TimestampType(), kind("long", f"{CONNECT}.Timestamp", logicalType="timestamp-millis"),
               MOMENT.replace(microsecond=123_000), "2024-02-29T13:14:15.123000Z"),
    "nobody_says": (TimestampType(), "long", 1_709_212_455_123_456, 1_709_212_455_123_456),
    "zoned": (TimestampType(), kind("string", f"{DEBEZIUM}.time.ZonedTimestamp"), TIME, TIME),
    "days": (DateType(), kind("int", f"{DEBEZIUM}.time.Date"), 19_782, "2024-02-29"),
    "day": (DateType(), kind("int", f"{CONNECT}.Date", logicalType="date"), date(2024, 2, 29), "2024-02-29"),
    "raw": (BinaryType(), "bytes", b"\x00\xff", base64.b64encode(b"\x00\xff").decode()),
    "note": (StringType(), kind("string", f"{DEBEZIUM}.data.Json"), '{"a": 1}', '{"a": 1}'),
}  # fmt: skip
"""By column its type, that of Avro, a value, and what becomes of it."""
COLUMNS = StructType(
    [StructField("id", LongType(), False), *(StructField(name, one[0]) for name, one in VALUES.items())]
)
AVRO = {"id": "long"} | {name: ["null", one[1]] for name, one in VALUES.items()}
WRITTEN = {"id": 1} | {name: one[2] for name, one in VALUES.items()}
MADE = {"id": 1} | {name: one[3] for name, one in VALUES.items()}
NAMED: dict[str, Any] = {"name": "shop", "sequence": '["70","77"]', "ts_ms": 1_709_212_455_123, "snapshot": "false"}
CHANGE = {"change_time": "2024-02-29T13:14:15.123000Z", "change_source": "shop", "change_commit": 70, "change_lsn": 77}


@pytest.fixture
def source() -> MockSource:
    return MockSource()


def customers(form: ChangeForm, source: MockSource, columns: StructType = COLUMNS, **more: Any) -> Any:
    declared = {"TOPIC": "shop.public.customers", "COLUMNS": columns, "ENCODING": "avro", "KEY_ENCODING": "avro"}
    topic = change_topic(encoded_topic(SimpleNamespace(**declared, **more)), form)
    topic.ENCODED.connect(source)
    return topic


def plain(topic: Any, records: Sequence[tuple[bytes | None, bytes | None]]) -> tuple[list[Any], list[Any]]:
    """The object that is made of each record, and why there is none."""
    keys, values = zip(*records, strict=True)
    offsets, times = list(range(len(records))), [MOMENT] * len(records)
    batch = pa.record_batch(
        {
            "key": pa.array(keys, pa.binary()),
            "value": pa.array(values, pa.binary()),
            "offset": pa.array(offsets, pa.int64()),
            "timestamp": pa.array(times, pa.timestamp("us", "UTC")),
        }
    )
    form, encoded = topic.FORM, topic_encoding.of_topic(topic)
    made, faults = plain_values.plain_values(batch, form, row_columns(topic), encoded)
    assert faults is not None
    reasons = [fault and fault["reason"] for fault in faults.to_pylist()]
    return [each and json.loads(each) for each in made.to_pylist()], reasons


def serializers(client: SchemaRegistryClient, value: dict[str, Any], key: Any = None) -> tuple[Any, Any]:
    """Of the key and of the value."""
    keys = envelopes.serializer(client, key or envelopes.row("Key", {"id": "long"}), "customers", is_key=True)
    return keys, envelopes.serializer(client, value, "customers")


def test_each_type_and_each_kind_of_change(source: MockSource) -> None:
    key, value = serializers(source.client, envelopes.envelope(AVRO))
    left = WRITTEN | {"note": UNKNOWN, "raw": UNKNOWN.encode()}
    changes: list[dict[str, Any]] = [
        {"op": "c", "after": WRITTEN},
        {"op": "u", "before": WRITTEN, "after": left},
        {"op": "d", "before": dict.fromkeys(WRITTEN) | {"id": 4}},
        {"op": "d"},
    ]
    records = [(key({"id": 4}), value({"source": NAMED} | change)) for change in changes]
    bad = b"\0\0\0\x27\x0f" + records[0][1][5:]  # schema id 9999
    records += [(key({"id": 4}), None), (key({"id": 4}), bad), (b"\0\0\0\x27\x0f\x02", records[0][1])]
    made, reasons = plain(customers(debezium.CHANGES, source), records)
    assert reasons == [None] * 5 + ["unknown_schema"] * 2
    unknown = made[1].pop("change_unknown")
    assert json.loads(unknown) == ["raw", "note"]
    rest = {name: one for name, one in MADE.items() if name not in ("raw", "note")}
    assert made == [
        MADE | CHANGE | {"change_op": "insert"},
        rest | CHANGE | {"change_op": "update"},
        {"id": 4, "change_op": "delete"} | CHANGE,
        {"id": 4, "change_op": "delete"} | CHANGE,  # of a table whose deletions tell no row: that of the key
        {"change_op": "none", "change_time": TIME},
        None,  # and no tombstone
        None,
    ]


def test_rows_alone(source: MockSource) -> None:
    added = {"__op": "string", "__deleted": "string", "__source_sequence": "string", "__source_ts_ms": "long"}
    key, value = serializers(source.client, envelopes.row("Value", AVRO | added))
    change = {"__op": "u", "__deleted": "false", "__source_sequence": NAMED["sequence"]}
    record = (key({"id": 1}), value(WRITTEN | change | {"__source_ts_ms": NAMED["ts_ms"]}))
    made, _ = plain(customers(debezium.FLATTENED, source), [record])
    expected = {name: one for name, one in CHANGE.items() if name != "change_source"} | {"change_op": "update"}
    assert made == [MADE | expected]


def test_a_topic_whose_key_is_one_value(source: MockSource) -> None:
    """As ksqlDB writes a table: the key is in no column of the value."""
    columns = StructType([StructField("id", LongType(), False), StructField("name", StringType())])
    key, value = serializers(source.client, envelopes.row("Value", {"name": "string"}), {"type": "long"})
    made, reasons = plain(customers(keyed_rows.ROWS, source, columns), [(key(7), value({"name": "ü"})), (key(7), None)])
    assert not any(reasons)
    assert [(each["id"], each.get("name"), each["change_op"]) for each in made] == [
        (7, "ü", "update"),
        (7, None, "delete"),
    ]


def test_the_topic_of_transactions_is_encoded_as_the_others(source: MockSource) -> None:
    form = Debezium(transactions="shop.transaction")
    declared = SimpleNamespace(TOPIC="shop.public.customers", COLUMNS=COLUMNS, ENCODING="avro", KEY_ENCODING="avro")
    reads = Reads(declared, lambda changes: changes, form=form)
    result = Result("customer_v1", reads, Latest(key=("id",)))
    topic = result.all_reads[1].topic
    topic.ENCODED.connect(source)
    count = {"type": "record", "name": "c", "fields": [{"name": "data_collection", "type": "string"},
                                                       {"name": "event_count", "type": "long"}]}  # fmt: skip
    schema = {
        "type": "record",
        "name": "TransactionMetadataValue",
        "fields": [
            {"name": "status", "type": "string"},
            {"name": "id", "type": "string"},
            {"name": "event_count", "type": ["null", "long"]},
            {"name": "data_collections", "type": ["null", {"type": "array", "items": count}]},
            {"name": "ts_ms", "type": "long"},
        ],
    }
    end = {"status": "END", "id": "765:24405600", "event_count": 2, "ts_ms": NAMED["ts_ms"],
           "data_collections": [{"data_collection": "public.customers", "event_count": 2}]}  # fmt: skip
    assert isinstance(topic.FORM, debezium_transactions.Transactions)
    [made], _ = plain(topic, [(b"any", envelopes.serializer(source.client, schema, "shop.transaction")(end))])
    assert (made["transaction_id"], made["transaction_lsn"], made["transaction_status"]) == ("765", 24405600, "END")
    assert json.loads(made["transaction_counts"]) == {"public.customers": 2}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"ENCODING": "protobuf"}, "reads changes that are written in JSON or Avro, and ENCODING says Protobuf"),
        ({"KEY_ENCODING": "protobuf"}, "and KEY_ENCODING says Protobuf"),
        ({"KEY_COLUMNS": ("id",)}, "form=... reads the keys of changes itself: leave KEY_COLUMNS out"),
    ],
)
def test_what_no_form_reads_is_refused(more: dict[str, Any], said: str) -> None:
    declared = {"TOPIC": "t", "COLUMNS": COLUMNS, "ENCODING": "avro", "KEY_ENCODING": "avro"} | more
    with pytest.raises(Mistake, match=said):
        Reads(SimpleNamespace(**declared), lambda changes: changes, form=debezium.CHANGES)
