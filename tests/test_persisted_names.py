"""What a result stores keeps its names: tables, columns, steps and kinds, definitions, sketches, checkpoints, locks.

The literals here are what results on disk have. A change that turns one of these tests red makes them unreadable, or
lets a batch be written twice.
"""

import hashlib
import json
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyspark
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import (
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs import run
from jobs.answers.result import Reads, Result
from jobs.answers.windows import CalendarDay, Hopping, Tumbling, Windows
from jobs.decisions.membership import Membership
from jobs.events import fast_decoder
from jobs.facts.panes import Panes
from jobs.keeping import microbatch
from jobs.keeping.definition import fingerprint
from jobs.keeping.requeue import requeue
from jobs.log.archive import retention, writer
from sketches import hyperloglog
from sketches.bloom import BloomFilter, Size
from tests import delta, delta_log
from tests.altered import altered
from tests.jobs.keeping import readings
from tests.jobs.keeping.world import UntilTheEnd
from tests.jobs.steps import once_at

LONGER_THAN_PUBLISH_EVERY = 1.1
START = datetime(2024, 5, 1, 8, tzinfo=UTC)


def topic(reading: Any, site_required: bool = True) -> Any:
    columns = [
        StructField("taken_time", TimestampType(), False),
        StructField("site", StringType(), not site_required),
        StructField("reading", reading, True),
        StructField("level", DoubleType(), True),
        StructField("amount", DecimalType(38, 2), True),
    ]
    return SimpleNamespace(TOPIC="readings", KEY="device", EVENT_TIME="taken_time", COLUMNS=StructType(columns))


def placed(readings: DataFrame) -> DataFrame:
    names = ("record_partition", "record_offset", "record_key", "event_time", "site", "reading", "level", "amount")
    return readings.select(*names)


STORED = Result(
    "stored_v1",
    Reads(topic(IntegerType()), placed, decide=Membership("2 days", bucket="1 day", expected_keys=10)),
    Windows(
        Panes(
            "30 minutes", ("site",), averages=("reading", "amount"), uniques=("site",), counts=("seen_before",), lg_k=4
        ),
        Tumbling("1 hour"),
        Hopping("1 hour", every="30 minutes", uniques=False),
        CalendarDay("Europe/Berlin"),
    ),
    publish_every="1 second",
)
WIDER = altered(STORED, topic=topic(LongType()))
ROWS = Result("rows_v1", Reads(topic(LongType(), False), placed, decide=Membership("2 days", expected_keys=10)))


def write(places: run.Places, *some: dict[str, Any]) -> None:
    times = [START + timedelta(minutes=minute) for minute in range(len(some))]
    made = [
        json.dumps({"taken_time": f"{taken:%Y-%m-%dT%H:%M:%SZ}", "site": "north"} | reading).encode()
        for taken, reading in zip(times, some, strict=True)
    ]
    columns = [
        pa.array([b"d"] * len(some), pa.binary()),
        pa.array(made, pa.binary()),
        pa.array(times, pa.timestamp("us", "UTC")),
    ]
    writer.append(places.archive, "readings", 1, [pa.record_batch(columns, ["key", "value", "timestamp"])])


@pytest.fixture(scope="module")
def stored(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> run.Places:
    """STORED after all that may happen to a result: a continuous run, lost records, a lost checkpoint, a requeue in
    wider types. ROWS after one run.
    """
    folder = tmp_path_factory.mktemp("stored")
    places = run.Places(archive=f"{folder}/archive", tables=f"{folder}/tables", checkpoints=f"{folder}/checkpoints")
    write(places, {"reading": 1}, {"reading": 3_000_000_000}, {"site": None})
    pause = once_at("after quarantine", lambda: time.sleep(LONGER_THAN_PUBLISH_EVERY))
    once = run.Run(spark, places, accept_loss=True, say=lambda _: None)
    microbatch.keep(UntilTheEnd(spark, places, continuous="1 second", step=pause, say=once.say), STORED)
    microbatch.keep(once, ROWS)
    shutil.copytree(places.checkpoints, f"{folder}/first")
    write(places, {"reading": 4}, {"reading": 5}, {"reading": 6})
    retention.remove(places.archive, "readings", {0: 4})
    (Path(places.checkpoints) / "stored_v1" / "generation-00001" / "metadata").unlink()
    microbatch.keep(once, STORED)
    requeue(once, WIDER)
    return places


def table(places: run.Places, name: str) -> Path:
    return Path(places.tables) / name


def ledger_rows(places: run.Places, name: str) -> list[dict[str, Any]]:
    return sorted(delta.rows(table(places, name)), key=lambda row: row["sequence"])


def test_folders_and_files(stored: run.Places) -> None:
    kinds = ("filters", "stragglers", "quarantine", "ledger")
    names = {"stored_v1", "stored_v1_panes", *(f"stored_v1_{kind}" for kind in kinds)}
    names |= {"rows_v1", *(f"rows_v1_{kind}" for kind in kinds)}
    assert {folder.name for folder in Path(stored.tables).iterdir()} == names
    checkpoints = Path(stored.checkpoints)
    locks = {f"{name}.{which}" for name in ("stored_v1", "rows_v1") for which in ("lock", "java.lock")}
    assert {found.name for found in checkpoints.iterdir()} == {"stored_v1", "rows_v1"} | locks
    assert {found.name for found in (checkpoints / "stored_v1").iterdir()} == {
        "generation-00001.aside-1",
        "generation-00002",
    }
    assert json.loads((table(stored, "rows_v1_ledger") / "_last_run.json").read_text())["end"] == "done"
    planned = Path(f"{stored.checkpoints}/../first/stored_v1/generation-00001/offsets/0").read_text().splitlines()
    assert json.loads(planned[2]) == {"0": 3}


def said(step: str, generation: str, sequence: int, start: int, end: int, **more: str) -> dict[str, Any]:
    """The userMetadata of a commit of STORED."""
    starts = {} if sequence == 2 else {"0": start}
    found = {"job": "stored_v1", "generation": generation, "sequence": sequence, "step": step}
    return found | {"start_offsets": starts, "end_offsets": {"0": end}} | more


def test_commits_say_which_step_of_which_row_they_are(stored: run.Places) -> None:
    wide = ("widen", "widen-7", 7, 6, 6)
    again = ("requeue-8", 8, 6, 6)
    reading = {"reading": fingerprint.schema_fingerprint(STORED.topic)}
    found = {name: delta_log.metadata(table(stored, f"stored_v1{name}")) for name in ("", "_panes", "_filters")}
    assert found == {
        "": [
            {"step": "create"},
            said("windows", "1", 2, 0, 3, **reading),
            said("publish", "2", 6, 6, 6, **reading),
            said(*wide),
            said("windows", *again),
        ],
        "_panes": [
            {"step": "create"},
            said("panes", "1", 2, 0, 3, **reading),
            said("panes", "2", 5, 4, 6, **reading),
            said(*wide),
            said("panes", *again),
        ],
        "_filters": [
            {"step": "create"},
            said("filters", "1", 2, 0, 3, **reading),
            said("filters", "2", 5, 4, 6, **reading),
        ],
    }
    assert delta_log.metadata(table(stored, "stored_v1_quarantine")) == [
        {"step": "create"},
        said("quarantine", "1", 2, 0, 3, **reading),
        said("quarantine", *again),
    ]
    assert [one["step"] for one in delta_log.metadata(table(stored, "rows_v1"))] == ["create", "rows"]
    assert all(not any(delta_log.transactions(table(stored, f"stored_v1{name}"))) for name in found)


def test_the_ledger(stored: run.Places) -> None:
    rows = ledger_rows(stored, "stored_v1_ledger")
    kinds = [(row["sequence"], row["kind"], row["generation"], row["batch_id"]) for row in rows]
    assert kinds == [
        (1, "start", 1, -1),
        (2, "batch", 1, 0),
        (3, "gap", 1, 0),
        (4, "start", 2, -1),
        (5, "batch", 2, 0),
        (6, "publish", 2, 0),
        (7, "widen", 2, 0),
        (8, "requeue", 2, 0),
    ]
    assert {row["log_home"] for row in rows[1:]} == {"archive"} and {row["topic_id"] for row in rows} == {""}
    parts = ("panes", "filters", "stragglers", "quarantine")
    names = {"stored_v1", *(f"stored_v1_{part}" for part in parts)}
    assert all({name for name, _ in row["tables"]} == names for row in rows)
    commits = delta_log.metadata(table(stored, "stored_v1_ledger"))
    assert [(one["step"], one.get("sequence")) for one in commits] == [
        ("create", None),
        *(("ledger", row["sequence"]) for row in rows),
    ]
    assert delta_log.transactions(table(stored, "stored_v1_ledger")) == [
        {},
        *({"stored_v1:ledger": row["sequence"]} for row in rows),
    ]


def test_the_definition_in_the_ledger(stored: run.Places) -> None:
    row = ledger_rows(stored, "stored_v1_ledger")[1]
    assert dict(row["definition"]) == {
        "topic": "readings",
        "key": "device",
        "event_time": "taken_time",
        "panes": "{'every': '30 minutes', 'by': ('site',), 'averages': ('reading', 'amount'), "
        "'uniques': ('site',), 'counts': ('seen_before',), 'lg_k': 4}",
        "windows": "tumbling 1 hour; hopping 1 hour every 30 minutes without uniques; day Europe/Berlin",
        "membership": "{'horizon': '2 days', 'expected_keys': 10}",
        "allowed_lateness": "1 hour",
        "rules": "2",
        "columns": "amount decimal(38,2), reading int, site string, taken_time timestamp",
    }
    assert row["transform"].startswith("2:") and row["spark_version"] == pyspark.__version__
    [kept] = [dict(one["definition"]) for one in ledger_rows(stored, "rows_v1_ledger") if one["kind"] == "batch"]
    assert (kept["panes"], kept["windows"]) == ("None", "")


EMPTY = {"topic": "readings", "event_time": "taken_time", "membership": "None", "rules": "2"}


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (
            readings.PANES,
            EMPTY
            | {
                "key": "device",
                "panes": "{'every': '30 minutes', 'by': ('site',), 'averages': ('reading', 'level'), "
                "'uniques': ('device',), 'counts': ('ok',)}",
                "windows": "tumbling 1 hour; hopping 1 hour every 30 minutes; day America/New_York",
                "allowed_lateness": "2 hours",
            },
        ),
        (
            altered(
                readings.SEEN,
                topic=SimpleNamespace(
                    TOPIC="other",
                    KEY=None,
                    EVENT_TIME="at",
                    EVENT_TIME_UNIT="seconds",
                    COLUMNS=StructType([StructField("at", LongType(), False)]),
                ),
            ),
            EMPTY
            | {
                "topic": "other",
                "key": "None",
                "event_time": "at (seconds)",
                "panes": "None",
                "windows": "",
                "membership": "{'horizon': '1 day', 'bucket': '12 hours', 'expected_keys': 5000, "
                "'false_positive_rate': 1e-06}",
                "allowed_lateness": "6 hours",
            },
        ),
    ],
    ids=["panes", "membership"],
)
def test_definitions(result: Result, text: dict[str, str]) -> None:
    assert result.definition() == text


