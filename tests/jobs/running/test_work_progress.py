"""A bar on a terminal, lines elsewhere."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from jobs.running import work_progress

ROOT = Path(__file__).parent.parent.parent.parent
PROGRAM = """
from jobs.running import diagnostics, work_progress

with work_progress.show("trips: sending [all]", 2_000) as advance:
    advance(1_500)
    diagnostics.inform("trips: half way")
with work_progress.show_wait("trips: publishing"):
    pass
"""


def terminal_output(**environment: str) -> str:
    """What PROGRAM shows on a terminal of 100 columns."""
    here, there = pty.openpty()
    everything = os.environ | {"COLUMNS": "100", "TERM": "xterm"} | environment
    started = subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=ROOT, env=everything, stderr=there)
    os.close(there)
    shown = b""
    while True:
        try:
            more = os.read(here, 65_536)
        except OSError:  # the program has ended
            break
        shown += more
    os.close(here)
    assert started.wait() == 0
    return shown.decode()


def test_a_terminal_shows_a_bar_and_lines_stand_above_it() -> None:
    shown = terminal_output()
    assert "trips: sending [all]" in shown and "1,500 of 2,000 records" in shown
    assert re.search(r"\d\d:\d\d:\d\dZ INFO trips: half way", shown)
    assert "trips: publishing" in shown


def test_json_has_no_bar_even_on_a_terminal() -> None:
    lines = [json.loads(line) for line in terminal_output(HEADRACE_LOG_FORMAT="json").splitlines()]
    assert [line["message"] for line in lines] == ["trips: half way", "trips: publishing"]


def test_without_a_terminal_there_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with work_progress.show("trips: sending", 2_000) as advance:
        advance(500)
        monkeypatch.setattr(work_progress, "LINE_SECONDS", 0.0)
        advance(1_000)
    with work_progress.show("trips: producing") as advance:
        advance(7)
    lines = [line.split("INFO ")[1] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["trips: sending: 1,500 of 2,000 records", "trips: producing: 7 records"]


def test_rows_are_counted_and_handed_on() -> None:
    batches = [pa.record_batch({"n": [1, 2]}), pa.record_batch({"n": [3]})]
    counted: list[int] = []
    assert list(work_progress.count_rows(batches, counted.append)) == batches
    assert counted == [2, 1]
