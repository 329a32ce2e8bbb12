"""The job file of docs/views.md keeps the timeline that the page says, and headrace verify finds it right."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import schemas
from jobs.log.archive import writer
from jobs.run import Run
from jobs.running.places import Places
from tests import delta
from tests.jobs.admin import command
from tests.pages import blocks, load_module, page

PAGE = "docs/views.md"
FOLLOWS, POSTS = "net.public.follows", "net.public.posts"
Change = tuple[str, str, dict[str, int], dict[str, int]]
"""Topic, operation, key and row."""


def follow(op: str, follower: int, followee: int) -> Change:
    row = {"follower": follower, "followee": followee}
    return FOLLOWS, op, row, row


def post(op: str, number: int, author: int) -> Change:
    return POSTS, op, {"id": number}, {"id": number, "author": author}


def write(places: Places, changes: list[Change], first_lsn: int) -> None:
    for topic in (FOLLOWS, POSTS):
        keys, values = [], []
        for lsn, (name, op, key, row) in enumerate(changes, first_lsn):
            source: dict[str, Any] = {"name": "net", "sequence": json.dumps([str(lsn - 1), str(lsn)]), "ts_ms": lsn}
            before, after = (row, None) if op == "d" else (None, row)
            value = {"before": before, "after": after, "source": source | {"snapshot": "false"}, "op": op}
            if name == topic:
                keys.append(json.dumps(key).encode())
                values.append(json.dumps(value).encode())
        times = pa.array([1_714_500_000_000_000] * len(keys), pa.timestamp("us", "UTC"))
        columns = [pa.array(keys, pa.binary()), pa.array(values, pa.binary()), times]
        writer.append(places.archive, topic, 2, [pa.record_batch(columns, ["key", "value", "timestamp"])])


def test_the_timeline_of_the_page(
    a_run: Callable[..., Run], places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    files = {name: content for name, _, content in blocks(page(PAGE)) if name}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    for name in ("follow", "post"):
        module = load_module(f"schemas.{name}", tmp_path / f"schemas/{name}.py")
        monkeypatch.setattr(schemas, name, module, raising=False)
    job = load_module("timeline", tmp_path / "jobs/timeline.py")

    posts = [post("c", number, 10) for number in range(1, 23)]
    write(places, [follow("c", 1, 10), follow("c", 2, 20), post("c", 100, 20), *posts], 1000)
    job.main(a_run())
    assert timeline(places) == {(1, number): 23 - number for number in range(3, 23)} | {(2, 100): 1}
    changes = [post("d", 22, 10), follow("c", 2, 10), follow("d", 2, 20), post("c", 101, 20)]
    write(places, changes, 2000)
    job.main(a_run())
    assert timeline(places) == {(who, number): 22 - number for who in (1, 2) for number in range(2, 22)}

    (tmp_path / "conf").mkdir()
    text = f"archive = '{places.archive}'\ntables = '{places.tables}'\ncheckpoints = '{places.checkpoints}'\n"
    (tmp_path / "conf/local.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    [line] = [line for _, kind, text in blocks(page(PAGE)) if kind == "bash" for line in text.splitlines()]
    capsys.readouterr()
    assert command.run(*line.split()[1:]) == 0
    assert capsys.readouterr().out == "timeline_v1: equal to its SQL: 40 rows\n"


def timeline(places: Places) -> dict[tuple[int, int], int]:
    return {(row["follower"], row["post"]): row["rank"] for row in delta.rows(places.table("timeline_v1"))}
