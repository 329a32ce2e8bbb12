"""The commands that fill and show the log, with Kafka as its home."""

import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from confluent_kafka import Producer

import schemas
from jobs import run
from jobs.admin import findings, standing
from jobs.admin.input import records
from jobs.keeping import ledger
from jobs.lake import delta_tables
from jobs.log.archive import snapshot, writer
from jobs.log.kafka import home, topics
from jobs.log.kafka import producer as kafka_producer
from schemas import quarantine
from tests.cluster.broker import Broker
from tests.cluster.keeping import consumed, exists, make, settings
from tests.jobs.admin import command
from tests.jobs.keeping import readings

KEYS = [f"key-{number}" for number in range(200)]


def test_the_same_key_lands_in_the_same_partition_in_both_homes_and_by_kafkas_own_partitioner(
    broker: Broker, kafka_places: Path
) -> None:
    places = run.places(kafka_places)
    assert places.kafka
    ours, theirs = make(broker, "ours", 5), make(broker, "theirs", 5)
    now = datetime.now(UTC).replace(microsecond=0)
    headers = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
    batch = pa.record_batch(
        {
            "key": pa.array([key.encode() for key in KEYS] + [None] * 7, pa.binary()),
            "value": pa.array([b"v"] * 206 + [None], pa.binary()),
            "timestamp": pa.array([now + timedelta(seconds=n) for n in range(207)], pa.timestamp("us", "UTC")),
            "headers": pa.array([[{"key": "from", "value": b"here"}]] + [None] * 206, headers),
        }
    )
    done = kafka_producer.append(places.kafka, ours, None, [batch])
    assert (done.records, sum(after - first for first, after in done.ranges.values())) == (207, 207)
    writer.append(places.archive, ours, 5, [batch])
    producer = Producer({"bootstrap.servers": broker.servers, "partitioner": "murmur2_random", "log_level": 0})
    for key in KEYS:
        producer.produce(theirs, b"v", key)
    producer.flush()
    mine = consumed(broker, ours, 5)
    by_kafka = {m.key(): m.partition() for m in consumed(broker, theirs, 5)}
    assert {m.key(): m.partition() for m in mine if m.key()} == by_kafka
    kept = [row for p in range(5) for row in snapshot.records(places.archive, ours, p, 0, 1000).to_pylist()]
    assert [(r["partition"], r["offset"], r["key"], r["value"]) for r in kept] == [
        (m.partition(), m.offset(), m.key(), m.value()) for m in mine
    ]
    assert [int(r["timestamp"].timestamp() * 1000) for r in kept] == [m.timestamp()[1] for m in mine]
    assert [[tuple(h.values()) for h in r["headers"]] for r in kept if r["headers"]] == [
        m.headers() for m in mine if m.headers()
    ]


