"""headrace status, over ledgers that the test wrote row by row."""

import re
from pathlib import Path

import pyarrow as pa
import pytest
from datasketches import kll_doubles_sketch
from deltalake import write_deltalake

from jobs.admin import standing
from jobs.keeping import ledger
from jobs.keeping.ledger import Row
from jobs.lake import delta_tables
from jobs.running.places import Places
from schemas import quarantine
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
    assert found.windows_state == "1 batch behind"
    # 16 good records when they were read: 10 in order, 5 a minute late, 1 two hours
    assert found.lateness == (0.0, 7200.0, 7200.0)
    assert found.notes == ("the checkpoint is missing",)
    assert found.reasons == [("missing_field", "site", 1, 1), ("not_json", None, 2, 0)]
    ends = {partition: end for partition, (_, end) in found.lag.offsets.items()}
    assert sum(end or 0 for end in ends.values()) == 25
    assert {partition: read for partition, (read, _) in found.lag.offsets.items()} == {0: 11, 1: 9}
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
    ends = {partition: end or 0 for partition, (_, end) in before.lag.offsets.items()}
    row = last.next("batch", end_offsets=ends, published_sequence=last.sequence + 1)
    ledger.write(places, "visits_v1", row)
    found = standing.read(places, "visits_v1")
    assert isinstance(found, standing.Facts)
    assert (found.lag.records, found.lag.minutes, found.windows_state) == (0, 0.0, "up to date")


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
