"""headrace status, over ledgers that the test wrote row by row."""

import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datasketches import kll_doubles_sketch
from deltalake import write_deltalake

from jobs.admin import standing
from jobs.admin.commands import status
from jobs.keeping import ledger
from jobs.keeping.ledger import Position, Row
from jobs.lake import delta_tables
from jobs.log.archive import writer
from jobs.log.partitioner import partitions_of
from jobs.running.places import Places
from schemas import quarantine, straggler
from tests.jobs import visits
from tests.jobs.admin.command import run


@pytest.fixture
def laptop(tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with the places file that the commands look for."""
    (tmp_path / "conf").mkdir()
    lines = (f'{name} = "{getattr(places, name)}"' for name in ("archive", "tables", "checkpoints"))
    (tmp_path / "conf" / "local.toml").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sketch(*lateness: float) -> bytes:
    made = kll_doubles_sketch()
    for seconds in lateness:
        made.update(seconds)
    return bytes(made.serialize())


def keep(places: Places, name: str, generation: int = 1) -> None:
    """A ledger of two batches of 12 and 8 records, the second not published; 4 in quarantine, 1 of them read again."""
    ledger.create(places, name)
    row = Row(1, "start", generation, -1, published_sequence=1, notes=("an old note",))
    ledger.write(places, name, row)
    definition = {"topic": "visits", "windows": "tumbling 1 hour"}
    row = row.next("start", generation=generation + 1, definition=definition, notes=("the checkpoint is missing",))
    ledger.write(places, name, row)
    behind = sketch(*[60.0] * 5)
    counts = {"records": 12, "quarantined": 2, "out_of_order": 5, "late": 1, "lateness_sketch": behind}
    row = row.next("batch", batch_id=0, end_offsets={0: 7, 1: 5}, **counts)
    ledger.write(places, name, row)
    row = row.next("requeue", records=1, quarantined=-1, published_sequence=row.sequence + 1)
    ledger.write(places, name, row)
    counts = {"records": 8, "quarantined": 2, "out_of_order": 1, "late": 1, "lateness_sketch": sketch(7200.0)}
    rates = {"filter_fill": 0.25, "filter_false_positive_rate": 0.004}
    read = visits.START + 19 * 7 * visits.MINUTE
    row = row.next("batch", batch_id=1, end_offsets={0: 11, 1: 9}, record_time=read, **counts, **rates)
    ledger.write(places, name, row)
    bad = f"{name}_quarantine"
    delta_tables.create(places.table(bad), quarantine.COLUMNS, (), "Bad records.")
    reasons = [("not_json", None, None), ("missing_field", "site", 4), ("missing_field", "site", None)]
    rows = [{"reason": r, "field": f, "requeued_sequence": s, "offset": 1} for r, f, s in [*reasons, reasons[0]]]
    kinds = [("reason", pa.string()), ("field", pa.string()), ("requeued_sequence", pa.int64()), ("offset", pa.int64())]
    write_deltalake(
        places.table(bad), pa.Table.from_pylist(rows, schema=pa.schema(kinds)), mode="append", schema_mode="merge"
    )


def test_facts_of_a_result_add_up_its_ledger_and_its_quarantine(places: Places) -> None:
    keep(places, "visits_v1")
    visits.write(places, 0, 25)
    found = standing.read(places, "visits_v1")
    assert isinstance(found, standing.Facts)
    assert (found.records, found.waiting, found.requeued) == (20, 3, 1)
    assert (found.out_of_order, found.late, found.unpublished) == (6, 2, 1)
    assert found.published_state == "1 batch behind"
    # 16 good records when they were read: 10 in order, 5 a minute late, 1 two hours
    assert found.lateness == (0.0, 7200.0, 7200.0)
    assert found.notes == ("the checkpoint is missing",)
    assert found.reasons == [("missing_field", "site", 1, 1), ("not_json", None, 2, 0)]
    ends = {partition: end for (_, partition), (_, end) in found.lag.offsets.items()}
    assert sum(end or 0 for end in ends.values()) == 25
    assert {place: read for place, (read, _) in found.lag.offsets.items()} == {("visits", 0): 11, ("visits", 1): 9}
    assert found.lag.records == sum(max(0, (ends[p] or 0) - {0: 11, 1: 9}[p]) for p in (0, 1))
    assert found.lag.minutes == pytest.approx(5 * 7, abs=0.01)
    assert {name: rows for name, rows, _, _ in found.tables} == {"visits_v1_quarantine": 4, "visits_v1_ledger": 5}


def test_a_result_that_has_read_and_published_all_has_no_lag(places: Places) -> None:
    keep(places, "visits_v1")
    last = ledger.last(places, "visits_v1")
    assert last
    visits.write(places, 0, 25)
    before = standing.read(places, "visits_v1")
    assert isinstance(before, standing.Facts)
    ends = {partition: end or 0 for (_, partition), (_, end) in before.lag.offsets.items()}
    row = last.next("batch", end_offsets=ends, published_sequence=last.sequence + 1)
    ledger.write(places, "visits_v1", row)
    found = standing.read(places, "visits_v1")
    assert isinstance(found, standing.Facts)
    assert (found.lag.records, found.lag.minutes, found.published_state) == (0, 0.0, "up to date")


NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def fill(places: Places, topic: str, minutes: dict[int, int], count: int = 4) -> None:
    """So many records in each partition; the timestamp of its last one is so many minutes past noon."""
    for partition, last in minutes.items():
        times = pa.array(
            [NOON + timedelta(minutes=last - n) for n in reversed(range(count))], pa.timestamp("us", "UTC")
        )
        batch = pa.record_batch({"key": keys_of(partition, count), "value": [b"{}"] * count, "timestamp": times})
        writer.append(places.archive, topic, 2, [batch])


def keys_of(partition: int, count: int) -> pa.Array:
    """Keys that Kafka's partitioner puts into this one of two partitions."""
    keys = pa.array([b"k%d" % n for n in range(100)], pa.binary())
    return keys.filter(pa.array(partitions_of(keys, 2, 0) == partition)).slice(0, count)


def joined(places: Places, read: int = 4, clock: datetime | None = None, **more: Any) -> Row:
    """A ledger of a result over two topics of 2 partitions with 4 records each. clicks/1 is at 12:14, the others are
    further; 10 minutes are allowed.
    """
    ledger.create(places, "joined_v1")
    definition = {"topic": "searches", "answers": "Outcomes()", "allowed_lateness": "10 minutes"}
    row = Row(1, "start", 1, -1, definition=definition)
    ledger.write(places, "joined_v1", row)
    clicks = Position("", {}, {0: 4, 1: read}, {0: NOON + HOUR, 1: clock or NOON + timedelta(minutes=14)})
    searches = {0: NOON + HOUR, 1: NOON + 2 * HOUR}
    row = row.next("batch", batch_id=0, end_offsets={0: 4, 1: 4}, stream_time=searches, records=12 + read, late=3)
    row = replace(row, further_topics={"clicks": clicks}, complete_time=NOON + timedelta(minutes=4), **more)
    ledger.write(places, "joined_v1", row)
    fill(places, "searches", {0: 60, 1: 150})
    fill(places, "clicks", {0: 60, 1: 30})
    delta_tables.create(places.table("joined_v1_quarantine"), quarantine.COLUMNS, (), "Bad records.")
    stragglers = places.table("joined_v1_stragglers")
    delta_tables.create(stragglers, straggler.COLUMNS, (), "Late records.")
    done = pa.table({"done": ["corrected", "quarantined", "corrected"]})
    write_deltalake(stragglers, done, mode="append", schema_mode="merge")
    return row


def complete_words(capsys: pytest.CaptureFixture[str]) -> str:
    """What the overview says of joined_v1, below the table."""
    assert run("status") == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("joined_v1: ")]
    return line


