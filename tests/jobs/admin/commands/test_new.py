"""headrace new writes files that pass the project's own checks and run."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    TimestampType,
)

import schemas
from jobs.run import Run
from jobs.testing.plugin import RunResult
from tests import delta
from tests.cluster.bank import Message, copy_into_archive
from tests.jobs.admin import command
from tests.jobs.keeping.world import places_in
from tests.pages import ROOT, load_module

TOPIC = "shop.public.parcels"
CONNECT, DEBEZIUM = "org.apache.kafka.connect.data", "io.debezium"
FIELDS = [
    {"type": "int64", "optional": False, "field": "number"},
    {"type": "string", "optional": False, "field": "shop"},
    {"type": "int32", "optional": True, "field": "pieces"},
    {"type": "bytes", "name": f"{CONNECT}.Decimal", "field": "price", "optional": True,
     "parameters": {"scale": "2", "connect.decimal.precision": "10"}},
    {"type": "struct", "name": f"{DEBEZIUM}.data.VariableScaleDecimal", "field": "weight", "optional": True},
    {"type": "int64", "name": f"{DEBEZIUM}.time.MicroTimestamp", "field": "packed", "optional": True},
    {"type": "string", "name": f"{DEBEZIUM}.time.ZonedTimestamp", "field": "sent", "optional": True},
    {"type": "int32", "name": f"{DEBEZIUM}.time.Date", "field": "due", "optional": True},
    {"type": "boolean", "field": "is_open", "optional": True},
    {"type": "bytes", "field": "label", "optional": True},
    {"type": "double", "field": "length", "optional": True},
    {"type": "array", "items": {"type": "string", "optional": True}, "field": "marks", "optional": True},
    {"type": "string", "name": f"{DEBEZIUM}.data.Json", "field": "note", "optional": True},
    {"type": "struct", "name": f"{DEBEZIUM}.data.geometry.Point", "field": "place", "optional": True},
]  # fmt: skip
ROW = {
    "number": 7, "shop": "ü", "pieces": 3, "price": "AeJA", "weight": {"scale": 1, "value": "Fg=="},
    "packed": 1_709_212_455_123_456, "sent": "2024-02-29T13:14:15Z", "due": 19_782, "is_open": True, "label": "AAE=",
    "length": 1.5, "marks": ["a"], "note": '{"a": 1}', "place": {"x": 1.0, "y": 2.0},
}  # fmt: skip
SOURCE = {"name": "shop", "sequence": '["70","77"]', "ts_ms": 1_709_212_455_123, "snapshot": "false"}
KINDS: dict[str, DataType] = {
    "number": LongType(), "shop": StringType(), "pieces": IntegerType(), "price": DecimalType(10, 2),
    "weight": DecimalType(38, 10), "packed": TimestampType(), "sent": TimestampType(), "due": DateType(),
    "is_open": BooleanType(), "label": BinaryType(), "length": DoubleType(), "marks": ArrayType(StringType()),
    "note": StringType(),
}  # fmt: skip


def change(op: str, before: Any, after: Any) -> dict[str, Any]:
    return {"op": op, "before": before, "after": after, "source": SOURCE}


def wrapped(payload: Any) -> dict[str, Any]:
    """With the schema beside it."""
    row = {"type": "struct", "fields": FIELDS}
    return {"schema": {"type": "struct", "fields": [row | {"field": "before"}, row | {"field": "after"}]}} | {
        "payload": payload
    }


def key_of(number: int) -> dict[str, Any]:
    return {"schema": {"type": "struct"}, "payload": {"shop": "ü", "number": number}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sample(folder: Path, *records: tuple[Any, Any]) -> tuple[str, ...]:
    """The command, of a file with these keys and values."""
    lines = [json.dumps(value) if key is None else f"{json.dumps(key)}\t{json.dumps(value)}" for key, value in records]
    (folder / "sample.ndjson").write_text("\n".join(lines) + "\n")
    return ("new", TOPIC, "--debezium", "--sample", "sample.ndjson")


def columns(folder: Path, name: str = "parcels") -> dict[str, tuple[DataType, bool, Any]]:
    module = load_module(f"schemas.{name}", folder / "schemas" / f"{name}.py")
    return {one.name: (one.dataType, one.nullable, one.metadata) for one in module.COLUMNS}


def test_types_of_the_database_in_files_that_run(
    spark: SparkSession, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = (key_of(7), wrapped(change("c", None, ROW)))
    gone = [(key_of(8), wrapped(change("c", None, ROW | {"number": 8}))), (key_of(8), None)]
    deleted = (key_of(8), wrapped(change("d", {"number": 8, "shop": "ü"}, None)))
    typed = sample(folder, first, gone[0], deleted, gone[1])
    assert command.run(*typed) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "guessed: column weight: DecimalType(38, 10), as its numbers have any scale",
        f"guessed: column place is left out: there is no type for {DEBEZIUM}.data.geometry.Point",
        "wrote schemas/parcels.py, jobs/parcels.py and tests/test_parcels.py, of 3 records; next:",
        "  headrace check jobs/parcels.py",
        "  pytest tests/test_parcels.py",
        "  headrace run jobs/parcels.py",
    ]
    packed = {"debezium": f"{DEBEZIUM}.time.MicroTimestamp"}
    key = {"number", "shop"}
    assert columns(folder) == {
        name: (kind, name not in key, packed if name == "packed" else {}) for name, kind in KINDS.items()
    }
    files = [str(folder / file) for file in ("schemas/parcels.py", "jobs/parcels.py", "tests/test_parcels.py")]
    python = sys.executable
    config = ["--config", str(ROOT / "pyproject.toml"), "--config", f'src = ["{ROOT}", "{folder}"]']
    for check in (["ruff", "check", *config], ["ruff", "format", "--check", *config]):
        done = subprocess.run([python, "-m", *check, *files], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    strict = ["mypy", "--config-file", str(ROOT / "pyproject.toml"), "--follow-imports", "silent", files[0]]
    done = subprocess.run([python, "-m", *strict], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr

    places = places_in(folder)
    messages: list[Message] = [
        (json.dumps(key).encode(), None if value is None else json.dumps(value).encode(), 1_709_212_456_000)
        for key, value in (first, *gone, deleted)
    ]
    sequences = ['["70","77"]', '["70","78"]', None, '["80","81"]']
    messages = [
        (key, value and value.replace(b'[\\"70\\",\\"77\\"]', str(sequence).replace('"', '\\"').encode()), time)
        for (key, value, time), sequence in zip(messages, sequences, strict=True)
    ]
    copy_into_archive(places.archive, TOPIC, messages)
    monkeypatch.setattr(
        schemas, "parcels", load_module("schemas.parcels", folder / "schemas/parcels.py"), raising=False
    )
    load_module("parcels", folder / "jobs/parcels.py").main(Run(spark, places, say=lambda _: None))
    [row] = delta.rows(places.table("parcels_v1"))
    found = [row["number"], *(str(row[name]) for name in ("price", "weight", "due"))]
    assert found == [7, "1234.56", "2.2000000000", "2024-02-29"]
    assert delta.rows(places.table("parcels_v1_quarantine")) == []
    assert command.run(*typed) == 1
    assert (
        "schemas/parcels.py and jobs/parcels.py and tests/test_parcels.py are there already, and are not"
        in capsys.readouterr().err
    )


def run_its_test(folder: Path, run_result: RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test that was written, of the job that was written."""
    schema = load_module("schemas.parcels", folder / "schemas/parcels.py")
    monkeypatch.setattr(schemas, "parcels", schema, raising=False)
    monkeypatch.setitem(sys.modules, "jobs.parcels", load_module("parcels", folder / "jobs/parcels.py"))
    test = load_module("test_parcels", folder / "tests/test_parcels.py")
    test.test_the_last_change_counts(run_result)
    test.test_a_deleted_row_is_gone_whatever_comes_first(run_result)


