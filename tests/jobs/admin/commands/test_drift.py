"""headrace drift, over a ledger and a table that the test wrote; the numbers are worked out by hand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from jobs.keeping import ledger
from jobs.keeping.ledger import Row
from jobs.lake import delta_tables
from jobs.running.places import Places
from tests.jobs.admin.command import run
from tests.jobs.keeping.taps import RESULT

START = datetime(2024, 5, 1, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
TIME = pa.timestamp("us", "UTC")
SENT = [("b", "2", 0, 10, None), ("b", "2", 1, 12, None), ("b", "3", 2, 15, None), ("a", "2", 0, -3, None),
        ("a", "2", 1, 0, "no_sent"), (None, None, 0, 1, "no_device")]  # fmt: skip
"""Device, firmware, day of receipt, by how many seconds the clock is behind, refusal."""


@pytest.fixture
def laptop(tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A current directory with the places file that the commands look for."""
    (tmp_path / "conf").mkdir()
    lines = (f'{name} = "{getattr(places, name)}"' for name in ("archive", "tables", "checkpoints"))
    (tmp_path / "conf" / "local.toml").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    return places


def write(places: Places, name: str, **definition: str) -> None:
    """A result of this name with the rows SENT, and one row that the ledger does not know yet."""
    received = [START + day * DAY for _, _, day, _, _ in SENT]
    sent = [None if refusal == "no_sent" else moment - behind * SECOND
            for moment, (*_, behind, refusal) in zip(received, SENT, strict=True)]  # fmt: skip
    columns = {
        "event_time": pa.array([moment or START for moment in sent], TIME),
        "record_timestamp": pa.array(received, TIME),
        "sent_time": pa.array(sent, TIME),
        "device": pa.array([row[0] for row in SENT]),
        "firmware": pa.array([row[1] for row in SENT]),
        "clock_refusal": pa.array([row[4] for row in SENT]),
    }
    write_deltalake(places.table(name), pa.table(columns))
    ledger.create(places, name)
    known = {name: dict(zip(("id", "version"), delta_tables.identity(places.table(name)), strict=True))}
    ledger.write(places, name, Row(1, "batch", 1, 0, tables=known, definition=RESULT.definition() | definition))
    write_deltalake(places.table(name), pa.table(columns).slice(0, 1), mode="append")


def lines(output: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in output.splitlines() if "│" in line]


def test_a_row_for_each_device(laptop: Places, capsys: pytest.CaptureFixture[str]) -> None:
    write(laptop, "tap_clock_v1")
    assert run("drift", "tap_clock_v1") == 0
    assert lines(capsys.readouterr().out) == [
        ["a", "2", "1", "-3.000 s", "-3.000 s", "-3.000 s", "-"],
        ["b", "3", "0", "12.000 s", "10.000 s", "15.000 s", "2.500 s"],  # slopes of 2, 2.5 and 3 seconds a day
        ["-", "1", "1", "-", "-", "-", "-"],
    ]


def test_a_row_for_each_device_and_firmware(laptop: Places, capsys: pytest.CaptureFixture[str]) -> None:
    write(laptop, "tap_clock_v1")
    assert run("drift", "tap_clock_v1", "--by", "firmware") == 0
    found = lines(capsys.readouterr().out)
    assert [row[:2] for row in found] == [["a", "2"], ["b", "2"], ["b", "3"], ["-", "-"]]
    assert found[1] == ["b", "2", "2", "0", "11.000 s", "10.000 s", "12.000 s", "2.000 s"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("other_v1",), "no result other_v1 in "),
        (("seen_v1",), "seen_v1 has no clocks: its job file does not say Reads(..., decide=Clocks(...))."),
        (("hours_v1",), "hours_v1 keeps panes and no row for each record"),
        (("tap_clock_v1", "--by", "colour"), "tap_clock_v1 has no column colour; it has event_time, record_timestamp"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    arguments: tuple[str, ...], message: str, laptop: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    write(laptop, "tap_clock_v1")
    write(laptop, "hours_v1", panes="{'every': '1 hour'}")
    ledger.create(laptop, "seen_v1")
    ledger.write(laptop, "seen_v1", Row(1, "start", 1, -1, definition={"topic": "taps", "panes": "None"}))
    assert run("drift", *arguments) == 1
    found = capsys.readouterr()
    assert found.out == "" and found.err.startswith(f"headrace: {message}") and found.err.count("\n") == 1