COUNTS = "map<integer, long>"
LEDGER = {
    "sequence": "long",
    "kind": "string",
    "generation": "long",
    "log_home": "string",
    "topic_id": "string",
    "batch_id": "long",
    "start_offsets": COUNTS,
    "end_offsets": COUNTS,
    "records": "long",
    "quarantined": "long",
    "out_of_order": "long",
    "late": "long",
    "dropped": "long",
    "lateness_p50_seconds": "double",
    "lateness_p99_seconds": "double",
    "lateness_max_seconds": "double",
    "lateness_sketch": "binary",
    "stream_time": "map<integer, timestamp>",
    "record_time": "timestamp",
    "filter_fill": "double",
    "filter_false_positive_rate": "double",
    "complete_time": "timestamp",
    "reopened": "long",
    "until_time": "timestamp",
    "expired_stream_time": "timestamp",
    "further_topics": f"map<string, struct<topic_id string, start_offsets {COUNTS}, end_offsets {COUNTS}, "
    "stream_time map<integer, timestamp>>>",
    "published_sequence": "long",
    "transactions": "map<string, struct<commit long, ended long, offset long, waiting_sequence long, waiting long>>",
    "published_complete_time": "timestamp",
    "open_sequence": "long",
    "delivered_sequence": "map<string, long>",
    "tables": "map<string, struct<id string, version long>>",
    "definition": "map<string, string>",
    "transform": "string",
    "spark_version": "string",
    "notes": "array<string>",
    "started_time": "timestamp",
    "committed_time": "timestamp",
}
STRAGGLERS = {
    "topic": "string",
    "partition": "integer",
    "offset": "long",
    "event_time": "timestamp",
    "stream_time": "timestamp",
    "lateness_seconds": "double",
    "done": "string",
    "sequence": "long",
}
QUARANTINE = {
    "topic": "string",
    "partition": "integer",
    "offset": "long",
    "timestamp": "timestamp",
    "timestampType": "integer",
    "key": "binary",
    "value": "binary",
    "headers": "array<struct<key string, value binary>>",
    "reason": "string",
    "field": "string",
    "sequence": "long",
    "requeued_sequence": "long",
}
FILTERS = {
    "partition": "integer",
    "bucket_time": "timestamp",
    "bits": "binary",
    "fill": "double",
    "false_positive_rate": "double",
    "stream_time": "timestamp",
    "sequence": "long",
}
PANES = {
    "pane_start": "timestamp",
    "site": "string",
    "records": "long",
    "reading_count": "long",
    "reading_sum": "decimal(30,0)",
    "reading_min": "long",
    "reading_max": "long",
    "amount_count": "long",
    "amount_sum": "decimal(38,2)",
    "amount_sum_beyond": "string",
    "amount_min": "decimal(38,2)",
    "amount_max": "decimal(38,2)",
    "site_sketch": "binary",
    "seen_before_count": "long",
    "sequence": "long",
}
"""In the types of WIDER."""
WINDOWS = {
    "window_kind": "string",
    "window_start": "timestamp",
    "window_end": "timestamp",
    "site": "string",
    "records": "long",
    "reading_mean": "double",
    "reading_min": "long",
    "reading_max": "long",
    "amount_mean": "double",
    "amount_min": "decimal(38,2)",
    "amount_max": "decimal(38,2)",
    "site_estimate": "long",
    "site_standard_error": "double",
    "site_sketch": "binary",
    "seen_before_count": "long",
    "lg_k": "integer",
    "due_time": "timestamp",
    "final": "boolean",
    "revision": "integer",
    "updated_time": "timestamp",
}
ROW_COLUMNS = {
    "record_partition": "integer",
    "record_offset": "long",
    "record_key": "binary",
    "event_time": "timestamp",
    "site": "string",
    "reading": "long",
    "level": "double",
    "amount": "decimal(38,2)",
    "seen_before": "boolean",
    "sequence": "long",
}


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("stored_v1", WINDOWS),
        ("stored_v1_panes", PANES),
        ("stored_v1_ledger", LEDGER),
        ("stored_v1_quarantine", QUARANTINE),
        ("stored_v1_stragglers", STRAGGLERS),
        ("stored_v1_filters", FILTERS),
        ("rows_v1", ROW_COLUMNS),
    ],
)
def test_columns(stored: run.Places, name: str, columns: dict[str, str]) -> None:
    assert delta_log.columns(table(stored, name)) == columns


