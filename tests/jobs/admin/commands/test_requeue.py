"""Quarantined records read again: each once, whatever stops it, and the job goes on as before."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from jobs.admin.catalogue import find
from jobs.admin.headrace import main
from jobs.answers.result import Late
from jobs.keeping import ledger, microbatch
from jobs.keeping.requeue import requeue
from jobs.publishing.results import query
from jobs.run import LOCAL_PROFILE, Run
from jobs.running.errors import Refused
from jobs.running.places import Places
from tests.altered import altered
from tests.jobs.steps import Stopped, stopping_at
from tests.jobs.visits import COUNTED, MENDED, MINUTE, SEEN, START, expected, write


def found(places: Places) -> dict[tuple[datetime, str | None], tuple[int, int]]:
    rows = query(places, "select * from visits_v1", "visits_v1").to_pylist()
    inside = {(row["window_start"], row["site"]): (row["visits"], row["who_estimate"]) for row in rows}
    assert len(inside) == len(rows)
    panes = query(places, "select sum(visits) as visits from visits_v1_panes", "visits_v1_panes").to_pylist()
    assert panes[0]["visits"] == sum(visits for visits, _ in inside.values())
    return inside


def quarantine(places: Places, name: str = "visits_v1") -> tuple[int, int]:
    """(waiting, requeued)"""
    table = f"{name}_quarantine"
    counted = query(places, f"select count(*) a, count(requeued_sequence) b from {table}", table).to_pylist()[0]
    return counted["a"] - counted["b"], counted["b"]


def counts(places: Places, name: str = "visits_v1") -> tuple[int, int]:
    """(records of the log, waiting), as the ledger says."""
    rows = query(places, f"select kind, records, quarantined from {name}_ledger", f"{name}_ledger").to_pylist()
    return sum(r["records"] for r in rows if r["kind"] == "batch"), sum(r["quarantined"] for r in rows)


def command(places: Places, folder: Path) -> None:
    """headrace requeue visits_v1, with a job file in which the schema is mended."""
    (folder / "conf").mkdir()
    (folder / "conf" / LOCAL_PROFILE).write_text("")  # the session of the tests goes on
    lines = [f'{name} = "{getattr(places, name)}"' for name in ("archive", "tables", "checkpoints")]
    (folder / "conf" / "local.toml").write_text("\n".join(lines))
    own = "from tests.altered import altered\nfrom tests.jobs.visits import COUNTED, MENDED\n"
    (folder / "own.py").write_text(own + "RESULT = altered(COUNTED, topic=MENDED)\n")
    with pytest.raises(SystemExit) as ended:
        main(["requeue", "visits_v1", "--job", f"{folder}/own.py", "--places", f"{folder}/conf/local.toml"])
    assert not ended.value.code


@pytest.mark.long
def test_each_record_goes_in_once_wherever_a_requeue_stops(
    a_run: Callable[..., Run], places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(places, 0, 25)
    microbatch.keep(a_run(), COUNTED)
    assert found(places) == expected(25, without_site=False)
    assert quarantine(places) == (11, 0)
    mended = altered(COUNTED, topic=MENDED)
    for name in ("after panes", "after quarantine", "after windows"):
        with pytest.raises(Stopped):
            requeue(a_run(step=stopping_at(name)), mended)
        last = ledger.last(places, "visits_v1")
        assert last and last.kind != "requeue"
    said: list[str] = []
    row = requeue(a_run(say=said.append), mended)
    assert (row.kind, row.records, row.quarantined, row.published_sequence) == ("requeue", 7, -7, row.sequence)
    assert found(places) == expected(25, without_site=True)
    assert quarantine(places) == (4, 7)
    assert counts(places) == (25, 4)
    assert said[-1] == "visits_v1: 7 of 11 records can be read now, 4 go on waiting"

    command(places, tmp_path)
    assert "nothing to requeue, 4 records wait" in capsys.readouterr().out
    after = ledger.last(places, "visits_v1")
    assert after and after.sequence == row.sequence


def test_the_job_goes_on_after_a_requeue(a_run: Callable[..., Run], places: Places) -> None:
    write(places, 0, 10)
    first = microbatch.keep(a_run(), COUNTED)
    mended = altered(COUNTED, topic=MENDED)
    row = requeue(a_run(), mended)
    assert row.records == 3
    assert (row.generation, row.batch_id, row.end_offsets) == (first.generation, first.batch_id, first.end_offsets)
    write(places, 10, 25)
    last = microbatch.keep(a_run(), mended)
    assert (last.generation, last.batch_id) == (first.generation, first.batch_id + 1)
    assert found(places) == expected(25, without_site=True)
    assert sum(quarantine(places)) == 3 + 4
    assert counts(places) == (25, 4)


def test_a_batch_that_stopped_half_way_does_not_come_twice(a_run: Callable[..., Run], places: Places) -> None:
    write(places, 0, 10)
    microbatch.keep(a_run(), COUNTED)
    write(places, 10, 25)
    with pytest.raises(Stopped):
        microbatch.keep(a_run(step=stopping_at("after panes")), COUNTED)
    mended = altered(COUNTED, topic=MENDED)
    assert requeue(a_run(), mended).records == 3
    microbatch.keep(a_run(), mended)
    assert found(places) == expected(25, without_site=True)
    assert counts(places) == (25, 4)


def test_late_records_go_in_as_corrections(a_run: Callable[..., Run], places: Places) -> None:
    """The first twelve visits are written last, and so more than ten minutes late."""
    near = SimpleNamespace(**vars(MENDED), MAX_AHEAD="10 minutes")
    waiting = altered(COUNTED, topic=near, late=Late("10 minutes", "quarantine"))
    write(places, 12, 25)
    write(places, 0, 12)
    microbatch.keep(a_run(), waiting)
    assert sum(visits for visits, _ in found(places).values()) == 11  # of 13, and 2 are no JSON
    assert quarantine(places) == (14, 0)
    assert requeue(a_run(), waiting).records == 10
    assert found(places) == expected(25, without_site=True)
    assert quarantine(places) == (4, 10)
    assert counts(places) == (25, 4)


def test_membership_says_too_late(a_run: Callable[..., Run], places: Places) -> None:
    write(places, 0, 10)
    microbatch.keep(a_run(), SEEN)
    filters = query(places, "select partition, bits from again_v1_filters order by partition", "again_v1_filters")
    requeue(a_run(), altered(SEEN, topic=MENDED))
    rows = query(places, "select seen_before, event_time from again_v1", "again_v1").to_pylist()
    again = {(row["event_time"] - START) // (7 * MINUTE) for row in rows if row["seen_before"] is None}
    assert again == {3, 6, 9}
    assert len(rows) == 8
    assert counts(places, "again_v1") == (10, 2)
    after = query(places, "select partition, bits from again_v1_filters order by partition", "again_v1_filters")
    assert after == filters


def test_before_the_first_run_there_is_nothing(a_run: Callable[..., Run]) -> None:
    with pytest.raises(Refused, match="first run"):
        requeue(a_run(), COUNTED)


def test_a_result_is_found_by_its_name(tmp_path: Path) -> None:
    assert find("unique_aircraft_v1").name == "unique_aircraft_v1"
    with pytest.raises(Refused, match=r"ground_stop_v1, .*turnaround_v1"):
        find("none_v1")
    own = tmp_path / "own.py"
    own.write_text("from dataclasses import replace\nfrom jobs.departure_delay import RESULT as THEIRS\n")
    with pytest.raises(Refused, match="it has none"):
        find("own_v1", own)
    own.write_text(own.read_text() + "RESULT = replace(THEIRS, name='own_v1')\n")
    assert find("own_v1", own).name == "own_v1"
    own.write_text("1 / 0")
    with pytest.raises(Refused, match="ZeroDivisionError"):
        find("own_v1", own)
    with pytest.raises(Refused, match="no job file"):
        find("own_v1", tmp_path / "none.py")
