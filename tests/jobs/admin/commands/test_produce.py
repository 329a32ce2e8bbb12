"""headrace produce, log and read, as a person types them."""

import gzip
import io
import json
import os
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jobs.log.archive.snapshot import extents
from jobs.running import work_progress
from tests.jobs.admin.command import run


@pytest.fixture(autouse=True)
def laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with the places file that the commands look for."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "local.toml").write_text('archive = "../log"\ntables = "../tables"\ncheckpoints = "../c"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that is said, after checking that it is one, and that the exit code is 1."""
    assert run(*arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("headrace: ")
    assert said.count("\n") == 1
    return said


def held(capsys: pytest.CaptureFixture[str], topic: str = "t") -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run("read", topic, "--limit", "1000") == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_file_that_is_taken_twice_can_be_told_by_what_was_there(
    laptop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (laptop / "in.ndjson").write_text("\n".join(f'{{"n": {n}}}' for n in range(8)))
    first, second = ((run("produce", "t", "in.ndjson", "--partitions", "2"), capsys.readouterr().out)[1] for _ in "12")
    assert first.startswith("t: 8 records into 2 partitions of ") and "behind" not in first
    assert second == first.replace("\n", ", behind 8 that were there\n")


def test_lines_stay_as_they_are(laptop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ['{"id": "a",  "at": "2013-01-01T05:00:00+01:00", "n": 1.50}', '{"at":1357012800,"id":7.50}']
    lines += ['{"at":1357012800123,"id":null}', '{"at":"2013-01-01T04:00:00.000001Z","id":true}']
    (laptop / "in.ndjson").write_text("\ufeff" + lines[0] + "\r\n\n" + "\n".join(lines[1:]))
    assert run("produce", "t", "in.ndjson", "--key", "id", "--timestamp", "at", "--partitions", "1") == 0
    rows = held(capsys)
    assert [row["value"] for row in rows] == lines
    assert [row["key"] for row in rows] == ["a", "7.50", None, "true"]
    assert [row["timestamp"] for row in rows] == [
        "2013-01-01T04:00:00Z",
        "2013-01-01T04:00:00Z",
        "2013-01-01T04:00:00.123000Z",
        "2013-01-01T04:00:00.000001Z",
    ]
    assert [(row["partition"], row["offset"]) for row in rows] == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_the_last_records_of_each_partition_and_values_for_another_program(
    laptop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (laptop / "in.ndjson").write_text("".join(f'{{"n":  {n}}}\n' for n in range(5)))
    assert run("produce", "t", "in.ndjson", "--partitions", "1") == 0
    capsys.readouterr()
    assert run("read", "t", "--tail", "2", "--value") == 0
    assert capsys.readouterr().out == '{"n":  3}\n{"n":  4}\n'
    assert run("read", "t", "--tail", "9") == 0
    assert [json.loads(line)["offset"] for line in capsys.readouterr().out.splitlines()] == [0, 1, 2, 3, 4]
    assert "--offset and --tail both say where to begin" in refused(capsys, "read", "t", "--tail", "2", "--offset", "1")


BAD = {
    "not JSON": b'{"id": SECRET}',
    "no UTF-8": b'{"id": "\xff SECRET"}',
    "NaN": b'{"id": "SECRET", "at": NaN}',
    "no object": b'["SECRET"]',
    "no key": b'{"at": 1357012800, "x": "SECRET"}',
    "no time": b'{"id": "SECRET"}',
    "key is an object": b'{"id": {"SECRET": 1}, "at": 1357012800}',
    "no zone": b'{"id": "SECRET", "at": "2013-01-01T00:00:00"}',
    "no time at all": b'{"id": "SECRET", "at": "SECRET"}',
    "nanoseconds": b'{"id": "SECRET", "at": 1357012800000000000}',
    "half a surrogate": b'{"id": "SECRET\\ud800", "at": 1357012800}',
    "deep": b"[" * 100_000,
    "binary": bytes(range(11, 256)) + b"SECRET",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_line_is_named_and_nothing_is_written(
    laptop: Path, capsys: pytest.CaptureFixture[str], bad: bytes
) -> None:
    good = b'{"id": "a", "at": 1357012800}'
    (laptop / "in.ndjson").write_bytes(good + b"\n" + bad + b"\n" + good)
    asked = ("produce", "t", "in.ndjson", "--key", "id", "--timestamp", "at", "--partitions", "1")
    said = refused(capsys, *asked)
    assert "in.ndjson, line 2: " in said
    assert "SECRET" not in said
    assert extents(str(laptop / "log"), "t") == []
    assert run(*asked, "--keep-bad") == 0
    rows = held(capsys)
    assert len(rows) == 3
    assert rows[1]["key"] is None
    assert rows[1]["timestamp"] > "2026"


def test_raw_takes_any_line(laptop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (laptop / "in").write_bytes(b"garbage\n\n\xff\xfe\r\n{}")
    assert run("produce", "t", "in", "--raw", "--partitions", "1") == 0
    rows = held(capsys)
    assert [row.get("value", row.get("value_base64")) for row in rows] == ["garbage", "", "//4N", "{}"]
    assert "--raw" in refused(capsys, "produce", "t", "in", "--raw", "--key", "id")


def test_gzip_and_standard_input(
    laptop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (laptop / "a.ndjson.gz").write_bytes(gzip.compress(b'{"n":1}\n{"n":2}\n'))
    (laptop / "cut.gz").write_bytes(gzip.compress(b'{"n":1}\n' * 1000)[:-20])
    (laptop / "no.gz").write_bytes(b"not packed")
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(b'{"n":3}\n')))
    assert run("produce", "t", "a.ndjson.gz", "-", "--partitions", "1") == 0
    assert [row["value"] for row in held(capsys)] == ['{"n":1}', '{"n":2}', '{"n":3}']
    for name in ("cut.gz", "no.gz"):
        assert f"{name} is not a whole gzip file" in refused(capsys, "produce", "t", name)


def test_the_bar_goes_by_the_bytes_of_files(laptop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed as they are. A CSV file is read twice, and its bytes count once. The standard input has no size."""
    shown: list[tuple[int | None, str]] = []
    told: list[int] = []

    @contextmanager
    def show(what: str, total: int | None = None, unit: str = "records") -> Iterator[Callable[[int], None]]:
        shown.append((total, unit))
        yield told.append

    monkeypatch.setattr(work_progress, "show", show)
    (laptop / "a.ndjson.gz").write_bytes(gzip.compress(b"".join(b'{"n":%d}\n' % n for n in range(100_000))))
    (laptop / "b.csv").write_text("n\n" + "7\n" * 50_000)
    size = (laptop / "a.ndjson.gz").stat().st_size + 100_002
    assert run("produce", "t", "a.ndjson.gz", "b.csv") == 0
    assert shown == [(size, "bytes")] and sum(told) == size and len(told) > 3
    told.clear()
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(b'{"n":3}\n')))
    assert run("produce", "t", "-") == 0
    assert (shown[1], told) == ((None, "records"), [1])


CSV = 'id,day,code,ok,x,name\n1,2013-01-01,007,true,1.5,Anna\n2,2013-01-02,010,false,,"a\n""b"""\n'


def test_cells_of_csv_become_values_of_the_types_they_look_like(
    laptop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (laptop / "in.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    assert run("produce", "t", "in.csv.gz", "--key", "id", "--text", "code", "--partitions", "1") == 0
    rows = held(capsys)
    assert [json.loads(row["value"]) for row in rows] == [
        {"id": 1, "day": "2013-01-01", "code": "007", "ok": True, "x": 1.5, "name": "Anna"},
        {"id": 2, "day": "2013-01-02", "code": "010", "ok": False, "x": None, "name": 'a\n"b"'},
    ]
    assert [row["key"] for row in rows] == ["1", "2"]


BAD_CSV = {
    "a row too wide": ("a,b\n1,2\n1,2,SECRET\n", ()),
    "no column for the key": ("a,b\n1,2\n", ("--key", "c")),
    "no time": ("a,b\n1,SECRET\n", ("--timestamp", "b")),
    "no time at all": ("a,b\nSECRET,\n", ("--timestamp", "b")),
    "no zone": ("a,b\nSECRET,2013-01-01T00:00:00\n", ("--timestamp", "b")),
}


@pytest.mark.parametrize(("content", "options"), BAD_CSV.values(), ids=BAD_CSV.keys())
def test_csv_that_cannot_be_read_writes_nothing_and_ends_with_one_line(
    laptop: Path, capsys: pytest.CaptureFixture[str], content: str, options: tuple[str, ...]
) -> None:
    (laptop / "in.csv").write_text(content)
    said = refused(capsys, "produce", "t", "in.csv", *options)
    assert "in.csv" in said
    assert "SECRET" not in said
    assert extents(str(laptop / "log"), "t") == []


def test_a_fault_far_down_a_later_file_leaves_nothing_behind(laptop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (laptop / "one.csv").write_text("id,n\n" + "1,1\n" * 100)
    (laptop / "two.csv").write_text("id,n\n" + "1,1\n" * 100 + "1\n")
    said = refused(capsys, "produce", "t", "one.csv", "two.csv", "--commit-every", "10")
    assert "two.csv, row 102" in said
    assert extents(str(laptop / "log"), "t") == []


def test_csv_with_other_ways_to_write(laptop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (laptop / "in.txt").write_bytes("2013-01-01T05:00:00Z;Köln;1,5;NA\n1357016400;;;NA\n".encode("cp1252"))
    options = ("--delimiter", ";", "--encoding", "cp1252", "--columns", "at,place,size,note", "--null", "NA")
    asked = ("produce", "t", "in.txt", "--timestamp", "at", "--key", "size", "--partitions", "1")
    assert "--delimiter is for CSV" in refused(capsys, *asked, *options)
    assert run(*asked, *options, "--decimal-comma", "--text", "at", "--format", "csv") == 0
    rows = held(capsys)
    assert [row["value"] for row in rows] == [
        '{"at":"2013-01-01T05:00:00Z","place":"Köln","size":1.5,"note":null}',
        '{"at":"1357016400","place":"","size":null,"note":null}',
    ]
    assert [row["key"] for row in rows] == ["1.5", None]
    assert [row["timestamp"] for row in rows] == ["2013-01-01T05:00:00Z", "2013-01-01T05:00:00Z"]


def test_log_shows_the_partitions(laptop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (laptop / "in").write_text('{"at":1357012800}\n{"at":1357016400}\n')
    assert run("produce", "t", "in", "--timestamp", "at", "--partitions", "1") == 0
    capsys.readouterr()
    assert run("log", "t") == 0
    shown = capsys.readouterr().out
    for cell in ("0", "1", "2", "2013-01-01"):
        assert cell in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("log", "none"), "topic none has no records"),
        (("read", "none"), "topic none has no records"),
        (("log", "none", "--places", "no.toml"), "no.toml"),
        (("produce", "t", "no.ndjson"), "no.ndjson"),
        (("produce", "t", "conf"), "cannot read conf"),
        (("produce", "../t", "conf"), "topic's name"),
    ],
)
def test_what_is_wrong_is_one_line(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str) -> None:
    assert said in refused(capsys, *arguments)


@pytest.mark.parametrize("obstacle", ["file", "garbage"])
def test_an_archive_that_cannot_be_used_is_one_line(
    laptop: Path, capsys: pytest.CaptureFixture[str], obstacle: str
) -> None:
    if obstacle == "file":
        (laptop / "log").write_text("a file")
    else:
        (laptop / "log" / "_delta_log").mkdir(parents=True)
        (laptop / "log" / "_delta_log" / f"{0:020}.json").write_text("garbage\n")
    (laptop / "in").write_text("{}\n")
    refused(capsys, "produce", "t", "in")
    refused(capsys, "log", "t")


@pytest.mark.slow
def test_a_full_disk_is_one_line(laptop: Path) -> None:
    """The limit on a file's size stands for the full disk."""
    (laptop / "in").write_bytes(b"".join(b'"%s"\n' % os.urandom(40).hex().encode() for _ in range(50_000)))
    code = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
    code += "from jobs.admin.headrace import main; main(['produce', 't', 'in'])"
    root = Path(__file__).parents[4]
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(root)}
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("headrace: ")
    assert ended.stderr.count("\n") == 1
    assert list((laptop / "log").rglob("*.parquet")) == []


def test_retention_is_for_kafka(laptop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (laptop / "in.ndjson").write_text("{}\n")
    assert "--retention is for Kafka" in refused(capsys, "produce", "t", "in.ndjson", "--retention", "forever")
    assert not (laptop / "log").exists()
