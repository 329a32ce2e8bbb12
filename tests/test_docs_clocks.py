"""The job file of docs/clocks.md does what the page says, with the numbers worked out by hand."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

import schemas
from jobs.decisions.clocks import COLUMNS, REFUSALS, REQUEUED
from jobs.log.archive import writer
from jobs.run import Run
from jobs.running.places import Places
from tests import delta
from tests.jobs.admin import command
from tests.pages import blocks, load_module, page, section

PAGE = "docs/clocks.md"
START = datetime(2024, 5, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SENT = [("d1", "1.0", 0, 5.0), ("d1", "1.0", 1, 7.0), ("d1", "1.0", 2, 9.0),
        ("d2", "1.0", 0, -7200.0), ("d2", "1.1", 1, 0.5), ("d2", "1.1", 1, None)]  # fmt: skip
"""Device, firmware, day, by how many seconds its clock is behind; None: it has no time of sending."""
KEPT = 600 * SECOND
"""So long each tap stays in the device."""
DUE = {
    ("d1", 0): (0, "own", 1),
    ("d1", 1): (0, "own", 2),
    ("d1", 2): (-2, "median", 3),  # the median of 5, 7 and 9 seconds is 2 less than its own
    ("d2", 0): (0, "own", 1),
    ("d2", 1): (0, "own", 1),
}
"""By device and day: how far the corrected time is off, in seconds; method; offsets that agree of the window."""


def write(places: Places) -> None:
    values = []
    for device, firmware, day, behind in SENT:
        clock = START + timedelta(days=day) - SECOND * (behind or 0)
        value = {"tapped_time": (clock - KEPT).isoformat(), "device": device, "firmware": firmware}
        values.append(value | ({} if behind is None else {"sent_time": clock.isoformat()}))
    columns = [
        pa.array([device.encode() for device, *_ in SENT], pa.binary()),
        pa.array([json.dumps(value).encode() for value in values], pa.binary()),
        pa.array([START + timedelta(days=day) for _, _, day, _ in SENT], pa.timestamp("us", "UTC")),
    ]
    writer.append(places.archive, "taps", 2, [pa.record_batch(columns, ["key", "value", "timestamp"])])


def cells(text: str) -> list[list[str]]:
    lines = [line.replace("┃", "│") for line in text.splitlines() if "│" in line or "┃" in line]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_the_job_of_the_page_corrects_taps_and_its_drift_is_shown(
    a_run: Callable[..., Run], places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    files = {name: content for name, _, content in blocks(page(PAGE)) if name}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(schemas, "tap", load_module("schemas.tap", tmp_path / "schemas/tap.py"), raising=False)
    job = load_module("tap_clock", tmp_path / "jobs/tap_clock.py")
    write(places)
    job.main(a_run())
    rows = delta.rows(places.table("tap_clock_v1"))
    assert len(rows) == len(SENT) and rows[0].keys() >= set(COLUMNS.names)
    found = {(row["device"], (row["record_timestamp"] - START).days): row for row in rows if not row["clock_refusal"]}
    for (device, day), (off, method, agree) in DUE.items():
        row = found.pop((device, day))
        assert row["corrected_time"] == START + timedelta(days=day) - KEPT + off * SECOND
        assert (row["clock_method"], row["clock_confidence"]) == (method, agree / 31)
    assert not found
    [refused] = [row for row in rows if row["clock_refusal"]]
    assert (refused["clock_refusal"], refused["corrected_time"]) == ("no_sent", refused["event_time"])

    (tmp_path / "conf").mkdir()
    lines = (f'{name} = "{getattr(places, name)}"' for name in ("archive", "tables", "checkpoints"))
    (tmp_path / "conf" / "local.toml").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert command.run("drift", "tap_clock_v1", "--by", "firmware") == 0
    [shown] = [content for _, language, content in blocks(page(PAGE)) if language == "text"]
    assert cells(capsys.readouterr().out) == cells(shown)


def test_the_page_has_each_column_and_each_refusal() -> None:
    described = section(PAGE, "What the columns mean")
    assert all(f"| `{name}` |" in described for name in COLUMNS.names)
    assert all(f"`{reason}`" in section(PAGE, "Why a time is not corrected") for reason in (*REFUSALS, REQUEUED))
