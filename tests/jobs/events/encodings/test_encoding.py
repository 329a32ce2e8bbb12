"""Values that a schema registry's clients write become the JSON that other producers write; what does not, says why."""

import json
import struct
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.events.encodings.encoding import Encoding
from jobs.events.encodings.topic_encoding import TopicEncoding, encoded_topic
from jobs.events.encodings.wire_format import split_index
from jobs.running.errors import Mistake
from tests.jobs.events.encodings import rides
from tests.jobs.events.encodings.mock_source import MockSource


@pytest.fixture
def source() -> MockSource:
    return MockSource()


def encoding(source: MockSource, kind: str, columns: StructType = rides.COLUMNS, reader: Any = None) -> TopicEncoding:
    return TopicEncoding(Encoding(kind, reader and json.dumps(reader), source), columns)


def json_of(
    values: Sequence[bytes | None], encoded: TopicEncoding, keys: Sequence[bytes | None] | None = None
) -> tuple[list[Any], list[Any]]:
    """What JSON the values become, and the reasons why they do not."""
    without = [None] * len(values)
    plain, faults = encoded.json_values(pa.array(keys or without, pa.binary()), pa.array(values, pa.binary()))
    reasons = [fault and (fault["reason"], fault["field"]) for fault in faults.to_pylist()]
    return [value and json.loads(value) for value in plain.to_pylist()], reasons


def record(**kinds: Any) -> dict[str, Any]:
    """A schema of Avro; a field with a default is given as (type, default)."""
    fields = []
    for name, kind in kinds.items():
        default = {"default": kind[1]} if isinstance(kind, tuple) else {}
        fields.append({"name": name, "type": kind[0] if isinstance(kind, tuple) else kind} | default)
    return {"type": "record", "name": "R", "fields": fields}


def framed(source: MockSource, schema: dict[str, Any], *values: dict[str, Any]) -> list[bytes]:
    return [rides.avro_serializer(source.client, "rides", schema)(value) for value in values]


@pytest.mark.parametrize("kind", ["avro", "protobuf"])
def test_rides_become_the_json_of_a_producer_that_writes_json(kind: str, source: MockSource) -> None:
    serialise = {"avro": rides.avro_serializer, "protobuf": rides.protobuf_serializer}[kind](source.client, "rides")
    given = rides.rides(40)
    made, reasons = json_of([None, *map(serialise, given)], encoding(source, kind))
    assert made[0] is None and not any(reasons)
    for found, ride in zip(made[1:], given, strict=True):
        expected = json.loads(rides.as_json(ride))
        assert found == expected | {"begun": expected["begun"].replace("+00:00", "Z")}
    assert len(source.asked) == 1, "each schema is asked for once"