def test_produce_log_read_and_status(
    broker: Broker, kafka_places: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ("--places", str(kafka_places))
    values = [json.dumps({"who": f"w{n}", "n": n}) for n in range(20)]
    (tmp_path / "some.ndjson").write_text("\n".join(values))
    assert command.run("produce", "said", str(tmp_path / "some.ndjson"), "--key", "who", "--partitions", "2", *at) == 0
    assert "20 records into 2 partitions of 127.0.0.1" in capsys.readouterr().out
    assert command.run("read", "said", "--limit", "100", *at) == 0
    read = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(row["value"] for row in read) == sorted(values)
    sizes = [sum(row["partition"] == part for row in read) for part in (0, 1)]
    assert command.run("log", "said", *at) == 0
    shown = capsys.readouterr().out
    assert all(f"│ {size - 1} " in shown for size in sizes)
    make(broker, "unfilled", 3, retention_ms=str(3 * 86_400_000), cleanup_policy="compact,delete")
    assert command.run("log", "--json", *at) == 0
    listed = {row["topic"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    ends = {str(part): size for part, size in enumerate(sizes)}
    assert {name: listed["said"][name] for name in ("home", "records", "end_offsets")} == {
        "home": "kafka", "records": 20, "end_offsets": ends,
    }  # fmt: skip
    times = sorted(row["timestamp"] for row in read)
    spans = [datetime.fromisoformat(listed["said"][name]) for name in ("first_time", "last_time")]
    assert spans == [datetime.fromisoformat(time) for time in (times[0], times[-1])]
    unfilled = [listed["unfilled"][name] for name in ("records", "first_time", "retention_ms", "is_compacted")]
    assert unfilled == [0, None, 3 * 86_400_000, True]
    assert command.run("log", *at) == 0
    assert "3.0 d, last of each key" in capsys.readouterr().out
    assert command.run("produce", "said", str(tmp_path / "some.ndjson"), "--partitions", "3", *at) == 1
    assert "has 2 partitions, not 3" in capsys.readouterr().err
    assert command.run("read", "unsaid", *at) == 1
    assert "did you mean said?" in capsys.readouterr().err


def test_a_record_beyond_the_calendar_hides_nothing_from_who_looks(
    broker: Broker, kafka_places: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ("--places", str(kafka_places))
    places = run.places(kafka_places)
    day_ms = 86_400_000
    topic = make(broker, "absurd", 1, message_timestamp_after_max_ms=str(2**63 - 1), retention_ms=str(day_ms))
    producer = Producer({"bootstrap.servers": broker.servers, "log_level": 0})
    for value, milliseconds in ((b"beyond", 9 * 10**18), (b"now", int(datetime.now(UTC).timestamp() * 1000))):
        producer.produce(topic, value, b"k", 0, timestamp=milliseconds)
    producer.flush()
    last = "9999-12-31T23:59:59.999999"
    assert command.run("log", "--json", *at) == 0
    listed = {row["topic"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert (listed[topic]["records"], listed[topic]["last_time"]) == (2, f"{last}+00:00")
    assert command.run("log", topic, "--json", *at) == 0
    assert json.loads(capsys.readouterr().out)["first_time"] == f"{last}+00:00"
    assert command.run("read", topic, *at) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["value"] for row in shown] == ["beyond", "now"]
    assert shown[0]["timestamp"] == f"{last}Z" > shown[1]["timestamp"]
    assert home.retention_deadline(places, topic, {0: 0}) == datetime.fromisoformat(f"{last}+00:00")


OLD = [json.dumps({"who": f"w{n}", "at": f"2025-05-05T08:00:{n:02}Z"}) for n in range(20)]


def test_old_records_are_refused_without_a_trace_and_kept_in_a_topic_that_is_made_for_them(
    broker: Broker, kafka_places: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], typed: Callable[[str], None]
) -> None:
    (tmp_path / "old.ndjson").write_text("\n".join(OLD))
    line = ["produce", "old", str(tmp_path / "old.ndjson"), "--timestamp", "at", "--places", str(kafka_places)]
    for more in ([], ["--retention", "2 days"]):
        assert command.run(*line, *more) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "--retention forever" in said
        assert f"keeps records for {2 if more else 7}.0 days" in said
        assert not exists(broker, "old")
    assert command.run(*line, "--retention", "forever") == 0
    found = settings(broker, "old")
    assert (found["retention.ms"], found["retention.bytes"]) == ("-1", "-1")
    assert len(consumed(broker, "old", 4)) == 20
    capsys.readouterr()
    assert command.run(*line, "--retention", "3 days") == 1
    typed(capsys.readouterr().err)
    assert settings(broker, "old")["retention.ms"] == str(3 * 86_400_000)
    assert command.run(*line, "--retention", "3 days") == 1
    assert "topic old keeps records for 3.0 days after their timestamp" in capsys.readouterr().err


def test_one_old_record_far_behind_refuses_the_files_before_one_is_sent_but_not_what_is_read_once(
    broker: Broker,
    kafka_places: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(records, "BATCH_RECORDS", 4)
    now = datetime.now(UTC)
    values = [json.dumps({"who": f"w{n}", "at": now.isoformat()}) for n in range(10)]
    (tmp_path / "young.ndjson").write_text("\n".join(values))
    (tmp_path / "old.ndjson").write_text(OLD[0])
    files = [str(tmp_path / f"{name}.ndjson") for name in ("young", "old")]
    more = ["--timestamp", "at", "--partitions", "1", "--places", str(kafka_places)]
    assert command.run("produce", "far", *files, *more) == 1
    assert not exists(broker, "far")
    make(broker, "far", 1, retention_ms="86400000")
    assert command.run("produce", "far", *files, *more) == 1
    assert "0 records are in Kafka" in capsys.readouterr().err
    stream = io.TextIOWrapper(io.BytesIO("\n".join([*values, OLD[0]]).encode()))
    monkeypatch.setattr("sys.stdin", stream)
    assert command.run("produce", "far", *more) == 1
    assert "8 records are in Kafka" in capsys.readouterr().err
    assert len(consumed(broker, "far", 1)) == 8


def test_a_topic_that_takes_no_old_timestamps_says_why(
    broker: Broker, kafka_places: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(broker, "young-alone", 1, message_timestamp_before_max_ms="3600000")
    (tmp_path / "old.ndjson").write_text("\n".join(OLD))
    line = ["produce", "young-alone", str(tmp_path / "old.ndjson"), "--timestamp", "at"]
    assert command.run(*line, "--places", str(kafka_places)) == 1
    said = capsys.readouterr().err
    assert "topic young-alone: 0 records are in Kafka" in said and "message.timestamp.before.max.ms" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--retention", "soon"], '--retention: "soon" is not a duration'),
        (["--retention", "-1"], "or forever."),
    ],
)
def test_a_retention_that_makes_no_sense(
    kafka_places: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert command.run("produce", "senseless", "/dev/null", *words, "--places", str(kafka_places)) == 1
    assert said in capsys.readouterr().err


def test_status_shows_the_lag_and_when_unread_records_are_deleted_and_doctor_how_to_keep_them(
    broker: Broker, kafka_places: Path, monkeypatch: pytest.MonkeyPatch, typed: Callable[[str], None]
) -> None:
    places = run.places(kafka_places)
    assert places.kafka
    week = timedelta(days=7)
    topic = make(broker, "lagging", 3, retention_ms=str(week // timedelta(milliseconds=1)))
    now = datetime.now(UTC).replace(microsecond=0)
    records = [r._replace(timestamp=now + timedelta(minutes=n)) for n, r in enumerate(readings.log(each=4))]
    kafka_producer.append(places.kafka, topic, 3, [readings.batch(records)])
    ledger.create(places, "lagging_v1")
    delta_tables.create(places.table("lagging_v1_quarantine"), quarantine.COLUMNS, (), "Bad records.")
    topic_id = topics.require(places.kafka, topic).id
    first = ledger.Row(1, "start", 1, -1, log_home="kafka", topic_id=topic_id, definition={"topic": topic})
    ledger.write(places, "lagging_v1", first)
    oldest = min(r.timestamp for r in records if (r.partition, r.offset) in {(0, 3), (1, 0), (2, 0)})
    read = first.next("batch", batch_id=0, records=3, end_offsets={0: 3, 1: 0, 2: 0}, record_time=records[2].timestamp)
    ledger.write(places, "lagging_v1", read)
    found = standing.read(places, "lagging_v1")
    assert isinstance(found, standing.Facts)
    assert (found.lag.records, found.lag.seconds, found.lag.deleted_time) == (9, 540.0, oldest + week)
    monkeypatch.setattr(findings, "SOON", timedelta(days=8))
    [said] = findings._log(places, "lagging_v1", read)
    assert f"from {oldest + week:%Y-%m-%d %H:%M} UTC on" in said.what
    typed(said.remedy)
    assert settings(broker, topic)["retention.ms"] == "-1"
    assert list(findings._log(places, "lagging_v1", read)) == []


def test_lateness_is_measured_in_kafka_as_in_the_archive(
    kafka_places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "more_schemas").mkdir()
    (tmp_path / "more_schemas" / "beat.py").write_text(
        "from pyspark.sql.types import StringType, StructField, StructType, TimestampType\n"
        'TOPIC, KEY, EVENT_TIME = "beats", None, "at"\n'
        'COLUMNS = StructType([StructField("at", TimestampType(), False), StructField("who", StringType(), True)])\n'
    )
    monkeypatch.setattr(schemas, "__path__", [*schemas.__path__, str(tmp_path / "more_schemas")])
    seconds = [0, 100, 40, 300, 0, 300]  # 60 and 300 behind
    beats = [json.dumps({"at": f"2025-05-05T08:{n // 60:02}:{n % 60:02}Z", "who": f"w{n % 3}"}) for n in seconds]
    (tmp_path / "beats.ndjson").write_text("\n".join([*beats, "garbage"]))
    at = ("--places", str(kafka_places))
    assert command.run("produce", "beats", str(tmp_path / "beats.ndjson"), "--keep-bad", "--partitions", "1", *at) == 0
    capsys.readouterr()
    assert command.run("lateness", "beats", "--by", "who", *at) == 0
    shown = capsys.readouterr().out
    sys.modules.pop("schemas.beat", None)
    partition = next(line for line in shown.splitlines() if line.startswith("│ 0 "))
    assert [cell.strip() for cell in partition.split("│")[1:-1]] == [
        *("0", "6", "2", "0 s", "5.0 min", "5.0 min", "5.0 min", "5.0 min"),
        *("0", "0 s"),
    ]
    assert "5 minutes keeps 100.00 % of 6 records; none would be late" in shown
    assert "left out: 1 of 7 records" in shown
    assert command.run("lateness", "silent", *at) == 1
    assert "there is no topic silent" in capsys.readouterr().err
