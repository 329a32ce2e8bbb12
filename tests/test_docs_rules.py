"""The job of docs/rules.md does what the page says, with hits worked out by hand; so do the commands of the page."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import schemas
from jobs.answers.rules import bounds
from jobs.answers.rules.rule_report import COLUMNS
from jobs.log.archive import writer
from jobs.run import LOCAL_PROFILE, Run
from jobs.running.places import Places
from tests import delta
from tests.jobs.admin import command
from tests.pages import blocks, load_module, page, section

PAGE = "docs/rules.md"
START = datetime(2024, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ADVERTS: list[dict[str, Any]] = [
    {"city": "Oslo", "rooms": 3, "rent": 800.0, "text": "Sunny, near the LAKE; with a sauna"},
    {"city": "Oslo", "rooms": 1, "rent": 300.0, "text": "Lake near the"},
    {"city": None, "rooms": 2, "rent": None, "text": "sunny"},
    {"city": "Rome", "rooms": 4, "rent": 950.0, "text": None},
]
"""One an hour."""
SEARCHES: list[dict[str, Any]] = [
    {"search": "lakeside", "owner": "ada", "team": "a", "predicate": "contains_phrase(text, 'near the lake')"},
    {"search": "not_rome", "owner": "bob", "team": "b", "predicate": "not city = 'Rome' or rooms between 2 and 3"},
    {"search": "later", "owner": "ada", "team": "a", "predicate": "rooms >= 1", "valid_since": START + HOUR,
     "valid_until": START + 3 * HOUR},
    {"search": "broken", "owner": "eve", "team": "c", "predicate": "reflect('java.lang.System', 'exit') = 1"},
]  # fmt: skip
HITS = {(0, "lakeside"), (0, "not_rome"), (1, "not_rome"), (2, "not_rome"), (1, "later"), (2, "later")}
"""Number of the advert, and search."""


def write(places: Places) -> None:
    adverts = [advert | {"posted_time": START + n * HOUR} for n, advert in enumerate(ADVERTS)]
    for topic, rows in (("adverts", adverts), ("searches", SEARCHES)):
        values = [json.dumps(row, default=lambda time: time.isoformat()).encode() for row in rows]
        times = [START + n * HOUR if topic == "adverts" else START for n in range(len(rows))]
        columns = [pa.nulls(len(rows), pa.binary()), pa.array(values, pa.binary())]
        columns.append(pa.array(times, pa.timestamp("us", "UTC")))
        writer.append(places.archive, topic, 1, [pa.record_batch(columns, ["key", "value", "timestamp"])])


def hits(table: str) -> set[tuple[int, str]]:
    rows = delta.rows(table)
    assert len(rows) == len({(row["record_offset"], row["search"]) for row in rows})
    assert all(row["team"] == {"ada": "a", "bob": "b", "kim": None}[row["owner"]] for row in rows)
    return {(row["record_offset"], row["search"]) for row in rows}


def test_the_job_of_the_page_and_its_commands(
    a_run: Callable[..., Run], places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name, _, content in blocks(page(PAGE)):
        if name:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(content)
    for name in ("advert", "search"):
        monkeypatch.setattr(
            schemas, name, load_module(f"schemas.{name}", tmp_path / f"schemas/{name}.py"), raising=False
        )
    job = load_module("search_hit", tmp_path / "jobs/search_hit.py")
    write(places)
    job.main(a_run())
    assert hits(places.table("search_hit_v1")) == HITS
    known = {row["search"]: row for row in delta.rows(places.table("search_hit_v1_rules"))}
    assert {name: row["hits"] for name, row in known.items()} == {"lakeside": 1, "not_rome": 3, "later": 2, "broken": 0}
    assert known["lakeside"]["tried"] == 1, "the others lack a word of the phrase, or have them apart"
    assert known["not_rome"]["tried"] == len(ADVERTS)
    assert known["broken"]["fault"].startswith("column 1: a function that rules do not have")
    [last] = [row for row in delta.rows(places.table("search_hit_v1_ledger")) if row["notes"]]
    assert "1 versions of rules cannot be used: `headrace rules` names them" in last["notes"]

    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / LOCAL_PROFILE).write_text("")  # the session of the tests goes on
    lines = (f'{name} = "{getattr(places, name)}"' for name in ("archive", "tables", "checkpoints"))
    (tmp_path / "conf" / "local.toml").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    check_commands(tmp_path, capsys)


def check_commands(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [_, shown] = [content for _, language, content in blocks(page(PAGE)) if language == "bash"][:2]
    arguments = ("rules", "search_hit_v1", "--job", "jobs/search_hit.py")
    capsys.readouterr()
    assert command.run(*arguments) == 0
    listed = capsys.readouterr().out
    rows = [line.split("│")[1].strip() for line in listed.splitlines() if line.startswith("│")]
    assert [name for name in rows if name][:1] == ["broken"] and set(rows) >= {search["search"] for search in SEARCHES}
    assert "4 rules, 1 of which cannot be used" in listed
    assert command.run(*arguments, "--explain", "lakeside") == 0
    said = capsys.readouterr().out
    assert "found by the words of text" in said and "of 4 kept events 1 were tried, and 1 meet it" in said
    assert command.run(*arguments, "--explain", "nobody") == 1
    assert "has no rule nobody now" in capsys.readouterr().err
    [predicate] = [line.split('"')[1] for line in shown.splitlines() if "--try" in line]
    assert command.run(*arguments, "--try", predicate) == 0
    assert "1 were tried, and 1 meet it" in capsys.readouterr().out
    assert command.run(*arguments, "--try", "city ~ 'x'") == 1
    assert "it cannot be used: column 6: a character" in capsys.readouterr().out
    check_backtest(folder, capsys)


def check_backtest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [rule] = [content for _, language, content in blocks(page(PAGE)) if language == "json"]
    (folder / "new.ndjson").write_text(rule)
    [line] = [content for _, _, content in blocks(page(PAGE)) if content.startswith("headrace backtest")]
    arguments = line.split()[1:]
    assert command.run(*arguments, "--folder", "tried") == 0
    assert hits("tried/tables/search_hit_v1") == {(0, "sauna")}
    assert len(delta.rows("tried/tables/search_hit_v1_rules")) == 1
    assert command.run(*arguments[:-1], "adverts", "--folder", "other") == 1
    assert command.run(*arguments[:-1], "taps=new.ndjson", "--folder", "other") == 1
    assert command.run(*arguments[:-1], "searches=nowhere", "--folder", "other") == 1
    said = capsys.readouterr().err
    assert (
        "is no TOPIC=FILE" in said and "reads adverts, searches" in said and "nowhere cannot be read: No such" in said
    )
    assert not (folder / "other").exists()


def test_the_page_has_each_bound_and_each_column() -> None:
    said = section(PAGE, "What a rule may say")
    for bound in (bounds.MOST_CHARACTERS, bounds.MOST_TERMS, bounds.MOST_VALUES, bounds.DEEPEST, bounds.MOST_WORDS):
        assert f" {bound:,} " in said.replace("\n", " ")
    described = section(PAGE, "What is in the tables")
    assert all(f"| `{name}`" in described for name in COLUMNS.names)