def test_each_type_of_avro_is_written_as_its_column_reads_it(source: MockSource) -> None:
    kinds = {
        "price": ({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, DecimalType(9, 2)),
        "day": ({"type": "int", "logicalType": "date"}, DateType()),
        "at": ({"type": "long", "logicalType": "timestamp-millis"}, TimestampType()),
        "local": ({"type": "long", "logicalType": "local-timestamp-millis"}, TimestampType()),
        "id": ({"type": "string", "logicalType": "uuid"}, StringType()),
        "raw": ("bytes", BinaryType()),
        "kind": ({"type": "enum", "name": "Kind", "symbols": ["A", "B"]}, StringType()),
        "marks": ({"type": "array", "items": "long"}, ArrayType(LongType())),
        "by_name": ({"type": "map", "values": "double"}, MapType(StringType(), DoubleType())),
        "level": ("double", DoubleType()),
    }
    schema_id = source.register(record(**{name: kind for name, (kind, _) in kinds.items()}))
    # By hand after the specification of Avro: zigzag varints, lengths before texts, blocks that end with a zero.
    parts = [
        b"\x04\x00\x96",  # two bytes: 150, hundredths
        b"\xd6\xb5\x02",  # 19,819 days: 2024-04-06
        b"\xf4\x03",  # 250 ms
        b"\xf4\x03",
        b"\x48" + b"00000000-0000-0000-0000-000000000007",
        b"\x04\x00\xff",
        b"\x02",
        b"\x04\x02\x03\x00",  # 1, -2
        b"\x02\x02k" + struct.pack("<d", 0.5) + b"\x00",
        struct.pack("<d", float("nan")),
    ]
    columns = StructType([StructField(name, kind) for name, (_, kind) in kinds.items()])
    value = struct.pack(">BI", 0, schema_id) + b"".join(parts)
    [made], [reason] = json_of([value], encoding(source, "avro", columns))
    assert reason is None
    assert made == {
        "price": "1.50",
        "day": "2024-04-06",
        "at": "1970-01-01T00:00:00.250000Z",
        "local": "1970-01-01T00:00:00.250000",
        "id": "00000000-0000-0000-0000-000000000007",
        "raw": "AP8=",
        "kind": "B",
        "marks": [1, -2],
        "by_name": {"k": 0.5},
        "level": "nan",
    }


def test_records_of_all_versions_are_read_by_the_readers_schema(source: MockSource) -> None:
    first, second = record(bike="string", minutes="int", gone="long"), record(bike="string", minutes="long")
    reader = record(bike="string", minutes="double", city=("string", "Zürich"))
    values = framed(source, first, {"bike": "a", "minutes": 5, "gone": 1})
    values += framed(source, second, {"bike": "b", "minutes": 2**40})
    columns = StructType([StructField(name, StringType()) for name in ("bike", "minutes", "city")])
    made, _ = json_of(values, encoding(source, "avro", columns, reader))
    assert made == [
        {"bike": "a", "minutes": 5.0, "city": "Zürich"},
        {"bike": "b", "minutes": float(2**40), "city": "Zürich"},
    ]
    made, _ = json_of(values, encoding(source, "avro", columns))
    assert made == [{"bike": "a", "minutes": 5}, {"bike": "b", "minutes": 2**40}]
    narrow = record(bike="string", minutes="int", city="string")
    _, reasons = json_of(values, encoding(source, "avro", columns, narrow))
    assert reasons == [("schema_mismatch", "schema id 1"), ("schema_mismatch", "schema id 2")]


def test_what_cannot_be_decoded_says_why(source: MockSource) -> None:
    [good] = framed(source, record(n="int"), {"n": 5})
    other = source.register({"type": "object"}, "JSON")
    wrong = source.register({"type": "nothing"})
    cases = {
        b"": ("no_schema_id", None),
        b'{"n":5}': ("no_schema_id", None),
        good[:4]: ("no_schema_id", None),
        good[:5]: ("not_decodable", "schema id 1"),
        good + b"\x00": ("not_decodable", "schema id 1"),
        struct.pack(">BI", 0, 4_000_000_000) + good[5:]: ("unknown_schema", "schema id 4000000000"),
        struct.pack(">BI", 0, other) + good[5:]: ("schema_mismatch", f"schema id {other}"),
        struct.pack(">BI", 0, wrong) + good[5:]: ("schema_mismatch", f"schema id {wrong}"),
        good: None,
    }
    encoded = encoding(source, "avro", StructType([StructField("n", IntegerType())]))
    made, reasons = json_of(list(cases), encoded)
    assert reasons == list(cases.values()) and made == [None] * 8 + [{"n": 5}]
    asked = len(source.asked)
    json_of(list(cases) * 3, encoded)
    assert source.asked[asked:] == [4_000_000_000], "an unknown id is asked for again, once for all its records"


def test_messages_that_are_cut_or_of_no_place_in_their_schema(source: MockSource) -> None:
    good = rides.protobuf_serializer(source.client, "rides")(rides.rides(1)[0])
    assert split_index(good[5:])[0] == (0, 0)  # Other.Ride
    head = good[:5]
    for bad in (head, head + b"\x02\x0e" + good[8:], head + b"\x01" + good[8:], good[:-3], head + b"\xff" * 9):
        made, reasons = json_of([bad], encoding(source, "protobuf"))
        assert (made, reasons) == ([None], [("not_decodable", "schema id 1")]), bad
    made, reasons = json_of([head + b"\x00"], encoding(source, "protobuf"))
    assert (made, reasons) == ([{}], [None]), "a single zero: the first message, Other, which has none of the columns"


def keyed(source: MockSource, *columns: str) -> TopicEncoding:
    """Values and keys in Avro; these columns are in the keys."""
    kinds = StructType([StructField(name, LongType()) for name in ("id", "shop", "n")])
    keys = Encoding("avro", source=source, is_key=True)
    return TopicEncoding(Encoding("avro", source=source), kinds, keys, columns)


def test_columns_of_a_key_are_beside_those_of_the_value(source: MockSource) -> None:
    """What is in the key counts, also if the value has a field of the same name."""
    [value] = framed(source, record(n="int", id="long"), {"n": 5, "id": 1})
    key_schema = record(id="long", shop="long") | {"name": "K"}
    both, alone = source.register(key_schema), source.register("long")
    key, plain_key = struct.pack(">BI", 0, both) + b"\x0e\x10", struct.pack(">BI", 0, alone) + b"\x0e"  # 7, 8; 7
    made, reasons = json_of([value, value, None], keyed(source, "id", "shop"), [key, None, key])
    assert made == [{"id": 7, "shop": 8, "n": 5}, {"id": None, "shop": None, "n": 5}, None] and not any(reasons)
    assert json_of([value], keyed(source, "id"), [plain_key]) == ([{"id": 7, "n": 5}], [None])
    assert json_of([value], keyed(source), [b"any"]) == ([{"id": 1, "n": 5}], [None]), "a key that nobody reads"


def test_a_key_that_cannot_be_decoded_says_why(source: MockSource) -> None:
    [value] = framed(source, record(n="int"), {"n": 5})
    alone = source.register("long")
    cases = {
        b"any": ("no_schema_id", "the key"),
        struct.pack(">BI", 0, 9999) + b"\x0e": ("unknown_schema", "schema id 9999 of the key"),
        struct.pack(">BI", 0, alone): ("not_decodable", f"schema id {alone} of the key"),
        struct.pack(">BI", 0, alone) + b"\x0e": ("schema_mismatch", f"schema id {alone} of the key"),  # one for two
    }
    made, reasons = json_of([value] * len(cases), keyed(source, "id", "shop"), list(cases))
    assert reasons == list(cases.values()) and not any(made)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"KEY_ENCODING": "avro"}, "KEY_ENCODING is for topics with an ENCODING"),
        ({"ENCODING": "avro", "KEY_ENCODING": "json"}, "KEY_ENCODING is 'json'; take one of avro, protobuf, or leave"),
        ({"ENCODING": "avro", "KEY_COLUMNS": ("bike",)}, "KEY_COLUMNS needs KEY_ENCODING"),
        ({"ENCODING": "avro", "KEY_ENCODING": "avro", "KEY_COLUMNS": "bike"}, "KEY_COLUMNS is no tuple of names"),
        ({"ENCODING": "avro", "KEY_ENCODING": "avro", "KEY_COLUMNS": ("x",)}, "KEY_COLUMNS names x, which is not in"),
        ({"ENCODING": "thrift"}, "ENCODING is 'thrift'; take one of avro, protobuf"),
        ({"ENCODING": "protobuf", "READER_SCHEMA": "{}"}, "READER_SCHEMA is for Avro"),
        ({"ENCODING": "avro", "READER_SCHEMA": "{}"}, "READER_SCHEMA: it is no schema of Avro"),
        ({"ENCODING": "avro", "READER_SCHEMA": 5}, "READER_SCHEMA: it is no text"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(Mistake, match=said):
        encoded_topic(SimpleNamespace(TOPIC="rides", KEY=None, EVENT_TIME=None, COLUMNS=rides.COLUMNS, **more))


def test_without_the_libraries_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fastavro", None)
    topic = SimpleNamespace(TOPIC="rides", KEY=None, EVENT_TIME=None, COLUMNS=rides.COLUMNS, ENCODING="avro")
    with pytest.raises(Mistake, match=r"pip install 'headrace\[registry\]'"):
        encoded_topic(topic)
