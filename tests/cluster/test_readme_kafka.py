"""The README's lines about Kafka do what they say, word for word, after its tutorial and its demo."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from jobs.admin import demo_flights
from jobs.admin.class_archive import sample_departures
from jobs.log.archive import writer
from jobs.log.kafka import producer
from jobs.running.kafka_access import Kafka
from tests.cluster.broker import Broker
from tests.cluster.keeping import delete, make_anew, settings
from tests.cluster.test_kafka_commands import consumed
from tests.test_readme import HOURS, TUTORIAL, blocks, hours, project, section, shell, zipped

__all__ = ["project"]

PLACES = "conf/kafka.toml"
DAY = datetime(2013, 12, 24, tzinfo=UTC)
"""What the README replays: this day, without the next."""
SPAN = timedelta(minutes=3)
"""Between the day's first departure and its last: three seconds of the replay."""


def departures() -> pd.DataFrame:
    """Departures of the day, its first moment and all within SPAN; before them some of the evening before, after them
    some of the next day from its first moment on.
    """
    before = [DAY - timedelta(seconds=20 - n) for n in range(20)]
    on_it = [DAY + n / 199 * SPAN for n in range(200)]
    after = [DAY + timedelta(days=1, seconds=n) for n in range(30)]
    frame = sample_departures(250)
    frame["scheduled_time"] = frame["departure_time"] = pd.DatetimeIndex([*before, *on_it, *after]).floor("ms")
    return frame


def content(messages: list[Any]) -> list[tuple[Any, ...]]:
    return [(each.partition(), each.key(), each.value(), each.timestamp()[1]) for each in messages]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_lines_about_kafka_do_what_they_say(project: Path, tmp_path: Path, broker: Broker) -> None:
    places = project / PLACES
    assert "127.0.0.1:9092" in places.read_text()
    places.write_text(places.read_text().replace("127.0.0.1:9092", broker.servers))
    for name, _, text in blocks(section(TUTORIAL)):
        if name:
            (project / name).write_text(text)
    zipped(project)
    writer.append(
        f"{project}/data/archive", "departures", 4, demo_flights.records(sample_departures(5))
    )  # the demo was run before
    producer.append(
        Kafka(servers=broker.servers), make_anew(broker, "departures", 4), 4, demo_flights.records(departures())
    )
    delete(broker, "trips", "departures_again")
    ran, said, seconds = shell(project, tmp_path), {}, {}
    for _, language, text in blocks(section("The log in Kafka")):
        for line in text.splitlines() if language == "sh" else ():
            begun = time.monotonic()
            said[line] = ran("bash", "-c", line)
            seconds[line] = time.monotonic() - begun
    assert [line.split()[:2] for line in said if line.endswith(f" --places {PLACES}")] == [
        *(["headrace", word] for word in ("produce", "log", "read")), ["spark-submit", "--properties-file"],
        ["headrace", "status"], ["spark-submit", "--properties-file"],
        *(["headrace", word] for word in ("audit", "replay")),
    ]  # fmt: skip
    produced, shown, read, _, status, copied, audited, replayed = said.values()
    check_trips(project, broker, produced, shown, read, status)
    assert "done: 250 records, " in copied
    assert "every offset is there once" in audited
    check_replay(broker, replayed, seconds[list(said)[-1]])


def check_trips(project: Path, broker: Broker, produced: str, shown: str, read: str, status: str) -> None:
    trips = (project / "trips.ndjson").read_text().splitlines()
    assert produced.startswith("trips: 8 records into ")
    there = consumed(broker, "trips", 4)
    assert sorted(each.value().decode() for each in there) == sorted(trips)
    assert settings(broker, "trips")["retention.ms"] == "-1"
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if line.startswith("│")]
    assert sum(int(row[3]) for row in rows if row[0]) == 8
    assert [json.loads(line)["value"] for line in read.splitlines()] == [each.value().decode() for each in there[:3]]
    assert hours(project / "data" / "kafka" / "tables" / "trip_duration_v1") == HOURS
    assert "wrong_type" in status and "duration_minutes" in status


def check_replay(broker: Broker, said: str, seconds: float) -> None:
    mine = [each for each in consumed(broker, "departures", 4) if DAY <= moment(each) < DAY + timedelta(days=1)]
    assert len(mine) == 200
    assert content(consumed(broker, "departures_again", 4)) == content(mine)
    assert said.startswith("departures_again: 200 records into ")
    found = settings(broker, "departures_again")
    assert (found["retention.ms"], found["retention.bytes"]) == ("-1", "-1")
    assert seconds >= SPAN.total_seconds() / 60


def moment(message: Any) -> datetime:
    return datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