def test_who_holds_a_result_back(laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """clicks/1 has the least stream time; its last record is of 12:30, the newest of all topics of 14:30."""
    joined(places)
    said = complete_words(capsys)
    assert said == "joined_v1: complete to 2024-05-01 12:04:00 UTC, held by clicks/1, silent for 2.0 h"
    assert run("status", "joined_v1") == 0
    shown = capsys.readouterr().out
    for words in (
        "searches, clicks",
        "clicks/1",
        "searches/0",
        "late 3",
        "2 corrected, 1 quarantined",
        "1 batch behind",
    ):
        assert words in shown
    assert "to 2024-05-01 12:04:00 UTC, held by clicks/1, silent for 2.0 h" in shown


def test_a_partition_with_unread_records_is_not_silent(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    joined(places, read=1)
    assert complete_words(capsys).endswith("held by clicks/1, which has 3 unread records")
    facts = standing.read(places, "joined_v1")
    assert isinstance(facts, standing.Facts)
    assert facts.lag.records == 3
    assert facts.lag.offsets["clicks", 1] == (1, 4)


def test_nobody_holds_back_what_was_set_or_where_the_silent_do_not_count(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """An idle partition at 12:02 does not count: complete time is later than its clock less what is allowed."""
    row = joined(places, clock=NOON + timedelta(minutes=2))
    assert complete_words(capsys) == "joined_v1: complete to 2024-05-01 12:04:00 UTC"
    until = NOON + 3 * HOUR
    ledger.write(places, "joined_v1", row.next("complete", until_time=until, complete_time=until))
    said = complete_words(capsys)
    assert said == "joined_v1: complete to 2024-05-01 15:00:00 UTC, set by headrace complete"


def test_the_log_is_away(laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    joined(places)
    shutil.rmtree(places.archive)
    assert complete_words(capsys) == "joined_v1: complete to 2024-05-01 12:04:00 UTC, held by clicks/1"


def test_the_overview_fits_80_columns(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No name and no number is broken in two."""
    monkeypatch.setattr(status, "WIDTH", 80)
    joined(places)
    keep(places, "visits_v1")
    assert run("status") == 0
    lines = capsys.readouterr().out.splitlines()
    table = [line for line in lines if not re.match(r"\w+: ", line)]
    assert max(map(len, table)) <= 80
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table if "_v1 " in line]
    assert rows == [
        ["joined_v1", "16", "0", "0", "1 batch behind"],
        ["visits_v1", "20", "unknown", "3", "1 batch behind"],
    ]


def test_the_command_shows_all_results_or_one_and_goes_on_past_a_broken_one(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("status") == 0
    assert "no results yet" in capsys.readouterr().out
    keep(places, "visits_v1")
    (laptop / "tables" / "broken_v1_ledger" / "_delta_log").mkdir(parents=True)
    (laptop / "tables" / "broken_v1_ledger" / "_delta_log" / f"{0:020}.json").write_text("garbage\n")
    assert run("status") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("broken_v1: cannot be read")]
    row = next(line for line in lines if "visits_v1" in line)
    cells = [cell.strip() for cell in re.split("[│|]", row)]
    assert cells[3:-2] == ["20", "unknown", "unknown", "3", "2", "2.0 h", "0.004"]
    assert cells[-2] == "1 batch behind"
    assert run("status", "visits_v1") == 0
    shown = capsys.readouterr().out
    for words in ("generation 2, batch 1", "20 read, 17 good", "3 waiting, 1 requeued", "the checkpoint is missing"):
        assert words in shown
    assert "25.0% of the bits" in shown
    assert "an old note" not in shown
    assert run("status", "broken_v1") == 0
    assert capsys.readouterr().out.startswith("broken_v1: cannot be read")
    assert run("status", "none_v1") == 1
    assert "there are broken_v1, visits_v1" in capsys.readouterr().err


def test_a_file_in_the_place_of_the_tables_is_told_in_one_line(
    laptop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (laptop / "tables").write_text("a file")
    assert run("status") == 0
    said = capsys.readouterr().out
    assert said.startswith("cannot read the folder of tables")
    assert said.count("\n") == 1
