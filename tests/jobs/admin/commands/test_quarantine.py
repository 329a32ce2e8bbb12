"""headrace quarantine: why records wait, and which they are."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from jobs.keeping import ledger
from jobs.keeping.ledger import Row
from jobs.lake import delta_tables
from jobs.running.places import Places
from schemas import quarantine
from tests.jobs.admin.command import run

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NAME = "visits_v1"
CANARY = b"c4nary"
WAITING = [
    # topic, partition, offset, timestamp, value, reason, field, requeued
    ("visits", 0, 3, NOON + 5 * MINUTE, CANARY, "wrong_type", "minutes", None),
    ("visits", 1, 9, NOON + 7 * MINUTE, b"\xff" + CANARY, "invalid_utf8", None, None),
    ("visits", 0, 4, NOON + 6 * MINUTE, b'{"site": "' + CANARY + b'\x1b[2J"}', "wrong_type", "minutes", None),
    ("visits", 0, 2, NOON + 4 * MINUTE, CANARY, "wrong_type", "minutes", 3),
]


@pytest.fixture
def shown(laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What the command says, on the right stream for that exit code."""
    ledger.create(places, NAME)
    definition = {"topic": "visits", "columns": "site string, minutes int"}
    ledger.write(places, NAME, Row(1, "start", 1, -1, definition=definition))
    path = places.table(f"{NAME}_quarantine")
    delta_tables.create(path, quarantine.COLUMNS, (), "Bad records.")
    names = ("topic", "partition", "offset", "timestamp", "value", "reason", "field", "requeued_sequence")
    rows = [dict(zip(names, row, strict=True)) for row in WAITING]
    types = (
        pa.string(),
        pa.int32(),
        pa.int64(),
        pa.timestamp("us", "UTC"),
        pa.binary(),
        *[pa.string()] * 2,
        pa.int64(),
    )
    schema = pa.schema(list(zip(names, types, strict=True)))
    write_deltalake(path, pa.Table.from_pylist(rows, schema=schema), mode="append", schema_mode="merge")

    def typed(*arguments: str, code: int = 0) -> str:
        assert run("quarantine", *arguments) == code
        said = capsys.readouterr()
        return said.err if code else said.out

    return typed


def cells(shown: str) -> list[list[str]]:
    lines = [line for line in shown.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]


def test_counts_by_reason_and_field_records_and_what_to_do(shown: Callable[..., str]) -> None:
    said = shown(NAME)
    assert "visits_v1: 3 records wait in quarantine, 1 were requeued" in said
    assert cells(said) == [
        ["invalid_utf8", "-", "1", "0"],
        ["wrong_type", "minutes", "2", "1"],
        ["visits", "1", "9", "2024-05-01 12:07:00", "invalid_utf8", "-"],
        ["visits", "0", "4", "2024-05-01 12:06:00", "wrong_type", "minutes"],
        ["visits", "0", "3", "2024-05-01 12:05:00", "wrong_type", "minutes"],
    ]
    [advice] = [line for line in said.splitlines() if line.startswith("what to do: ")]
    assert "make column minutes bigint" in advice and advice.endswith("then: headrace requeue visits_v1")
    assert CANARY.decode() not in said


def test_one_reason_and_a_limit(shown: Callable[..., str]) -> None:
    said = shown(NAME, "--reason", "wrong_type", "--limit", "1")
    assert [row[0] for row in cells(said)] == ["wrong_type", "visits"]
    assert "1 more: --limit shows more of them" in said
    assert "in quarantine for it's; there are invalid_utf8, wrong_type" in shown(NAME, "--reason", "it's", code=1)
    assert "there are visits_v1" in shown("none_v1", code=1)


def test_values_are_shown_on_request_alone_and_cannot_steer_a_terminal(shown: Callable[..., str]) -> None:
    assert CANARY.decode() not in shown(NAME, "--json")
    said = shown(NAME, "--show-values")
    assert said.count(CANARY.decode()) == 2 and "\x1b" not in said and "\\x1b[2J" in said
    [first, second, _] = [json.loads(line) for line in shown(NAME, "--json", "--show-values").splitlines()]
    assert first == {
        "topic": "visits", "partition": 1, "offset": 9, "timestamp": "2024-05-01T12:07:00Z",
        "reason": "invalid_utf8", "field": None, "key": None, "value_base64": "/2M0bmFyeQ==",
    }  # fmt: skip
    assert second["value"] == '{"site": "c4nary\x1b[2J"}'
