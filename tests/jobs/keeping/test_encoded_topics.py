"""A result of a topic in Avro or Protobuf is that of the same data in JSON; a registry that is away ends the run."""

import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from pyspark.sql import DataFrame, SparkSession

import schemas
from jobs import keeping, run
from jobs.admin import exact_counts, remedies
from jobs.answers.result import Reads, Result
from jobs.answers.windows import Tumbling, Windows
from jobs.facts.panes import Panes
from jobs.keeping import requeue
from jobs.log.archive import writer
from jobs.running.errors import Refused
from jobs.running.registry_access import SchemaRegistry
from tests import delta, registry_server
from tests.jobs.admin import command
from tests.jobs.events.encodings import rides
from tests.registry_server import RegistryServer

Serialise = Callable[[dict[str, Any]], bytes]
LOGIN = "headrace:s3cret"
RIDES = rides.rides(60)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RegistryServer]:
    (tmp_path / "registry.secrets").write_text("password=s3cret\n")  # workers of Spark read it, too
    with registry_server.serve(LOGIN) as server:
        yield server


def client(registry: RegistryServer) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": registry.url, "basic.auth.user.info": LOGIN})


def placed(folder: Path, registry: RegistryServer | None) -> run.Places:
    """Places in a folder of their own."""
    made = run.Places(archive=f"{folder}/archive", tables=f"{folder}/tables", checkpoints=f"{folder}/checkpoints")
    if registry is None:
        return made
    secrets = next(each for each in (folder, folder.parent) if (each / "registry.secrets").exists())
    password = f"${{file:{secrets}/registry.secrets:password}}"
    access = SchemaRegistry(url=registry.url, username="headrace", password=password)
    return made.model_copy(update={"schema_registry": access})


def transform(events: DataFrame) -> DataFrame:
    return events.select("event_time", "bike", "minutes", "metres", "electric", events.place.number.alias("number"))


def result(encoding: str | None) -> Result:
    columns = rides.COLUMNS
    topic = SimpleNamespace(TOPIC="rides", KEY=None, EVENT_TIME="begun", COLUMNS=columns)
    if encoding:
        topic.ENCODING = encoding
    panes = Panes("5 minutes", by=("bike", "electric"), count="rides", averages=("minutes", "metres", "number"))
    return Result("rides_v1", Reads(topic, transform), Windows(panes, Tumbling("15 minutes")))


def append(places: run.Places, values: list[bytes]) -> None:
    times = [rides.BEGUN + timedelta(minutes=60)] * len(values)
    keys = pa.nulls(len(values), pa.binary())
    columns = [keys, pa.array(values, pa.binary()), pa.array(times, pa.timestamp("us", "UTC"))]
    writer.append(places.archive, "rides", 1, [pa.record_batch(columns, ["key", "value", "timestamp"])])


def windows(places: run.Places) -> list[Any]:
    rows = [{**row, "updated_time": None} for row in delta.rows(places.table("rides_v1"))]
    return sorted(str(sorted(row.items())) for row in rows)


def count(places: run.Places) -> int:
    return sum(row["rides"] for row in delta.rows(places.table("rides_v1_panes")))


def quarantine(places: run.Places) -> list[tuple[str, str | None]]:
    rows = delta.rows(places.table("rides_v1_quarantine"))
    return sorted((row["reason"], row["field"]) for row in rows if row["requeued_sequence"] is None)


@pytest.mark.parametrize("with_bad", [False, True], ids=["quick", "gate"])
def test_json_avro_and_protobuf_give_the_same_tables(
    spark: SparkSession, registry: RegistryServer, tmp_path: Path, with_bad: bool
) -> None:
    """A bad record lets the gate look at each, in Spark's workers, which ask the registry themselves."""
    found = {}
    makers: dict[str, Serialise] = {
        "json": rides.as_json,
        "avro": rides.avro_serializer(client(registry), "in_avro"),
        "protobuf": rides.protobuf_serializer(client(registry), "in_protobuf"),
    }
    for kind, serialise in makers.items():
        places = placed(tmp_path / kind, registry)
        append(places, [serialise(ride) for ride in RIDES] + [b"nothing"] * with_bad)
        keeping.keep(run.Run(spark, places, say=lambda _: None), result(None if kind == "json" else kind))
        assert (count(places), len(quarantine(places))) == (60, int(with_bad))
        found[kind] = windows(places)
    assert len(found["json"]) > 10
    assert found["avro"] == found["json"] and found["protobuf"] == found["json"]