def test_table_properties(stored: run.Places) -> None:
    every = {"delta.checkpointInterval": "20"}
    short = {"delta.deletedFileRetentionDuration": "interval 1 hours", "delta.logRetentionDuration": "interval 1 days"}
    for name, settings, folders in [
        ("stored_v1", every, []),
        ("stored_v1_panes", every, []),
        ("stored_v1_quarantine", every, []),
        ("stored_v1_ledger", every | short, []),
        ("stored_v1_filters", every | short, ["bucket_time", "partition"]),
    ]:
        found = delta_log.definition(table(stored, name))
        assert (found["configuration"], found["partitionColumns"]) == (settings, folders), name


def test_reasons_and_labels(stored: run.Places) -> None:
    found = delta.rows(table(stored, "stored_v1_quarantine"))
    assert {(row["reason"], row["field"]) for row in found} == {("wrong_type", "reading"), ("missing_field", "site")}
    labels = {row["window_kind"] for row in delta.rows(table(stored, "stored_v1"))}
    assert labels == {"tumbling 1 hour", "hopping 1 hour every 30 minutes", "day Europe/Berlin"}


@pytest.mark.skipif(pyspark.__version__ != "4.2.0", reason="Spark writes its plans anew in each version")
def test_fingerprints_of_transforms(spark: SparkSession) -> None:
    """What is stored today: the ledger compares it in each run under the same version of Spark."""
    found = [
        fingerprint.transform_meaning(spark, result, fast_decoder.event_columns(result.topic))
        for result in (STORED, readings.PANES)
    ]
    assert [one.fingerprint for one in found] == [
        "2:b85a1d4bc3e42755c3614e6bd9456199e1729f3665cbb89407653f8dd8930ca5",
        "2:6d2919393a19f34cd0c7bba84faec6f4589358da00601a19fa79f610827007c3",
    ]