def test_the_test_that_is_written_holds(folder: Path, run_result: RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values are those of the sample, a decimal in base64 and a time in microseconds among them."""
    assert command.run(*sample(folder, (key_of(7), wrapped(change("c", None, ROW))))) == 0
    run_its_test(folder, run_result, monkeypatch)
    with pytest.raises(AssertionError):  # and does not hold of a row that cannot be read
        file = folder / "tests/test_parcels.py"
        file.write_text(file.read_text().replace('"number": 7', '"number": "x"'))
        run_its_test(folder, run_result, monkeypatch)


def test_guesses_without_a_schema(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {name: value for name, value in ROW.items() if name not in ("place", "weight")} | {"half": 1, "none": None}
    unavailable = row | {"note": "__debezium_unavailable_value", "half": 0.5, "price": "AQ=="}
    gone = dict.fromkeys(row) | {"number": 7, "shop": "ü"}
    records = [(None, change("c", None, row)), (None, change("u", None, unavailable)), (None, change("d", gone, None))]
    assert command.run(*sample(folder, *records)) == 0
    said = capsys.readouterr().out
    assert f"  headrace produce {TOPIC} sample.ndjson\n" in said
    for line in (
        "primary key: number, shop, as deletions have no other column",
        "column price: StringType(); if it is numeric in the database DecimalType(...), if bytea BinaryType()",
        "column packed: TimestampType(), as its numbers look like microseconds since 1970",
        "column sent: TimestampType(), as its texts are instants",
        "column none: StringType(), as all its values are null",
        "no schema stands beside the records",
    ):
        assert f"guessed: {line}" in said
    found = {name: kind for name, (kind, _, _) in columns(folder).items()}
    guessed = {"pieces": LongType(), "price": StringType(), "due": LongType(), "label": StringType()}
    same = {name: kind for name, kind in KINDS.items() if name not in ("place", "weight")}
    assert found == same | guessed | {"half": DoubleType(), "none": StringType()}


def test_flat_records(
    folder: Path, capsys: pytest.CaptureFixture[str], run_result: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat = {"id": 1, "v": "x y", "__op": "c", "__deleted": "false", "__source_sequence": '["1","2"]'}
    assert command.run(*sample(folder, ({"id": 1}, flat))) == 1
    assert "the records are flat and lack __source_ts_ms" in capsys.readouterr().err
    assert command.run(*sample(folder, ({"id": 1}, flat | {"__source_ts_ms": 5}))) == 0
    assert "form=debezium.FLATTENED" in (folder / "jobs/parcels.py").read_text()
    assert list(columns(folder)) == ["id", "v"]
    run_its_test(folder, run_result, monkeypatch)


INSERTION = '{"op": "c", "source": {"sequence": "[]"}, "after": {"a": 1}}'


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ('{"op": "c"', (), "sample.ndjson, line 1: it is no JSON"),
        ('{"a": 1}', (), "a record that is no change as Debezium writes it"),
        ("null", (), "has no row"),
        ('{"op": "c", "source": {"file": "bin.3"}, "after": {"a": 1}}', (), "a change without source.sequence"),
        (INSERTION, (), "name the primary key, --key COLUMN"),
        (
            INSERTION,
            ("--key", "b"),
            "have no column b; they have a",
        ),
        (
            INSERTION,
            ("--key", "a", "--name", "../x"),
            "no name of a Python file",
        ),
    ],
)
def test_what_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, more: tuple[str, ...], message: str
) -> None:
    (folder / "sample.ndjson").write_text(f"{text}\n")
    assert command.run("new", TOPIC, "--debezium", "--sample", "sample.ndjson", *more) == 1
    assert message in capsys.readouterr().err
    assert not (folder / "schemas").exists()


def test_a_table_with_the_name_of_a_module(folder: Path) -> None:
    row = (None, change("c", None, {"id": 1, "v": 5}))
    sample(folder, row)
    assert command.run("new", "shop.public.Queue", "--debezium", "--sample", "sample.ndjson") == 0
    assert (folder / "jobs/queue_rows.py").exists()
