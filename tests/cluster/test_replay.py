"""The past comes again: the same records in the same partitions and order, as fast as asked."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from jobs import run
from jobs.log import home, replay
from jobs.log.archive import writer
from jobs.log.kafka import records
from jobs.running.errors import Refused
from tests.cluster.broker import Broker
from tests.cluster.keeping import make, settings
from tests.jobs.admin import command
from tests.jobs.keeping import readings

RECORDS = readings.log(seed=3, each=30)
FOREVER = {"retention.ms": "-1", "retention.bytes": "-1"}


@pytest.fixture
def places(kafka_places: Path) -> run.Places:
    """With an archive that has the topic `past`."""
    found = run.places(kafka_places)
    writer.append(found.archive, "past", 3, [readings.batch(RECORDS[:40]), readings.batch(RECORDS[40:])])
    return found


def content(table: pa.Table) -> list[tuple[object, ...]]:
    return [tuple(row[name] for name in ("key", "value", "timestamp", "headers")) for row in table.to_pylist()]


def kept(places: run.Places, topic: str, part: int) -> list[tuple[object, ...]]:
    assert places.kafka
    return content(records.records(places.kafka, topic, part, 0, 1000))


def archived(places: run.Places, part: int) -> list[tuple[object, ...]]:
    from_archive = places.model_copy(update={"log": "archive"})
    return content(home.records(from_archive, "past", part, 0, 1000))


def test_all_of_the_past_into_a_topic_that_is_made_for_it_and_keeps_it(
    broker: Broker, places: run.Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.run("replay", "past", "--into", "again", "--places", str(tmp_path / "kafka.toml")) == 0
    assert "; the topic is new and keeps its records forever" in capsys.readouterr().out
    assert FOREVER.items() <= settings(broker, "again").items()
    for part in range(3):
        assert kept(places, "again", part) == archived(places, part) != []


def test_from_a_time_to_an_offset(broker: Broker, places: run.Places, tmp_path: Path) -> None:
    make(broker, "again-cut", 3)
    since = sorted(record.timestamp for record in RECORDS)[len(RECORDS) // 2]
    span = ["--from", since.isoformat(), "--to", "25"]
    places_file = str(tmp_path / "kafka.toml")
    assert command.run("replay", "past", *span, "--into", "again-cut", "--places", places_file) == 0
    for part in range(3):
        mine = [record for record in RECORDS if record.partition == part]
        first = min((record.offset for record in mine if record.timestamp >= since), default=len(mine))
        assert kept(places, "again-cut", part) == archived(places, part)[first:25]


def test_records_come_when_they_are_due(places: run.Places) -> None:
    starts, ends = replay.span(places, "past", None, None)
    begun = min(record.timestamp for record in RECORDS)
    length = max(record.timestamp for record in RECORDS) - begun
    speed = length / timedelta(seconds=2)
    started, offsets = time.monotonic(), {0: -1, 1: -1, 2: -1}
    for batch in replay.records(places, "past", starts, ends, speed):
        passed = (time.monotonic() - started) * speed
        for row in batch.to_pylist():
            assert (row["timestamp"] - begun).total_seconds() <= passed  # never early
            assert row["offset"] == offsets[row["partition"]] + 1
            offsets[row["partition"]] = row["offset"]
    assert offsets == {part: 29 for part in range(3)}
    assert time.monotonic() - started >= 2


def test_readers_do_not_see_records_twice_by_mistake(broker: Broker, places: run.Places, tmp_path: Path) -> None:
    make(broker, "past", 3)
    arguments = ["replay", "past", "--places", str(tmp_path / "kafka.toml")]
    assert command.run(*arguments) == 0
    assert kept(places, "past", 0) == archived(places, 0)
    assert command.run(*arguments) == 1
    assert kept(places, "past", 0) == archived(places, 0)


def test_records_older_than_the_topic_keeps_are_refused_before_one_is_sent_and_sent_after_the_remedy(
    broker: Broker,
    kafka_places: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: Callable[[str], None],
) -> None:
    places = run.places(kafka_places)
    make(broker, "short", 1, retention_ms="86400000", retention_bytes="1000000000")
    now = datetime.now(UTC).replace(microsecond=0)
    young, old = (RECORDS[0]._replace(timestamp=now - timedelta(hours=hours)) for hours in (1, 25))
    for record in (young, old, young):  # each comes to the producer by itself
        writer.append(places.archive, "mixed", 1, [readings.batch([record])])
    line = ["replay", "mixed", "--into", "short", "--places", str(kafka_places)]
    assert command.run(*line) == 1
    said = capsys.readouterr().err
    assert "topic short keeps records for 1.0 days after their timestamp" in said and "0 records are in Kafka" in said
    assert kept(places, "short", 0) == []
    assert command.run(*line, "--from", "2") == 0, "the old one is not among them"
    assert len(kept(places, "short", 0)) == 1
    typed(said)
    assert command.run(*line) == 0
    assert "forever" not in capsys.readouterr().out
    assert settings(broker, "short")["retention.bytes"] == "1000000000", "it is not the topic's maker"
    assert [time for _, _, time, _ in kept(places, "short", 0)] == [
        each.timestamp for each in (young, young, old, young)
    ]


@pytest.mark.parametrize(("point", "said"), [("yesterday", "number is an offset"), ("2025-05-05T08:00:00", "zone")])
def test_a_point_that_is_none_is_told(places: run.Places, point: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        replay.span(places, "past", point, None)
