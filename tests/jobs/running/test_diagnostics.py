"""Lines of programs on standard error: time, level, JSON."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from jobs.keeping.ledger import Row
from jobs.running import diagnostics, environment
from jobs.running.errors import Refused, one_line_errors
from jobs.running.places import Places
from jobs.running.progress import Progress

ROW = Row(2, "batch", 1, 0, records=12_345)


def test_a_line_has_the_time_in_utc_and_a_level(capsys: pytest.CaptureFixture[str]) -> None:
    begun = datetime.now(UTC)
    diagnostics.inform("r_v1: 5 records")
    diagnostics.warn("look")
    diagnostics.fail("the disk is full")
    lines = capsys.readouterr().err.splitlines()
    found = [re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ) (\w+) (.*)", line) for line in lines]
    assert [match and match.groups()[1:] for match in found] == [
        ("INFO", "r_v1: 5 records"),
        ("WARNING", "look"),
        ("ERROR", "the disk is full"),
    ]
    for match in found:
        assert match
        moment = datetime.fromisoformat(match[1])
        assert begun - timedelta(seconds=1) <= moment <= datetime.now(UTC)


def test_on_request_each_line_is_a_json_object(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_LOG_FORMAT", "json")
    progress = Progress()
    progress.count("r_v1", ROW, 7)
    progress.end("rides")
    diagnostics.inform('a "quoted"\nline')
    with pytest.raises(SystemExit), one_line_errors():
        raise Refused("there is no topic.")
    end, quoted, error = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert end["level"] == "INFO" and datetime.fromisoformat(end["time"]).utcoffset() == timedelta(0)
    assert (end["name"], end["records"], end["batches"]) == ("rides", 12_345, 1)
    assert end["message"].startswith("rides: 12,345 records, ") and end["message"].endswith("records/s, 1 batch")
    assert set(quoted) == {"time", "level", "message"} and quoted["message"] == 'a "quoted"\nline'
    assert (error["level"], error["message"]) == ("ERROR", "there is no topic.")


def test_the_end_of_a_run_says_of_which_records_the_numbers_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    for result, read, bad in (("a_v1", 10, 3), ("b_v1", 10, 0), ("a_v1", 2_000, 1_005), ("c_v1", 5, 1)):
        progress.count(result, Row(2, "batch", 1, 0, records=read, quarantined=bad), 0)
    progress.end("rides")
    assert [line.partition(" WARNING ")[2] for line in capsys.readouterr().err.splitlines()[1:]] == [
        "1,008 records are not in the numbers of a_v1: `headrace quarantine a_v1` says why.",
        "1 record is not in the numbers of c_v1: `headrace quarantine c_v1` says why.",
    ]


def test_a_command_that_is_refused_says_so_without_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), one_line_errors():
        raise Refused("there is no topic.")
    assert capsys.readouterr().err == "headrace: there is no topic.\n"


def test_another_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_LOG_FORMAT", "json")
    environment.read(Places)
    monkeypatch.setenv("HEADRACE_LOG_FORMAT", "xml")
    with pytest.raises(Refused, match="HEADRACE_LOG_FORMAT is 'xml': give text or json"):
        environment.read(Places)


def test_a_run_goes_on_when_nobody_reads_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        def write(self, _text: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None: ...

    monkeypatch.setattr("sys.stderr", Closed())
    diagnostics.inform("r_v1: 5 records")
