"""The archive of a topic in Kafka has each committed record once, whatever happens; the audit sees what is not so."""

import signal
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import NewPartitions
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs import kafka_archive, run
from jobs.log import home
from jobs.log.archive import file_writer, transaction, writer
from jobs.log.audit import audit
from jobs.log.kafka import producer
from jobs.running.errors import Refused
from jobs.running.stop import Stop
from tests.cluster.broker import Broker
from tests.cluster.keeping import keep, make, named, send
from tests.jobs.admin import command
from tests.jobs.keeping import readings
from tests.jobs.steps import Stopped, stopping_at

RECORDS = readings.log(seed=5, each=20)


@pytest.fixture
def places(kafka_places: Path) -> run.Places:
    return run.places(kafka_places)


def copy(spark: SparkSession, places: run.Places, *topics: str, **more: Any) -> list[str]:
    """Run the job on the topics; what it said."""
    said: list[str] = []
    kafka_archive.main(run.Run(spark, places, topics=topics, say=said.append, **more))
    return said


def everything(places: run.Places, topic: str) -> list[dict[str, Any]]:
    """All records of a topic in the home of the log, by partition and offset."""
    parts = home.topic(places, topic).ends
    return [row for part in sorted(parts) for row in home.records(places, topic, part, 0, 10_000).to_pylist()]


def in_archive(places: run.Places) -> run.Places:
    return places.model_copy(update={"log": "archive"})


def test_the_copy_is_the_topic_in_portions_with_headers_and_both_kinds_of_timestamps(
    spark: SparkSession, broker: Broker, places: run.Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["jobs.log.kafka_to_archive"], "FILE_RECORDS", 7)
    stamped = make(broker, "copied-stamped", 1, message_timestamp_type="LogAppendTime")
    topic = make(broker, "copied")
    assert places.kafka
    batch = readings.batch(RECORDS)
    headers = [[{"key": "trace", "value": b"\x00\xff"}] if n % 3 == 0 else None for n in range(batch.num_rows)]
    both = batch.append_column("headers", pa.array(headers, file_writer.SCHEMA.field("headers").type))
    for portion in (both.slice(0, 25), both.slice(25)):
        producer.append(places.kafka, topic, 3, [portion])
        copy(spark, places, topic)
    send(broker, stamped, 0, 3)
    copy(spark, places, topic, stamped)
    assert everything(in_archive(places), topic) == everything(places, topic)
    assert len(everything(places, topic)) == len(RECORDS)
    kinds = [row["timestampType"] for row in everything(in_archive(places), stamped)]
    assert kinds == [1, 1, 1] and everything(in_archive(places), stamped) == everything(places, stamped)
    assert "copied: 0 records copied" in copy(spark, places, topic)[0]
    assert all(one.whole and not one.explained for one in audit(places, topic))