def test_an_unknown_schema_waits_in_quarantine_until_the_registry_has_it(
    spark: SparkSession, registry: RegistryServer, tmp_path: Path
) -> None:
    places, kept = placed(tmp_path, registry), result("avro")
    values = [rides.avro_serializer(client(registry), "rides")(ride) for ride in RIDES]
    later = [struct.pack(">BI", 0, 2) + value[5:] for value in values[:7]]
    append(places, values[7:] + later + [values[0][:9]])
    a_run = run.Run(spark, places, say=lambda _: None)
    keeping.keep(a_run, kept)
    unknown = ("unknown_schema", "schema id 2")
    assert quarantine(places) == [("not_decodable", "schema id 1"), *[unknown] * 7]
    advice = remedies.advice("rides_v1", kept.definition(), [unknown])
    assert advice == (
        "unknown_schema: register schema id 2, or let [schema_registry] of the places file name the registry that has "
        "it; then: headrace requeue rides_v1"
    )
    assert registry.register("rides-value", registry.schemas[1] | {"metadata": {"copy": 1}}) == 2
    requeue.requeue(a_run, kept)
    assert quarantine(places) == [("not_decodable", "schema id 1")]
    assert count(places) == 60


def test_a_registry_that_is_away_or_lets_nobody_in_ends_the_run_in_one_line(
    spark: SparkSession, registry: RegistryServer, tmp_path: Path
) -> None:
    places, kept = placed(tmp_path, registry), result("avro")
    append(places, [rides.avro_serializer(client(registry), "rides")(ride) for ride in RIDES[:5]])

    def refused(places: run.Places) -> str:
        with pytest.raises(Exception) as failed:
            keeping.keep(run.Run(spark, places, say=lambda _: None), kept)
        return run.explain(failed.value)

    assert "the places file has no table [schema_registry]" in refused(placed(tmp_path, None))
    access = places.schema_registry
    assert access
    nowhere = access.model_copy(update={"url": "http://127.0.0.1:1"})
    found = refused(places.model_copy(update={"schema_registry": nowhere}))
    assert found.startswith("the schema registry http://127.0.0.1:1 does not answer (") and "s3cret" not in found
    stranger = access.model_copy(update={"username": "nobody"})
    found = refused(places.model_copy(update={"schema_registry": stranger}))
    assert f"the schema registry {registry.url} does not let nobody in" in found and "s3cret" not in found
    assert not Path(places.table("rides_v1_quarantine")).exists()
    keeping.keep(run.Run(spark, places, say=lambda _: None), replace(kept))
    assert count(places) == 5


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ('url = "registry:8081"', "give https://HOST:PORT"),
        ('url = "http://registry:8081"', "registry is another machine and http is not encrypted"),
        ('url = "https://u:hunter2@registry"', "a secret does not belong into this file"),
        ('url = "https://registry"\nusername = "u"\npassword = "hunter2"', "a secret does not belong into this file"),
        ('url = "https://registry"\nusername = "u"', "username and password go together"),
    ],
)
def test_a_registry_that_may_not_be_is_refused_without_its_secret(tmp_path: Path, lines: str, wrong: str) -> None:
    file = tmp_path / "places.toml"
    file.write_text(f'archive = "a"\ntables = "t"\ncheckpoints = "c"\n[schema_registry]\n{lines}\n')
    with pytest.raises(Refused, match=wrong) as failed:
        run.places(file)
    assert "hunter2" not in str(failed.value)


def test_lateness_is_told_of_an_encoded_topic_and_accuracy_says_why_not(
    registry: RegistryServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    append(placed(tmp_path, registry), [rides.avro_serializer(client(registry), "rides")(ride) for ride in RIDES])
    (tmp_path / "schemas").mkdir()
    monkeypatch.setattr(schemas, "__path__", [*schemas.__path__, str(tmp_path / "schemas")])
    (tmp_path / "schemas" / "ride_in_avro.py").write_text(
        "from tests.jobs.events.encodings import rides\n"
        'TOPIC, KEY, EVENT_TIME, ENCODING, COLUMNS = "rides", None, "begun", "avro", rides.COLUMNS\n'
    )
    (tmp_path / "places.toml").write_text(
        'archive = "archive"\ntables = "tables"\ncheckpoints = "checkpoints"\n[schema_registry]\n'
        f'url = "{registry.url}"\nusername = "headrace"\npassword = "${{file:registry.secrets:password}}"\n'
    )
    assert command.run("lateness", "rides", "--places", str(tmp_path / "places.toml")) == 0
    sys.modules.pop("schemas.ride_in_avro")
    assert "of 60 records" in capsys.readouterr().out
    with pytest.raises(Refused, match="topic rides is encoded by a schema registry, and the exact count reads JSON"):
        kept = result("avro")
        assert kept.panes
        exact_counts.check(replace(kept, answers=Windows(replace(kept.panes, uniques=("bike",)), *kept.windows)))
