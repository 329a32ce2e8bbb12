"""What is sent, and what is refused: messages, webhooks, files, and the places file."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jobs.answers import delivery
from jobs.answers.delivery import File, Topic, Webhook
from jobs.publishing import messages, to_webhook
from jobs.publishing.to_file import ToFile
from jobs.publishing.to_webhook import ToWebhook
from jobs.running.delivery_access import DeliveryPlace
from jobs.running.errors import Mistake, Refused
from jobs.running.places import read_places
from tests.jobs.publishing.receiver import listening

NOW = datetime(2024, 5, 1, 12, 0, 0, 5, tzinfo=UTC)


def changes(*rows: tuple[int, str, int, str, int]) -> pa.Table:
    """(id, words, revision, change, sequence)"""
    columns = dict(zip(("id", "words", "revision", "change", "sequence"), zip(*rows, strict=True), strict=True))
    return pa.table({**columns, "updated_time": pa.array([NOW] * len(rows), pa.timestamp("us", "UTC"))})


SOME = changes((1, "a\nb", 1, "new", 7), (2, "é", 3, "revised", 7), (3, "c", 2, "withdrawn", 7))


def test_values_of_each_type_as_json() -> None:
    row = {
        "time": datetime(2024, 5, 1, 12, tzinfo=UTC),
        "day": date(2024, 5, 1),
        "decimal": Decimal("1E+3"),
        "exact": Decimal("12345678901234567890.10"),
        "bytes": b"\x00\xff",
        "nan": float("nan"),
        "least": float("-inf"),
        "nothing": None,
        "list": [{"at": date(2024, 5, 2)}, None],
        "text": 'é "quoted"',
    }
    assert json.loads(messages.to_json(row)) == {
        "time": "2024-05-01T12:00:00.000000Z",
        "day": "2024-05-01",
        "decimal": "1000",
        "exact": "12345678901234567890.10",
        "bytes": "AP8=",
        "nan": "NaN",
        "least": "-Infinity",
        "nothing": None,
        "list": [{"at": "2024-05-02"}, None],
        "text": 'é "quoted"',
    }


def test_a_withdrawn_row_is_a_tombstone_if_its_key_is_that_of_the_record() -> None:
    records = messages.records(SOME, ("id",), ("id",)).to_pylist()
    assert [record["key"] for record in records] == [b'{"id":1}', b'{"id":2}', b'{"id":3}']
    assert [record["value"] is None for record in records] == [False, False, True]
    headers = {pair["key"]: pair["value"] for pair in records[1]["headers"]}
    assert headers == {"revision": b"3", "sequence": b"7", "change": b"revised"}
    assert json.loads(records[1]["value"])["words"] == "é"
    assert {record["timestamp"] for record in records} == {NOW}
    by_words = messages.records(SOME, ("words",), ("id",)).to_pylist()
    assert json.loads(by_words[2]["value"])["change"] == "withdrawn"


def ids(table: pa.Table, name: str = "r_v1") -> list[str]:
    return [json.loads(message)["id"] for message in messages.messages(table, name, ("id",))]


def test_an_id_is_that_of_one_change() -> None:
    again = changes((1, "other words", 1, "new", 7))
    later = changes((1, "a\nb", 1, "new", 9))
    assert ids(again) == ids(SOME)[:1]
    assert len({*ids(SOME), *ids(SOME, "other_v1"), *ids(later)}) == 7


def test_a_webhook_gets_each_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "secret words")
    monkeypatch.setattr(to_webhook, "MOST_MESSAGES", 2)
    with listening() as receiver:
        place = DeliveryPlace(url=receiver.url, token="${env:HOOK_TOKEN}")
        ToWebhook("ops", place, "r_v1", ("id",)).send(SOME, 7)
        assert [message["row"]["id"] for message in receiver.messages()] == [1, 2, 3]
        assert [message["key"] for message in receiver.messages()] == [{"id": 1}, {"id": 2}, {"id": 3}]
        assert [message["id"] for message in receiver.messages()] == ids(SOME)
        assert len(receiver.requests) == 2
        path, headers, _ = receiver.requests[0]
        assert (path, headers["Authorization"]) == ("/hook", "Bearer secret words")
        assert (headers["Headrace-Table"], headers["Headrace-Sequence"]) == ("r_v1", "7")


@pytest.mark.parametrize("answer", [500, 404, 302, 307])
def test_a_webhook_that_does_not_take_it(answer: int) -> None:
    with listening() as receiver:
        sender = ToWebhook("ops", DeliveryPlace(url=receiver.url), "r_v1", ("id",))
        receiver.answer = answer
        with pytest.raises(Refused, match=rf"webhook \[deliveries.ops\] answered {answer}"):
            sender.send(SOME, 7)
    with pytest.raises(Refused, match=r"webhook \[deliveries.ops\] does not answer \(ConnectionRefusedError\)"):
        sender.send(SOME, 7)


def test_a_secret_that_is_not_there_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    sender = ToWebhook("ops", DeliveryPlace(url="${env:HOOK_URL}"), "r_v1", ("id",))
    with pytest.raises(Refused, match=r"deliveries.ops\] cannot be read: the environment has no variable HOOK_URL"):
        sender.send(SOME, 7)
    monkeypatch.setenv("HOOK_URL", "http://elsewhere.example/secret")
    with pytest.raises(Refused, match="is another machine and http is not encrypted") as refused:
        sender.send(SOME, 7)
    assert "secret" not in str(refused.value)


def test_a_file_for_each_publish_which_is_there_whole(tmp_path: Path) -> None:
    sender = ToFile(f"{tmp_path}/out", "r_v1", ("id",))
    for _ in range(2):
        sender.send(SOME, 7)
    sender.send(changes((1, "x", 2, "revised", 12)), 12)
    names = ["r_v1-000000000007.ndjson", "r_v1-000000000012.ndjson"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    lines = (tmp_path / "out" / names[0]).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["row"]["words"] for line in lines] == ["a\nb", "é", "c"]


def places_file(folder: Path, *lines: str) -> Path:
    path = folder / "places.toml"
    path.write_text("\n".join(['archive = "a"', 'tables = "t"', 'checkpoints = "c"', "[deliveries.ops]", *lines]))
    return path


def test_the_places_file_says_where(tmp_path: Path) -> None:
    place = read_places(places_file(tmp_path, 'path = "out"')).deliveries["ops"]
    assert place.path == str(tmp_path / "out")
    place = read_places(places_file(tmp_path, 'url = "https://h.example/x"', 'token = "${file:s:t}"')).deliveries["ops"]
    assert (place.url, place.token) == ("https://h.example/x", f"${{file:{tmp_path}/s:t}}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", 'give url = "https://..." for a webhook, or path = "FOLDER"'),
        ('url = "https://h"\npath = "x"', 'give url = "https://..." for a webhook, or path = "FOLDER"'),
        ('url = "h.example"', "url is no https://HOST"),
        ('url = "http://h.example/"', "h.example is another machine and http is not encrypted"),
        ('url = "https://user:pass@h.example/"', "a secret does not belong into this file"),
        ('url = "https://h"\ntoken = "abc"', "a secret does not belong into this file"),
    ],
)
def test_a_places_file_that_is_wrong(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        read_places(places_file(tmp_path, line))
    assert message in str(refused.value)
    assert "deliveries.ops" in str(refused.value)
    assert "pass@" not in str(refused.value)


@pytest.mark.parametrize(
    ("deliver", "message"),
    [
        ((Topic("searches"),), "delivers to topic searches, which it reads"),
        ((Topic("no good"),), "takes letters, digits"),
        ((Topic("a"), Topic("a", key=("x",))), "delivers topic:a twice"),
        ((Webhook("ops", answer="closed"),), 'its answers are called "", "burst"'),
        (Topic("a"), "with a comma"),
    ],
)
def test_deliveries_that_cannot_be(deliver: Any, message: str) -> None:
    with pytest.raises(Mistake) as mistake:
        delivery.check("r_v1", deliver, ("searches",), ("", "burst"))
    assert message in str(mistake.value)
    with pytest.raises(Mistake, match="it publishes nothing"):
        delivery.check("r_v1", (File("x"),), ("searches",), ())
