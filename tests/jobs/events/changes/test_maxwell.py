"""What a record of Maxwell's becomes. The records are those of its documentation, pages "Data format" and
"Bootstrapping"; no Maxwell has run here.
"""

import json
from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import (
    DateType,
    DecimalType,
    DoubleType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.events import gate
from jobs.events.changes.change_topic import change_topic
from jobs.events.changes.maxwell import MAXWELL, Maxwell
from tests.jobs.events.changes.records import TIME, plain
from tests.jobs.facts.readings_as_json import records
from tests.jobs.facts.two_decoders import same

INSERT: dict[str, Any] = {
    "database": "test",
    "table": "e",
    "type": "insert",
    "ts": 1477053217,
    "xid": 23396,
    "commit": True,
    "position": "master.000006:800911",
    "server_id": 23042,
    "thread_id": 108,
    "data": {"id": 1, "m": 4.2341, "c": "2016-10-21 05:33:37.523000", "comment": "I am a creature of light."},
}
UPDATE = INSERT | {
    "type": "update",
    "ts": 1477053234,
    "position": "master.000006:801300",
    "data": {"id": 1, "m": 5.444, "c": "2016-10-21 05:33:54.631000", "comment": "I am a creature of light."},
    "old": {"m": 4.2341, "c": "2016-10-21 05:33:37.523000"},
}
DELETE = UPDATE | {"type": "delete", "position": "master.000007:154"}
ALTER = {
    "type": "table-alter",
    "database": "test",
    "table": "e",
    "old": {"columns": []},
    "def": {},
    "ts": 1477053308000,
    "sql": "alter table test.e add column torvalds bigint unsigned after m",
    "position": "master.000006:804398",
}
E = StructType(
    [
        StructField("id", LongType(), False),
        StructField("m", DoubleType()),
        StructField("c", TimestampType()),
        StructField("comment", StringType()),
    ]
)
FILE = 6 << 32
LAST = 2**11 - 1


def one(record: Any, form: Maxwell = MAXWELL, columns: StructType = E) -> Any:
    [made] = plain(form, columns, [(b'{"database":"test","table":"e","pk.id":1}', record)])
    return made


def test_the_records_of_the_documentation() -> None:
    source = {"change_source": "test"}
    in_utc = {"c": "2016-10-21T05:33:37.523000Z"}
    assert one(INSERT) == INSERT["data"] | in_utc | source | {
        "change_lsn": (FILE + 800911) * 2048 + LAST,
        "change_op": "insert",
        "change_time": "2016-10-21T12:33:37.000000Z",
        "change_commit": FILE + 800911,
    }
    assert one(UPDATE) == UPDATE["data"] | {"c": "2016-10-21T05:33:54.631000Z"} | source | {
        "change_lsn": (FILE + 801300) * 2048 + LAST,
        "change_op": "update",
        "change_time": "2016-10-21T12:33:54.000000Z",
        "change_commit": FILE + 801300,
    }
    assert one(DELETE)["change_op"] == "delete" and one(DELETE)["change_commit"] == (7 << 32) + 154
    for nothing in (ALTER, None):
        assert one(nothing) == {"change_op": "none", "change_time": TIME}


def test_a_bootstrap() -> None:
    """Its rows are older than any change, unless they tell their place."""
    text = StructType([StructField("txt", StringType(), False)])
    start = {"database": "fooDB", "table": "barTable", "type": "bootstrap-start", "ts": 1450557744, "data": {}}
    row = start | {"type": "bootstrap-insert", "data": {"txt": "hello"}}
    made = [one(each, columns=text) for each in (start, row, start | {"type": "bootstrap-complete"})]
    assert [each["change_op"] for each in made] == ["none", "snapshot", "none"]
    assert (made[1]["txt"], made[1]["change_commit"], made[1]["change_lsn"]) == ("hello", 0, 0)
    assert one(row | {"position": "master.000006:99"}, columns=text)["change_commit"] == FILE + 99


def test_the_order_is_that_of_the_binary_log() -> None:
    """Of a file after another, of places in one, of rows in one place; the last row of a transaction has no xoffset."""
    open_transaction = {name: value for name, value in INSERT.items() if name != "commit"}
    records = [
        open_transaction | {"position": "binlog.000009:999", "xoffset": 4},
        open_transaction | {"position": "binlog.000010:200"},
        open_transaction | {"position": "binlog.000010:200", "xoffset": 1},
        open_transaction | {"position": "binlog.000010:200", "xoffset": 2},
        open_transaction | {"position": "binlog.000010:200", "commit": True},
        open_transaction | {"position": "binlog.000010:1000"},
    ]
    places = [(made["change_commit"], made["change_lsn"]) for made in map(one, records)]
    assert places == sorted(set(places)) and len({lsn for _, lsn in places}) == len(places)
    largest = one(INSERT | {"position": f"binlog.{2**20 - 1}:{2**32 - 1}"})
    assert largest["change_lsn"] == 2**63 - 1, "it is a bigint"


def test_a_changed_key_names_the_one_before() -> None:
    moved = UPDATE | {"old": {"id": 7, "m": 1.0}}
    assert one(moved)["change_old"] == '{"id":7}'
    assert "change_old" not in one(UPDATE)
    both = StructType([StructField("id", LongType(), False), StructField("comment", StringType(), False)])
    made = one(moved, columns=both)
    assert made["change_old"] in (
        '{"id":7,"comment":"I am a creature of light."}',
        '{"comment":"I am a creature of light.","id":7}',
    )


def test_several_tables_in_one_topic() -> None:
    assert one(INSERT, Maxwell(table="test.e"))["change_op"] == "insert"
    assert one(INSERT, Maxwell(table="test.f")) == {"change_op": "none", "change_time": TIME}
    assert [MAXWELL.name, Maxwell(table="test.e").name] == ["maxwell", "maxwell table=test.e"]


def test_a_document_in_a_text_column() -> None:
    made = one(INSERT | {"data": {"id": 1, "comment": {"a": [1, 2.50]}, "more": 1}})
    assert made["comment"] == '{"a": [1, 2.5]}'  # as json.dumps has written it
    assert "more" not in made


def test_its_values_are_read(spark: SparkSession) -> None:
    """A time has a blank and no zone, a decimal is a number; MySQL has a day zero, which no table has."""
    extended = StructType([*E, StructField("day", DateType()), StructField("price", DecimalType(10, 2))])
    topic = change_topic(SimpleNamespace(TOPIC="e", COLUMNS=extended, MAX_AHEAD=None), MAXWELL)
    data = INSERT["data"]
    all_data = [data | {"day": "2016-10-21", "price": 12.50}, data | {"c": "0000-00-00 00:00:00"}]
    values = [(b"k", json.dumps(INSERT | {"data": one}).encode()) for one in all_data]
    [certain] = same(spark, values[:1], topic)
    assert certain["c"] == "2016-10-21 05:33:37.523" and certain["m"] == 4.2341
    assert (certain["day"], certain["price"]) == (date(2016, 10, 21), Decimal("12.50"))
    faults = gate.decode(records(spark, values), topic).select("__fault.*").collect()
    assert [tuple(fault) for fault in faults] == [(None, None), ("wrong_type", "c")]


@pytest.mark.parametrize(
    "record",
    [
        {name: value for name, value in INSERT.items() if name != "position"},
        INSERT | {"position": "somewhere"},
        INSERT | {"position": f"binlog.{2**20}:4"},
        INSERT | {"data": {"m": 1.0}},
        INSERT | {"type": "upsert"},
        {"id": 1},
        b"no JSON",
    ],
)
def test_what_is_no_change(record: Any) -> None:
    assert one(record) is None