def test_the_fingerprint_of_a_schema_file() -> None:
    said = "EVENT_TIME 'at'\nKEY None\nTOPIC 'other'\nat bigint False\nnote string True"
    schema = StructType([StructField("at", LongType(), False), StructField("note", StringType(), True)])
    found = fingerprint.schema_fingerprint(SimpleNamespace(TOPIC="other", KEY=None, EVENT_TIME="at", COLUMNS=schema))
    assert found == hashlib.sha256(said.encode()).hexdigest()[:16]


def test_bloom_filters() -> None:
    """The bytes are those of version 0.2.0."""
    filled = BloomFilter(Size(64, 3))
    filled.add(np.array([1, -2, 2**40], np.int64))
    assert filled.to_bytes().hex() == "4852534b0101030040000000000000000206010042019000e343b893"


def test_sketches() -> None:
    """The bytes are those of version 0.2.0: few values, many, both merged. It left out the empty text, the last one."""
    few, many = hyperloglog.sketch_of(["north", "south", None], 4), hyperloglog.sketch_of(range(20), 4)
    assert few.hex() == "02010704030002082497e3053c8c730b" + 24 * "00"
    registers = "00000000000000000500000000000000" + "04010101030103000100000202000700"
    assert many.hex() == "0a0107040000000a0bb66a5349cc32400000000000a42040" + registers
    assert hyperloglog.merge([few, many]).hex() == "0a0107040010000a00000000000000000000000000a42040" + registers
    assert hyperloglog.sketch_of([""], 4).hex() == "0201070403000108c8a0220c" + 28 * "00"