def test_what_it_says_at_its_end_is_what_it_has_done(
    spark: SparkSession, broker: Broker, places: run.Places, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = make(broker, "copied-and-told", 2)
    for partition, count in ((0, 5), (1, 8), (0, 0)):
        if count:
            send(broker, topic, partition, count)
        progress = run.Progress()
        copy(spark, places, topic, closed=progress.count)
        progress.end("done")
        last = capsys.readouterr().err.splitlines()[-1].partition(" INFO ")[2]
        assert last.startswith(f"done: {count} records, " if count else "done: nothing new in the log")


@pytest.mark.parametrize("where", ["after copy", "after commit"])
def test_a_run_that_is_stopped_copies_nothing_twice(
    spark: SparkSession, broker: Broker, places: run.Places, where: str
) -> None:
    topic = make(broker, f"stopped-{where.replace(' ', '-')}", 1)
    send(broker, topic, 0, 9)
    with pytest.raises(Stopped):
        copy(spark, places, topic, step=stopping_at(where))
    copy(spark, places, topic)
    assert everything(in_archive(places), topic) == everything(places, topic)
    assert [(one.records, one.whole) for one in audit(places, topic)] == [(9, True)]


def test_a_run_that_is_asked_to_stop_ends_between_two_commits(
    spark: SparkSession, broker: Broker, places: run.Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["jobs.log.kafka_to_archive"], "FILE_RECORDS", 4)
    topic, stop = make(broker, "asked-to-stop", 1), Stop()
    send(broker, topic, 0, 9)
    copy(spark, places, topic, stop=stop, continuous="1 hour", closed=lambda *_: stop.ask(signal.SIGTERM))
    assert stop.is_obeyed and len(everything(in_archive(places), topic)) == 4
    copy(spark, places, topic)
    assert everything(in_archive(places), topic) == everything(places, topic)


def test_a_job_goes_on_from_the_copy_where_it_stopped_in_kafka(
    spark: SparkSession, broker: Broker, places: run.Places
) -> None:
    topic = make(broker, "moved")
    assert places.kafka
    producer.append(places.kafka, topic, 3, [readings.batch(RECORDS[:30])])
    keep(spark, places, named(readings.PANES, topic))
    producer.append(places.kafka, topic, 3, [readings.batch(RECORDS[30:])])
    copy(spark, places, topic)
    row, _ = keep(spark, in_archive(places), named(readings.PANES, topic))
    assert sum(row.end_offsets.values()) == len(RECORDS)
    assert row.log_home == "archive"


def test_transactions_leave_gaps_that_the_audit_explains_also_when_kafka_forgot_them(
    spark: SparkSession, broker: Broker, places: run.Places
) -> None:
    topic = make(broker, "audited-transactions", 1)
    send(broker, topic, 0, 4, **{"transactional.id": "t1"}).commit_transaction()  # offsets 0 to 3, marker 4
    send(broker, topic, 0, 3, **{"transactional.id": "t2"}).abort_transaction()  # offsets 5 to 7, marker 8
    copy(spark, places, topic)
    send(broker, topic, 0, 2, **{"transactional.id": "t3"}).commit_transaction()  # offsets 9 and 10, marker 11
    copy(spark, places, topic)
    (one,) = audit(places, topic)
    assert (one.records, one.end, one.whole) == (6, 12, True)
    assert one.explained == {"of aborted transactions": 3, "transaction markers, or compacted by Kafka": 3}
    next(iter(broker.admin().delete_records([TopicPartition(topic, 0, 12)]).values())).result()
    (one,) = audit(places, topic)
    assert one.whole and one.explained == {"no committed record when it was read": 6}


def test_a_file_that_is_gone_from_the_archive_is_missing_and_a_doubled_one_is_told(
    spark: SparkSession, broker: Broker, places: run.Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = make(broker, "damaged", 1)
    for count in (5, 6, 7):
        send(broker, topic, 0, count)
        copy(spark, places, topic)
    table = DeltaTable(places.archive)
    table.delete("topic = 'damaged' and offset >= 5 and offset < 11")
    assert audit(places, topic)[0].in_kafka == [(5, 11)]
    assert audit(in_archive(places).model_copy(update={"kafka": None}), topic)[0].missing == [(5, 11)]
    DeltaTable(places.archive).restore(table.version() - 1)
    assert audit(places, topic)[0].whole
    rows = DeltaTable(places.archive).to_pyarrow_dataset().to_table().filter(pc.field("offset") < 2)
    pq.write_table(rows.drop_columns(["topic", "partition"]), tmp_path / "twice.parquet")
    doubled(places, topic, tmp_path / "twice.parquet")
    assert audit(places, topic)[0].doubles == [(0, 2)]
    assert command.run("audit", topic, "--places", str(tmp_path / "kafka.toml")) == 1
    assert "damaged, partition 0: offsets 0 to 1 stand more than once" in capsys.readouterr().out


def doubled(places: run.Places, topic: str, file: Path) -> None:
    """Add the first two records once more, as a faulty tool would."""
    there = Path(places.archive) / f"topic={topic}" / "partition=0" / "twice.parquet"
    there.write_bytes(file.read_bytes())
    path = str(there.relative_to(places.archive))
    written = file_writer.NewFile(path, 0, 0, 2, 2, 0, 2**50, there.stat().st_size)
    transaction.commit_files(DeltaTable(places.archive), topic, [written], {}, {})


def test_a_topic_that_is_made_again_is_refused(spark: SparkSession, broker: Broker, places: run.Places) -> None:
    topic = make(broker, "copied-again", 1)
    send(broker, topic, 0, 3)
    copy(spark, places, topic)
    next(iter(broker.admin().delete_topics([topic]).values())).result()
    send(broker, make(broker, topic, 1), 0, 8)
    with pytest.raises(Refused, match="records of another topic copied-again"):
        copy(spark, places, topic)


def test_what_retention_took_is_refused_and_its_gap_is_marked_when_the_loss_is_accepted(
    spark: SparkSession, broker: Broker, places: run.Places
) -> None:
    topic = make(broker, "copied-late", 1)
    send(broker, topic, 0, 4)
    next(iter(broker.admin().delete_records([TopicPartition(topic, 0, 2)]).values())).result()
    copy(spark, places, topic)  # begins at 2: nothing was lost that it had to keep
    send(broker, topic, 0, 6)
    next(iter(broker.admin().delete_records([TopicPartition(topic, 0, 7)]).values())).result()
    with pytest.raises(Refused, match=r"partition 0, offsets 4 to 6.*--accept-loss"):
        copy(spark, places, topic)
    copy(spark, places, topic, accept_loss=True)
    (one,) = audit(places, topic)
    assert (one.start, one.records, one.explained, one.whole) == (2, 5, {"lost, and accepted": 3}, True)


def test_new_partitions_are_copied_and_nobody_else_may_produce_into_the_copy(
    spark: SparkSession, broker: Broker, places: run.Places
) -> None:
    topic = make(broker, "copied-wider", 1)
    send(broker, topic, 0, 3)
    copy(spark, places, topic)
    next(iter(broker.admin().create_partitions([NewPartitions(topic, 3)]).values())).result()
    send(broker, topic, 2, 4)
    copy(spark, places, topic)
    assert everything(in_archive(places), topic) == everything(places, topic)
    with pytest.raises(Refused, match="is a copy of Kafka's"):
        writer.append(places.archive, topic, None, [readings.batch(RECORDS[:1])])


def test_it_is_refused_without_kafka_and_over_records_of_others(
    spark: SparkSession, broker: Broker, places: run.Places
) -> None:
    with pytest.raises(Refused, match='must say log = "kafka"'):
        copy(spark, in_archive(places), "any")
    topic = make(broker, "copied-over", 1)
    writer.append(places.archive, topic, 1, [readings.batch(RECORDS[:1])])
    with pytest.raises(Refused, match="records of another topic copied-over"):
        copy(spark, places, topic)
