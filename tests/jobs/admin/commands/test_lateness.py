"""headrace lateness, over an archive that the test wrote: the numbers against a loop over the same records."""

import json
import math
import random
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

import schemas
from jobs.admin.units import length
from jobs.log.archive import writer
from jobs.log.archive.snapshot import records
from jobs.running.places import Places
from tests.jobs.admin.command import run

START = datetime(2024, 3, 1, tzinfo=UTC)
FILE = """
from pyspark.sql.types import StringType, StructField, StructType, TimestampType

TOPIC = "pulses"
KEY = "sensor"
EVENT_TIME = "at"
COLUMNS = StructType([StructField("at", TimestampType(), False), StructField("sensor", StringType(), False){more}])
"""


@pytest.fixture
def laptop(tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current directory with conf/local.toml, and a folder of schemas with the file of the topic pulses."""
    (tmp_path / "conf").mkdir()
    lines = (f'{name} = "{getattr(places, name)}"' for name in ("archive", "tables", "checkpoints"))
    (tmp_path / "conf" / "local.toml").write_text("\n".join(lines))
    (tmp_path / "more_schemas").mkdir()
    (tmp_path / "more_schemas" / "pulse.py").write_text(FILE.format(more=""))
    monkeypatch.setattr(schemas, "__path__", [*schemas.__path__, str(tmp_path / "more_schemas")])
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("pulse", "pulse_wide"):
        sys.modules.pop(f"schemas.{name}", None)


def write(places: Places, log: list[tuple[str, int, int]], others: tuple[bytes, ...] = ()) -> None:
    """Records of (sensor, event time, record timestamp), both in seconds after START; then other values."""
    values = [json.dumps({"at": (START + timedelta(seconds=at)).isoformat(), "sensor": s}).encode() for s, at, _ in log]
    times = [START + timedelta(seconds=stamp) for _, _, stamp in log] + [START] * len(others)
    columns = {
        "key": pa.array([s.encode() for s, _, _ in log] + [b"x"] * len(others), pa.binary()),
        "value": pa.array([*values, *others], pa.binary()),
        "timestamp": pa.array(times, pa.timestamp("us", "UTC")),
    }
    writer.append(places.archive, "pulses", 2, [pa.record_batch(columns)])


def cells(shown: str, first: str) -> list[str]:
    """Those of the row that begins with this cell."""
    rows = [[cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in shown.splitlines() if "│" in line]
    [row] = [row for row in rows if row[0] == first]
    return row[1:]


def expected(behind: list[int], ahead: list[int]) -> list[str]:
    """The cells of a row of these seconds."""
    late = sorted(behind)
    ranks = [-(-per_mille * len(late) // 1000) for per_mille in (500, 900, 990, 999, 1000)]
    out_of_order = f"{sum(each > 0 for each in late):,}"
    clock = [f"{len(ahead):,}", length(max(ahead, default=0))]
    return [f"{len(late):,}", out_of_order, *(length(late[rank - 1]) for rank in ranks), *clock]


def test_the_tables_are_those_of_a_loop_over_the_records(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    dice = random.Random(3)
    log = []
    for n in range(3000):
        back = dice.choice([0] * 60 + [5, 61, 300, 301, 500, 4000])
        log.append((f"s{dice.randrange(30)}", 10 * n - back, 10 * n - dice.choice([0] * 20 + [1, 400])))
    write(places, log, (b"garbage", b'{"at":"2024-03-01T00:00:00Z"}'))
    behind: dict[object, list[int]] = {}
    ahead: dict[object, list[int]] = {}
    for partition in (0, 1):
        stream = -math.inf
        for row in records(places.archive, "pulses", partition, 0, 9999).to_pylist():
            value = json.loads(row["value"]) if b"sensor" in row["value"] else None
            if value is None:
                continue
            at = int((datetime.fromisoformat(value["at"]) - START).total_seconds())
            late, far = max(0, stream - at), at - int((row["timestamp"] - START).total_seconds())
            stream = max(stream, at)
            for key in (partition, "all", value["sensor"]):
                behind.setdefault(key, []).append(int(late))
                ahead.setdefault(key, []).extend([far] if far > 0 else [])
    assert run("lateness", "pulses", "--by", "sensor") == 0
    shown = capsys.readouterr().out
    for key in (0, 1, "all"):
        assert cells(shown, str(key)) == expected(behind[key], ahead[key])
    sensors = [line.split("│")[1].strip() for line in shown.splitlines() if re.match(r"│ s\d", line)]
    order = {name: (sorted(behind[name])[-(-990 * len(behind[name]) // 1000) - 1], max(behind[name])) for name in behind
             if str(name).startswith("s")}  # fmt: skip
    assert [order[name] for name in sensors] == sorted(order.values(), reverse=True)[:20]
    for name in sensors:
        assert cells(shown, name) == expected(behind[name], ahead[name])
    assert "the 20 latest of 30 values of sensor" in shown
    for choice, allowed in (("1 minute", 60), ("5 minutes", 300), ("10 minutes", 600), ("7 days", 604_800)):
        beyond = sum(each > allowed for each in behind["all"])
        assert cells(shown, choice) == [f"{math.floor((3000 - beyond) / 3000 * 10_000) / 100:.2f} %", f"{beyond:,}"]
    farthest = sorted(ahead["all"])
    p99 = farthest[-(-990 * len(farthest) // 1000) - 1]
    assert (
        f"{len(farthest)} of 3,000 event times are ahead of their record timestamp: p99 of them by {length(p99)}, "
        f"at most by {length(farthest[-1])}"
    ) in shown
    assert "left out: 2 of 3,002 records" in shown


def test_the_shortest_that_keeps_enough_is_recommended(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    log = [("a", 100_000, 100_000)] * 990 + [("a", 100_000 - 600, 100_000)] * 5 + [("a", 100_000 - 601, 100_000)] * 5
    write(places, log)
    assert run("lateness", "pulses") == 0
    assert "1 minute keeps 99.00 % of 1,000 records; 10 would be late." in capsys.readouterr().out
    write(places, [("a", 100_000 - 600, 100_000)])
    assert run("lateness", "pulses") == 0
    shown = capsys.readouterr().out
    assert "10 minutes keeps 99.50 % of 1,001 records; 5 would be late." in shown
    assert "no event time is ahead of its record timestamp" in shown
    write(places, [("a", 0, 0)] * 11 + [("a", -604_801, 0)] * 12)
    assert run("lateness", "pulses") == 0
    assert "even 7 days keeps 98.82 % of 1,024 records; 12 would be late. The latest is 8.2 d behind" in (
        capsys.readouterr().out
    )


def test_a_span_is_by_offset_or_by_record_time(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    write(places, [("a", at, 60 * n) for n, at in enumerate([100, 50, 40, 90, 0])])
    for options, row in (
        (["--from", "1", "--to", "4"], ["3", "1", "0 s", "10 s"]),  # 50, 40, 90
        (["--from", "2024-03-01T00:02:00Z"], ["3", "1", "0 s", "90 s"]),  # 40, 90, 0
        (["--to", "2024-03-01T00:02:00Z"], ["2", "1", "0 s", "50 s"]),
        (["--to", "99"], ["5", "4", "50 s", "100 s"]),
    ):
        assert run("lateness", "pulses", *options) == 0
        partition = "0" if re.search(r"│ 0 ", shown := capsys.readouterr().out) else "1"
        assert cells(shown, partition)[:4] == row
    assert run("lateness", "pulses", "--from", "5") == 1
    assert "topic pulses holds no records there" in capsys.readouterr().err
    assert run("lateness", "pulses", "--from", "yesterday") == 1
    assert "--from: give a time such as 2025-05-05T08:00:00Z, or an offset" in capsys.readouterr().err


def test_what_is_missing_is_said_in_one_line(laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    def refusal(*arguments: str) -> str:
        assert run("lateness", *arguments) == 1
        message = capsys.readouterr().err
        assert message.startswith("headrace: ") and message.count("\n") == 1
        return message

    assert "topic pulses has no records in" in refusal("pulses")
    write(places, [("a", 0, 0)])
    assert "schemas/pulse.py has no column senosr; it has at, sensor." in refusal("pulses", "--by", "senosr")
    columns = {"key": [b"a"], "value": [b"v"], "timestamp": pa.array([START], pa.timestamp("us", "UTC"))}
    writer.append(places.archive, "bare", 1, [pa.record_batch(columns)])
    assert "topic bare has no file in schemas/ with that TOPIC" in refusal("bare")
    more = ', StructField("tags", StructType(), True)'
    (laptop / "more_schemas" / "pulse_wide.py").write_text(FILE.format(more=more))
    assert "--schema takes one of pulse, pulse_wide: these files of schemas/ are of topic pulses" in refusal("pulses")
    assert run("lateness", "pulses", "--schema", "pulse") == 0
    assert "pulses, by at of schemas/pulse.py" in capsys.readouterr().out
    assert run("lateness", "pulses", "--schema", "pulse_wide") == 0
    assert "only Spark decodes tags: a record that is bad in these alone is measured" in capsys.readouterr().out


def test_a_topic_of_which_nothing_can_be_decoded_is_refused_without_a_value(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    write(places, [], (b"secret", b'{"at":"secret"}'))
    assert run("lateness", "pulses") == 1
    message = capsys.readouterr().err
    assert "none of the 2 records of topic pulses can be decoded without Spark" in message
    assert "secret" not in message
