"""The lines of docs/kafka.md do what they say, word for word, after the tutorial and the demo.

Commands are typed in this process, and jobs run in the Spark of the tests: the tutorial tests that spark-submit takes
such a line.
"""

import importlib.util
import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession

import schemas
from jobs import kafka_archive, run
from jobs.admin import demo_flights
from jobs.admin.class_archive import sample_departures
from jobs.log.archive import writer
from jobs.log.kafka import producer
from jobs.running.kafka_access import Kafka
from tests.cluster.broker import Broker
from tests.cluster.keeping import consumed, delete, make_anew, settings
from tests.jobs.admin import command
from tests.pages import HOURS, TUTORIAL, blocks, commands, hours, page

PAGE, PLACES = "docs/kafka.md", "conf/kafka.toml"
DAY = datetime(2013, 12, 24, tzinfo=UTC)
"""What the page replays: this day, without the next."""
SPAN = timedelta(minutes=3)
"""Between the day's first departure and its last: three seconds of the replay."""
SUBMIT = ["spark-submit", "--properties-file", "conf/spark-local.conf", "--py-files", "dist/headrace.zip"]


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


@pytest.fixture
def folder(tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory, with the places file and what the tutorial writes."""
    for name in ("conf", "jobs", "schemas"):
        (tmp_path / name).mkdir()
    assert "127.0.0.1:9092" in page(PLACES)
    (tmp_path / PLACES).write_text(page(PLACES).replace("127.0.0.1:9092", broker.servers))
    for file, _, text in blocks(page(TUTORIAL)):
        if file:
            (tmp_path / file).write_text(text)
    monkeypatch.setattr(schemas, "__path__", [*schemas.__path__, str(tmp_path / "schemas")])
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("schemas.trip", None)


@pytest.fixture
def type_line(spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Runs a line of the page: what it says."""

    def submitted(line: list[str]) -> None:
        assert line[: len(SUBMIT)] == SUBMIT
        file, *arguments = line[len(SUBMIT) :]
        topics = Path(file).stem == kafka_archive.__name__.rpartition(".")[2]
        given = run.parser(topics).parse_args(arguments)
        main = kafka_archive.main if topics else loaded(Path(file)).main
        progress, named = run.Progress(), tuple(given.topics) if topics else ()
        main(run.Run(spark, run.places(given.places), topics=named, closed=progress.count))
        progress.end("done")

    def run_line(line: str) -> str:
        words = shlex.split(line)
        if words[0] == "headrace":
            assert command.run(*words[1:]) == 0
        else:
            submitted(words)
        captured = capsys.readouterr()
        return captured.out + captured.err

    return run_line


def loaded(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_lines_about_kafka_do_what_they_say(folder: Path, broker: Broker, type_line: Callable[[str], str]) -> None:
    writer.append(
        f"{folder}/data/archive", "departures", 4, demo_flights.records(sample_departures(5))
    )  # the demo was run before
    producer.append(
        Kafka(servers=broker.servers), make_anew(broker, "departures", 4), 4, demo_flights.records(departures())
    )
    delete(broker, "trips", "departures_again")
    output, seconds = {}, {}
    for line in commands(page(PAGE)):
        begun = time.monotonic()
        output[line] = type_line(line)
        seconds[line] = time.monotonic() - begun
    assert [line.split()[:2] for line in output if line.endswith(f" --places {PLACES}")] == [
        *(["headrace", word] for word in ("produce", "log", "read")), SUBMIT[:2], ["headrace", "status"], SUBMIT[:2],
        *(["headrace", word] for word in ("audit", "replay")),
    ]  # fmt: skip
    produced, shown, read, _, status, copied, audited, replayed = output.values()
    check_trips(folder, broker, produced, shown, read, status)
    assert "done: 250 records, " in copied
    assert "every offset is there once" in audited
    check_replay(broker, replayed, seconds[list(output)[-1]])


def check_trips(folder: Path, broker: Broker, produced: str, shown: str, read: str, status: str) -> None:
    trips = (folder / "trips.ndjson").read_text().splitlines()
    assert produced.startswith("trips: 8 records into ")
    there = consumed(broker, "trips", 4)
    assert sorted(each.value().decode() for each in there) == sorted(trips)
    assert settings(broker, "trips")["retention.ms"] == "-1"
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if line.startswith("│")]
    assert sum(int(row[3]) for row in rows if row[0]) == 8
    assert [json.loads(line)["value"] for line in read.splitlines()] == [each.value().decode() for each in there[:3]]
    assert hours(folder / "data" / "kafka" / "tables" / "trip_duration_v1") == HOURS
    assert "wrong_type" in status and "duration_minutes" in status


def check_replay(broker: Broker, output: str, seconds: float) -> None:
    mine = [each for each in consumed(broker, "departures", 4) if DAY <= moment(each) < DAY + timedelta(days=1)]
    assert len(mine) == 200
    assert content(consumed(broker, "departures_again", 4)) == content(mine)
    assert output.startswith("departures_again: 200 records into ")
    found = settings(broker, "departures_again")
    assert (found["retention.ms"], found["retention.bytes"]) == ("-1", "-1")
    assert seconds >= SPAN.total_seconds() / 60


def moment(message: Any) -> datetime:
    return datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
