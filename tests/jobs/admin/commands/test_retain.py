"""headrace retain and headrace compact, over ledgers that the test wrote row by row."""

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest
from pyspark.sql.types import StringType, StructField, StructType

import schemas
from jobs.admin.commands.retain import size
from jobs.answers.result import Reads, Result
from jobs.answers.windows import Tumbling, Windows
from jobs.facts.panes import Panes
from jobs.keeping import ledger
from jobs.keeping.ledger import Position, Row
from jobs.log.archive import compaction, rewrite, writer
from jobs.log.archive.snapshot import Snapshot, records
from jobs.running.places import Places
from tests.jobs.admin.command import run

DAY = timedelta(days=1)


@pytest.fixture
def laptop(tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with the places file that the commands look for."""
    (tmp_path / "conf").mkdir()
    lines = (f'{name} = "{getattr(places, name)}"' for name in ("archive", "tables", "checkpoints"))
    (tmp_path / "conf" / "local.toml").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fill(places: Places, ages_days: list[int], keys: list[bytes | None] | None = None) -> None:
    """Records so many days old, in one partition."""
    now = datetime.now(UTC)
    columns = {
        "key": pa.array(keys or [None] * len(ages_days), pa.binary()),
        "value": [b"v%d" % number for number in range(len(ages_days))],
        "timestamp": pa.array([now - age * DAY for age in ages_days], pa.timestamp("us", "UTC")),
    }
    writer.append(places.archive, "visits", 1, [pa.record_batch(columns)])


def reads(places: Places, name: str, offset: int, **definition: str) -> None:
    """A result that has read the topic up to `offset`."""
    ledger.create(places, name)
    first = Row(1, "start", 1, -1, definition={"topic": "visits", "panes": "None", "membership": "None"} | definition)
    ledger.write(places, name, first)
    ledger.write(places, name, first.next("batch", batch_id=0, end_offsets={0: offset}))


def reads_further(places: Places, name: str, offset: int) -> None:
    """A result that has read another topic to some offset, and this one, beside it, up to `offset`."""
    ledger.create(places, name)
    first = Row(1, "start", 1, -1, definition={"topic": "searches", "answers": "Outcomes()"})
    ledger.write(places, name, first)
    read = {"visits": Position(end_offsets={0: offset})}
    ledger.write(places, name, first.next("batch", batch_id=0, end_offsets={0: 99}, further_topics=read))


def held(places: Places) -> list[int]:
    return records(places.archive, "visits", 0, 0, 1000)["offset"].to_pylist()


def test_by_age_the_front_goes_up_to_the_first_young_record(laptop: Path, places: Places) -> None:
    fill(places, [50, 40, 3, 45, 2, 1])
    reads(places, "counted_v1", 6)
    assert run("retain", "visits", "--older-than", "30 days") == 0
    assert held(places) == [2, 3, 4, 5], "the old record behind a young one stays, as in Kafka"
    assert run("retain", "visits", "--older-than", "1 second") == 0
    assert held(places) == []
    assert Snapshot(places.archive, "visits").refresh().ends == {0: 6}


def test_by_size_whole_files_go(laptop: Path, places: Places) -> None:
    for _ in range(3):
        fill(places, [5] * 10)
    sizes = [file.bytes for file in Snapshot(places.archive, "visits").refresh().files]
    assert run("retain", "visits", "--larger-than", f"{sum(sizes[1:]) + 1} B") == 0
    assert len(held(places)) == 30
    assert run("retain", "visits", "--larger-than", f"{sum(sizes[1:])} B") == 0
    assert held(places) == list(range(10, 30))


def test_what_a_result_has_not_read_stays_unless_it_is_forced(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(places, [50, 40, 35, 33, 2])
    reads(places, "behind_v1", 1)
    reads(places, "far_v1", 4)
    reads(places, "elsewhere_v1", 0, topic="other")
    assert run("retain", "visits", "--older-than", "30 days") == 1
    said = capsys.readouterr().err
    assert said.startswith("headrace: topic visits: results have not read records that would go (behind_v1, partition")
    assert "partition 0: 3)" in said
    assert "far_v1" not in said
    assert said.count("\n") == 1
    assert run("retain", "visits", "--older-than", "30 days", "--dry-run") == 0
    shown = capsys.readouterr().out
    rows = [[cell.strip() for cell in re.split("[│|]", line)[1:-1]] for line in shown.splitlines() if "│" in line]
    assert ["0", "0", "4", "5", "4"] in rows
    assert ["behind_v1", "0", "1", "3", "3"] in rows
    assert not [row for row in rows if row[0] in ("far_v1", "elsewhere_v1")]
    assert held(places) == [0, 1, 2, 3, 4]
    assert run("retain", "visits", "--older-than", "30 days", "--force") == 0
    assert held(places) == [4]
    assert "4 records left the archive" in capsys.readouterr().out


def test_what_a_result_reads_beside_another_topic_stays(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(places, [50, 40, 35, 2])
    reads_further(places, "joined_v1", 2)
    assert run("retain", "visits", "--older-than", "30 days") == 1
    assert "(joined_v1, partition 0: 1)" in capsys.readouterr().err


def test_headrace_log_says_where_a_partition_begins(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(places, [50, 40, 2])
    assert run("retain", "visits", "--older-than", "30 days") == 0
    capsys.readouterr()
    assert run("log", "visits") == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("│ 0"))
    assert [cell.strip() for cell in row.split("│")[1:5]] == ["0", "2", "2", "1"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), 'give --older-than "30 days"'),
        (("--older-than", "soon"), '"soon" is not a duration'),
        (("--larger-than", "10"), '"10" is not a size'),
        (("--older-than", "9999999 days"), "is too long"),
    ],
)
def test_limits_that_make_no_sense(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    fill(places, [50])
    assert run("retain", "visits", *options) == 1
    assert said in capsys.readouterr().err
    assert run("retain", "unknown", "--older-than", "30 days") == 1
    assert "topic unknown has no records" in capsys.readouterr().err


def test_a_ledger_that_cannot_be_read_stops_both(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(places, [50])
    (laptop / "tables" / "broken_v1_ledger" / "_delta_log").mkdir(parents=True)
    (laptop / "tables" / "broken_v1_ledger" / "_delta_log" / f"{0:020}.json").write_text("garbage\n")
    assert run("retain", "visits", "--older-than", "30 days") == 1
    assert "nobody knows what broken_v1 has read" in capsys.readouterr().err
    assert held(places) == [0]


@pytest.mark.parametrize(
    ("words", "number"), [("0 B", 0), ("10 GB", 10_000_000_000), ("2 MiB", 2_097_152), (" 7  kB ", 7_000)]
)
def test_a_size_is_a_number_of_bytes_with_its_unit(words: str, number: int) -> None:
    assert size(words) == number


@pytest.mark.parametrize("words", ["", "10", "10 gb", "-1 GB", "1.5 GB", "GB", "² GB"])
def test_sizes_that_make_no_sense(words: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        size(words)


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A schema file of the topic visits, in a folder of schemas."""
    folder = tmp_path / "more_schemas"
    folder.mkdir()
    (folder / "visit.py").write_text('TOPIC = "visits"\nCOMPACTED = True\n')
    monkeypatch.setattr(schemas, "__path__", [*schemas.__path__, str(folder)])
    yield schemas
    sys.modules.pop("schemas.visit", None)


@pytest.mark.usefixtures("declared")
def test_compaction_goes_as_far_as_all_have_read(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(places, [4, 3, 2, 1, 0], [b"a", b"b", b"a", b"b", b"a"])
    reads(places, "slow_v1", 2)
    reads(places, "fast_v1", 5)
    assert run("compact", "visits", "--dry-run") == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("│ 0"))
    assert [cell.strip() for cell in row.split("│")[1:-1]] == ["0", "5", "2", "5", "2", "0"]
    assert held(places) == [0, 1, 2, 3, 4]
    assert run("compact", "visits") == 0
    assert "2 superseded records and 0 tombstones left" in capsys.readouterr().out
    assert held(places) == [2, 3, 4]


@pytest.mark.usefixtures("declared")
def test_a_result_that_counts_every_record_is_not_to_read_a_compacted_topic(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(places, [1, 0], [b"a", b"a"])
    reads(places, "counting_v1", 2, panes="{'every': '5 minutes'}")
    assert run("compact", "visits") == 1
    assert "read by counting_v1, which counts every record" in capsys.readouterr().err
    assert held(places) == [0, 1]
    columns = StructType([StructField("at", StringType())])
    topic = type(
        "Schema", (), {"TOPIC": "visits", "KEY": None, "EVENT_TIME": "at", "COLUMNS": columns, "COMPACTED": True}
    )
    with pytest.raises(ValueError, match="counts every record, and topic visits is compacted"):
        Result("r_v1", Reads(topic, lambda frame: frame), Windows(Panes("1 hour", ()), Tumbling("1 hour")))


def test_a_topic_of_events_is_not_compacted(laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compact", "departures") == 1
    said = capsys.readouterr().err
    assert "topic departures holds events" in said
    assert "say so in schemas/departure.py: COMPACTED = True" in said
    assert run("compact", "visits") == 1
    assert "topic visits has no file in schemas/" in capsys.readouterr().err


@pytest.mark.usefixtures("declared")
def test_the_defaults_of_the_help_are_those_of_the_code(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("compact", "--help") == 0
    assert f"[default: {compaction.TOMBSTONES_FOR}]" in capsys.readouterr().out
    assert rewrite.VACUUM_HOURS == 7 * 24, "the help says a week"
    assert run("compact", "visits", "--tombstones-for", "0 hours") == 1
    assert "is not a duration" in capsys.readouterr().err
