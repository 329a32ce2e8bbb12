"""What Kafka may do to a topic under a job: each has one outcome, and nothing is lost without a word."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, ResourceType
from pyspark.sql import SparkSession

from jobs import run
from jobs.admin import findings
from jobs.log.archive import writer
from jobs.running.errors import Refused
from tests import delta
from tests.cluster.broker import Broker
from tests.cluster.keeping import AT_WORK, START, counted, counts, keep, keep_running, make, send
from tests.jobs.keeping import readings
from tests.jobs.steps import Stopped, once_at, stopping_at


@pytest.fixture
def places(kafka_places: Path) -> run.Places:
    return run.places(kafka_places)


def doctor(places: run.Places) -> list[str]:
    """What somebody has to mend, as `headrace doctor` says it, beside that a run failed."""
    found = [each for each in findings.examine(places, "counted_v1") if "the last run" not in each.what]
    return [finding.what + finding.remedy for finding in found if finding.wrong]


def test_a_topic_that_is_deleted_and_made_again_is_refused_also_with_more_records(
    spark: SparkSession, broker: Broker, places: run.Places
) -> None:
    topic = make(broker, "made-again", 1)
    send(broker, topic, 0, 10)
    keep(spark, places, counted(topic))
    next(iter(broker.admin().delete_topics([topic]).values())).result()
    make(broker, topic, 1)
    send(broker, topic, 0, 25)
    with pytest.raises(Refused, match="made-again is not the one that counted_v1 has read"):
        keep(spark, places, counted(topic))
    assert len(doctor(places)) == 1 and "made-again is not the one that counted_v1 has read" in doctor(places)[0]
    assert counts(places) == {"a": 10}


def test_a_topic_that_is_made_again_while_a_job_runs_is_noticed_before_its_records_are_written(
    spark: SparkSession, broker: Broker, places: run.Places
) -> None:
    topic = make(broker, "made-again-meanwhile", 1)
    send(broker, topic, 0, 10)

    def make_again() -> None:
        next(iter(broker.admin().delete_topics([topic]).values())).result()
        send(broker, make(broker, topic, 1), 0, 25, "other")

    with pytest.raises(Refused, match=f"{topic} was deleted, or deleted and made again, while counted_v1 was reading"):
        keep_running(spark, places, topic, once_at(AT_WORK, make_again))
    assert {row["site"] for row in delta.rows(places.table("counted_v1_panes"))} == {"a"}
    assert len(doctor(places)) == 1 and f"{topic} is not the one that counted_v1 has read" in doctor(places)[0]


def test_partitions_that_are_added_while_a_job_runs_are_read_by_it(
    spark: SparkSession, broker: Broker, places: run.Places
) -> None:
    topic = make(broker, "grown-meanwhile", 1)
    send(broker, topic, 0, 3)

    def grow() -> None:
        next(iter(broker.admin().create_partitions([NewPartitions(topic, 3)]).values())).result()
        for partition in range(3):
            send(broker, topic, partition, 4)

    row = keep_running(spark, places, topic, once_at(AT_WORK, grow))
    assert (row.end_offsets, row.generation) == ({0: 7, 1: 4, 2: 4}, 1)
    assert counts(places) == {"a": 15}
    told = [note for row in delta.rows(places.table("counted_v1_ledger")) for note in row["notes"] or ()]
    assert [note.partition(":")[0] for note in told] == ["topic grown-meanwhile has got partitions 1, 2"]


def test_records_that_retention_took_are_refused_and_their_gap_is_written_when_the_loss_is_accepted(
    spark: SparkSession, broker: Broker, places: run.Places
) -> None:
    topic = make(broker, "retained", 2)
    send(broker, topic, 0, 10)
    send(broker, topic, 1, 4)
    keep(spark, places, counted(topic))
    send(broker, topic, 0, 20)
    next(iter(broker.admin().delete_records([TopicPartition(topic, 0, 17)]).values())).result()
    with pytest.raises(Refused, match=r"partition 0, offsets 10 to 16.*--accept-loss"):
        keep(spark, places, counted(topic))
    assert len(doctor(places)) == 1 and "offsets 10 to 16" in doctor(places)[0] and "--accept-loss" in doctor(places)[0]
    assert counts(places) == {"a": 14}
    _, said = keep(spark, places, counted(topic), accept_loss=True)
    assert counts(places) == {"a": 14 + 13}
    gaps = [row for row in delta.rows(places.table("counted_v1_ledger")) if row["kind"] == "gap"]
    assert [dict(row["start_offsets"])[0] for row in gaps] == [10]
    assert [dict(row["end_offsets"])[0] for row in gaps] == [17]
    assert any("lost, and accepted" in line for line in said)
    assert doctor(places) == []


@pytest.mark.parametrize("which", ["all", "a-checkpoint"])
def test_retention_may_take_what_the_first_batch_was_to_read_when_it_was_killed(
    spark: SparkSession, broker: Broker, places: run.Places, which: str
) -> None:
    topic = make(broker, f"retained-from-the-first-of-{which}", 1)
    read = 0
    if which == "a-checkpoint":
        read = 10
        send(broker, topic, 0, read)
        keep(spark, places, counted(topic))
        shutil.rmtree(places.checkpoints)

    send(broker, topic, 0, 20)
    with pytest.raises(Stopped):
        keep(spark, places, counted(topic), step=stopping_at("before panes"))
    next(iter(broker.admin().delete_records([TopicPartition(topic, 0, read + 7)]).values())).result()
    if read:
        with pytest.raises(Refused, match=r"partition 0, offsets 10 to 16.*--accept-loss"):
            keep(spark, places, counted(topic))
    keep(spark, places, counted(topic), accept_loss=bool(read))
    assert counts(places) == {"a": read + 13}


def test_a_run_may_start_elsewhere_than_the_one_that_was_killed_in_its_first_batch(
    spark: SparkSession, broker: Broker, places: run.Places
) -> None:
    topic = make(broker, "start-after-a-kill", 1)
    send(broker, topic, 0, 10)
    with pytest.raises(Stopped):
        keep(spark, places, counted(topic), step=stopping_at("after panes"))
    keep(spark, places, counted(topic), start="latest")
    send(broker, topic, 0, 3)
    keep(spark, places, counted(topic))
    assert counts(places) == {"a": 3}


@pytest.mark.parametrize("after", ["a kill", "a batch"])
def test_where_the_first_batch_begins_may_be_garbled_in_the_checkpoint(
    spark: SparkSession, broker: Broker, places: run.Places, after: str
) -> None:
    topic = make(broker, f"garbled-after-{after.replace(' ', '-')}", 1)
    send(broker, topic, 0, 10)
    with suppress(Stopped):
        keep(spark, places, counted(topic), step=stopping_at("after panes" if after == "a kill" else None))
    [noted] = Path(places.checkpoints).glob("counted_v1/generation-*/sources/0/0")
    noted.write_bytes(noted.read_bytes()[:9])
    (noted.parent / ".0.crc").unlink(missing_ok=True)
    send(broker, topic, 0, 3)
    keep(spark, places, counted(topic))
    assert counts(places) == {"a": 13}


def test_an_aborted_transaction_counts_for_nothing_and_a_committed_one_for_all(
    spark: SparkSession, broker: Broker, places: run.Places
) -> None:
    topic = make(broker, "transactions", 1)
    send(broker, topic, 0, 3, "aborted", **{"transactional.id": "one"}).abort_transaction(30)
    send(broker, topic, 0, 5, "committed", **{"transactional.id": "two"}).commit_transaction(30)
    keep(spark, places, counted(topic))
    assert counts(places) == {"committed": 5}


def test_records_behind_an_open_transaction_wait_for_its_end_and_doctor_says_so_and_how_to_end_it(
    spark: SparkSession, broker: Broker, places: run.Places, typed: Callable[[str], None]
) -> None:
    topic = make(broker, "open-transaction", 1)
    send(broker, topic, 0, 2, "before")
    held = send(broker, topic, 0, 3, "held", **{"transactional.id": "slow"})
    send(broker, topic, 0, 4, "behind")
    row, _ = keep(spark, places, counted(topic))
    assert (counts(places), row.end_offsets) == ({"before": 2}, {0: 2})
    [said] = doctor(places)
    assert "in partition 0 of topic open-transaction from offset 2 on" in said and "7 offsets wait" in said
    assert f"{START:%Y-%m-%d %H:%M} UTC" in said and "abort --topic open-transaction --partition 0" in said
    held.commit_transaction(30)
    keep(spark, places, counted(topic))
    assert counts(places) == {"before": 2, "held": 3, "behind": 4}
    assert doctor(places) == []
    left = send(broker, topic, 0, 3, "left", **{"transactional.id": "gone"})
    send(broker, topic, 0, 1, "after")
    [said] = doctor(places)
    typed(said)
    del left
    keep(spark, places, counted(topic))
    assert counts(places) == {"before": 2, "held": 3, "behind": 4, "after": 1}


def test_partitions_that_are_added_are_read_from_their_first_record(
    spark: SparkSession, broker: Broker, places: run.Places
) -> None:
    topic = make(broker, "grown", 1)
    send(broker, topic, 0, 3)
    keep(spark, places, counted(topic))
    next(iter(broker.admin().create_partitions([NewPartitions(topic, 3)]).values())).result()
    for partition in range(3):
        send(broker, topic, partition, 4)
    row, said = keep(spark, places, counted(topic))
    assert counts(places) == {"a": 15}
    assert row.end_offsets == {0: 7, 1: 4, 2: 4}
    assert any("has got partitions 1, 2: keys that have moved" in line for line in said)
    _, said = keep(spark, places, counted(topic))
    assert not any("has got partitions" in line for line in said)


def test_a_topic_that_takes_any_timestamp_is_refused_until_it_is_bound(
    spark: SparkSession, broker: Broker, places: run.Places, typed: Callable[[str], None]
) -> None:
    topic = make(broker, "any-time", 1, message_timestamp_after_max_ms=str(2**63 - 1))
    send(broker, topic, 0, 1)
    with pytest.raises(Refused, match=r"message\.timestamp\.after\.max\.ms") as refused:
        keep(spark, places, counted(topic))
    typed(str(refused.value))
    keep(spark, places, counted(topic))
    assert counts(places) == {"a": 1}


def test_an_absurd_timestamp_that_is_in_the_topic_already_is_told_with_its_remedy(
    spark: SparkSession, broker: Broker, places: run.Places, typed: Callable[[str], None]
) -> None:
    topic = make(broker, "any-time-before", 1, message_timestamp_after_max_ms=str(2**63 - 1))
    send(broker, topic, 0, 3)
    producer = Producer({"bootstrap.servers": broker.servers, "log_level": 0})
    producer.produce(topic, b"secret", b"d", 0, timestamp=9 * 10**18)
    producer.flush()
    bound = ConfigEntry("message.timestamp.after.max.ms", "3600000", incremental_operation=AlterConfigOpType.SET)
    altered = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[bound])
    next(iter(broker.admin().incremental_alter_configs([altered]).values())).result()
    send(broker, topic, 0, 2)
    with pytest.raises(Exception) as failed:
        keep(spark, places, counted(topic))
    said = run.explain(failed.value, places.kafka)
    assert "timestamp beyond the calendar" in said and "secret" not in said and "\n" not in said
    assert f"topic {topic} partition 0 offset 3" in said
    typed(said)
    keep(spark, places, counted(topic), accept_loss=True)
    assert counts(places) == {"a": 2}


@pytest.mark.parametrize(
    ("start", "count"),
    [("latest", 0), ("2024-05-01T08:06:00Z", 4), ('{"NAME": {"0": 7}}', 3), ("earliest", 10)],
    ids=["latest", "time", "offset", "earliest"],
)
def test_a_first_run_may_start_elsewhere(
    spark: SparkSession, broker: Broker, places: run.Places, start: str, count: int, request: Any
) -> None:
    topic = make(broker, f"start-{request.node.callspec.id}", 1)
    send(broker, topic, 0, 10)
    keep(spark, places, counted(topic), start=start.replace("NAME", topic))
    send(broker, topic, 0, 2)
    _, said = keep(spark, places, counted(topic), start=start.replace("NAME", topic))
    assert counts(places) == {"a": count + 2}
    assert any("--start counts in the first run" in line for line in said)


def test_tables_of_another_log_are_not_continued(spark: SparkSession, broker: Broker, places: run.Places) -> None:
    topic = make(broker, "elsewhere", 1)
    send(broker, topic, 0, 10)
    writer.append(places.archive, topic, 1, [readings.batch(readings.log(each=5)[:5])])
    keep(spark, places.model_copy(update={"log": "archive"}), counted(topic))
    assert len(doctor(places)) == 1 and "archive before, kafka now" in doctor(places)[0]
    with pytest.raises(Refused, match="archive before, kafka now"):
        keep(spark, places, counted(topic))


def test_a_topic_that_is_not_there_is_named(spark: SparkSession, places: run.Places) -> None:
    with pytest.raises(Refused, match="there is no topic nowhere"):
        keep(spark, places, counted("nowhere"))
