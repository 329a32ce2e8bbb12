"""A result of a topic in Avro or Protobuf is that of the same data in JSON; a registry that is away ends the run."""

import base64
import json
import random
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
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
from jobs.admin import catalogue, exact_counts, remedies
from jobs.answers.result import Reads, Result
from jobs.answers.windows import Tumbling, Windows
from jobs.facts.panes import Panes
from jobs.keeping import requeue
from jobs.log import schema_registry
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
    panes = Panes(
        "5 minutes",
        by=("bike", "electric"),
        count="rides",
        averages=("minutes", "metres", "number"),
        uniques=("minutes",),
    )
    return Result("rides_v1", Reads(topic, transform), Windows(panes, Tumbling("15 minutes")))


def append(places: run.Places, values: list[bytes], keys: Sequence[bytes | None] | None = None) -> None:
    times = [rides.BEGUN + timedelta(minutes=60)] * len(values)
    columns = [
        pa.array(keys or [None] * len(values), pa.binary()),
        pa.array(values, pa.binary()),
        pa.array(times, pa.timestamp("us", "UTC")),
    ]
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
    spark: SparkSession,
    registry: RegistryServer,
    tmp_path: Path,
    with_bad: bool,
    monkeypatch: pytest.MonkeyPatch,
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
        if kind != "json" and with_bad:
            check_accuracy(tmp_path / kind, kind, registry, monkeypatch)
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


def places_file(folder: Path, registry: RegistryServer) -> str:
    """A places file there; the folder is that of `placed`."""
    secrets = placed(folder, registry).schema_registry
    assert secrets
    (folder / "places.toml").write_text(
        'archive = "archive"\ntables = "tables"\ncheckpoints = "checkpoints"\n[schema_registry]\n'
        f'url = "{registry.url}"\nusername = "headrace"\npassword = "{secrets.password}"\n'
    )
    return str(folder / "places.toml")


def check_accuracy(folder: Path, kind: str, registry: RegistryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command ends well, and its exact counts are those of plain Python."""
    monkeypatch.setattr(catalogue, "find", lambda name, file: result(kind))
    file = places_file(folder, registry)
    assert command.run("accuracy", "rides_v1", "--windows", "100", "--places", file) == 0
    kept = result(kind)
    schema_registry.connect(placed(folder, registry), [kept.topic])
    sampled = exact_counts.sample(placed(folder, registry), kept, 100, random.Random(1))
    exact_counts.count(placed(folder, registry), kept, sampled)
    truth: dict[Any, set[int]] = {}
    for ride in RIDES:
        start = rides.BEGUN + (ride["begun"] - rides.BEGUN) // timedelta(minutes=15) * timedelta(minutes=15)
        group = truth.setdefault((start, ride["bike"], ride["electric"]), set())
        group |= set() if ride["minutes"] is None else {ride["minutes"]}
    assert {(each.start, *each.group): each.values["minutes"] for each in sampled} == truth


def test_lateness_and_records_of_an_encoded_topic(
    registry: RegistryServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [rides.avro_serializer(client(registry), "rides")(ride) for ride in RIDES]
    key_id = registry.register("rides-key", {"schema": '"string"'})
    keys = [struct.pack(">BI", 0, key_id) + b"\x04b1"] * 58 + [None, struct.pack(">BI", 0, 77) + b"\x04b1"]
    append(placed(tmp_path, registry), values, keys)
    (tmp_path / "schemas").mkdir()
    monkeypatch.setattr(schemas, "__path__", [*schemas.__path__, str(tmp_path / "schemas")])
    (tmp_path / "schemas" / "ride_in_avro.py").write_text(
        "from tests.jobs.events.encodings import rides\n"
        'TOPIC, KEY, EVENT_TIME, COLUMNS = "rides", None, "begun", rides.COLUMNS\n'
        'ENCODING = KEY_ENCODING = "avro"\n'
    )
    file = places_file(tmp_path, registry)
    assert command.run("lateness", "rides", "--places", file) == 0
    assert "of 60 records" in capsys.readouterr().out
    assert command.run("read", "rides", "--offset", "57", "--limit", "2", "--value", "--places", file) == 0
    bare = capsys.readouterr().out.splitlines()
    assert command.run("read", "rides", "--offset", "57", "--places", file) == 0
    assert command.run("read", "rides", "--offset", "59", "--raw", "--places", file) == 0
    sys.modules.pop("schemas.ride_in_avro")
    *decoded, undecoded, raw = map(json.loads, capsys.readouterr().out.splitlines())
    expected = [json.loads(rides.as_json(ride)) for ride in RIDES[57:59]]
    assert [each["value"] for each in decoded] == [
        ride | {"begun": ride["begun"].replace("+00:00", "Z"), "not_in_columns": []} for ride in expected
    ]
    assert [json.loads(line) for line in bare] == [each["value"] for each in decoded]
    assert [each["key"] for each in decoded] == ["b1", None]
    assert undecoded["not_decoded"] == "unknown_schema, schema id 77 of the key"
    assert base64.b64decode(undecoded["value_base64"]) == base64.b64decode(raw["value_base64"]) == values[59]
    assert "not_decoded" not in raw


def test_a_column_of_the_key_and_keys_of_unknown_schemas(
    spark: SparkSession, registry: RegistryServer, tmp_path: Path
) -> None:
    """Both passes: the bad keys let the gate look at each record, once they are there."""
    key_id = registry.register("rides-key", {"schema": '"string"'})
    values = [rides.avro_serializer(client(registry), "rides")(ride | {"bike": "in the value"}) for ride in RIDES]
    keys = [struct.pack(">BI", 0, key_id) + b"\x04b%d" % (place % 2) for place in range(60)]
    columns = {"ENCODING": "avro", "KEY_ENCODING": "avro", "KEY_COLUMNS": ("bike",)}
    topic = SimpleNamespace(TOPIC="rides", KEY=None, EVENT_TIME="begun", COLUMNS=rides.COLUMNS, **columns)
    kept = replace(result(None), reads=Reads(topic, transform))
    places = placed(tmp_path, registry)
    append(places, values[:40], keys[:40])
    keeping.keep(run.Run(spark, places, say=lambda _: None), kept)
    append(places, values[40:], [*keys[40:58], b"no schema", struct.pack(">BI", 0, 77) + b"\x04b1"])
    keeping.keep(run.Run(spark, places, say=lambda _: None), kept)
    counts: dict[str, int] = {}
    for row in delta.rows(places.table("rides_v1_panes")):
        counts[row["bike"]] = counts.get(row["bike"], 0) + row["rides"]
    assert counts == {"b0": 29, "b1": 29}
    assert quarantine(places) == [("no_schema_id", "the key"), ("unknown_schema", "schema id 77 of the key")]
