"""When the pages look a result up again, and what one look asks once."""

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deltalake
import pytest

from jobs.admin import assessment
from jobs.admin.database import connection, slot_findings
from jobs.keeping import last_run, ledger, locks
from jobs.keeping.ledger import Row
from jobs.log.kafka import patience
from jobs.running.errors import Refused
from jobs.running.places import Places
from jobs.ui import overview, result_overview
from jobs.ui.overview import Results
from jobs.ui.result_overview import ResultOverview
from tests.jobs import visits
from tests.jobs.ui import made_results


@pytest.fixture
def last(places: Places) -> Row:
    """Of a result that has read all of its topic."""
    return made_results.make(places, "visits_v1", read=made_results.fill_log(places))


def look_again(results: Results) -> tuple[ResultOverview, ...]:
    """All results, in a further round."""
    results._round._until = 0.0
    return results.now(60).results


def append_row(places: Places, last: Row) -> None:
    ledger.write(places, "visits_v1", last.next("batch", records=1))


def append_record(places: Places, last: Row) -> None:
    visits.write(places, made_results.READ, made_results.READ + 1)


def move_table(places: Places, last: Row) -> None:
    shutil.move(places.table("visits_v1"), places.table("elsewhere"))


def fail(places: Places, last: Row) -> None:
    Path(ledger.path(places, "visits_v1"), last_run.FILE).write_text("{}")


def lose_checkpoint(places: Places, last: Row) -> None:
    [file] = Path(places.checkpoints).glob("visits_v1/*/commits/*")
    file.unlink()


@pytest.mark.parametrize("change", [append_row, append_record, move_table, fail, lose_checkpoint])
def test_a_result_is_looked_up_again_once_something_has_changed(
    places: Places, last: Row, change: Callable[[Places, Row], None]
) -> None:
    """And then all is as a fresh look finds it. What has not changed was looked up just now all the same."""
    taken: list[ResultOverview] = []

    def take(where: Places, name: str) -> ResultOverview:
        taken.append(result_overview.take(where, name))
        return taken[-1]

    results = Results(places, take)
    [first], [second] = look_again(results), look_again(results)
    assert len(taken) == 1 and second.assessment is first.assessment and second.taken_time > first.taken_time
    change(places, last)
    [third] = look_again(results)
    assert len(taken) == 2
    assert assessment.record(third.assessment) == assessment.record(assessment.assess(places, "visits_v1"))


def test_a_run_at_work_is_seen(places: Places, last: Row) -> None:
    results = Results(places)
    assert look_again(results)[0].assessment.state != "running"
    with Path(places.checkpoints, "visits_v1.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert look_again(results)[0].assessment.state == "running"
    assert look_again(results)[0].assessment.state != "running"


def test_a_result_is_looked_up_again_after_some_time(
    places: Places, last: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "KEPT_SECONDS", -1.0)
    results = Results(places)
    assert look_again(results)[0].assessment is not look_again(results)[0].assessment


def test_each_table_lock_and_last_run_is_read_once_for_all_that_is_said_of_a_result(
    places: Places, last: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive is opened for its topic once, and once for what its partitions hold."""
    asked: list[str] = []
    for owner, name in ((locks, "_holder"), (last_run, "_read"), (ledger, "_last")):
        real = getattr(owner, name)

        def count(*arguments: Any, real: Callable[..., Any] = real, name: str = name) -> Any:
            asked.append(name)
            return real(*arguments)

        monkeypatch.setattr(owner, name, count)
    opened = deltalake.DeltaTable.__init__

    def count_table(self: deltalake.DeltaTable, path: str, *more: Any, **named: Any) -> None:
        asked.append(path)
        opened(self, path, *more, **named)

    monkeypatch.setattr(deltalake.DeltaTable, "__init__", count_table)
    assessment.assess(places, "visits_v1")
    assert asked.count("_holder") == asked.count("_read") == asked.count("_last") == 1
    tables = [each for each in asked if each.startswith(places.tables)]
    assert places.table("visits_v1") in tables and len(tables) == len(set(tables))
    before = len(asked)
    assessment.assess(places, "visits_v1")
    assert len(asked) == 2 * before, "the next look finds all anew"


def test_a_database_is_asked_once_for_all_topics(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(database: connection.Database) -> None:
        asked.append(database.name)
        raise Refused("nobody is there")

    monkeypatch.setattr(connection, "open_connection", refuse)
    named = {"shop": {"url": "postgresql://reader@127.0.0.1:1/shop", "slot": "headrace"}}
    home = Places.model_validate(places.model_dump() | {"databases": named})
    with patience.ask_once(lambda _: None):
        found = [list(slot_findings.examine(home, f"shop.public.{table}")) for table in ("a", "b", "c")]
    assert asked == ["shop"] and [each.remedy for [each] in found] == ["nobody is there"] * 3
    list(slot_findings.examine(home, "shop.public.a"))
    assert asked == ["shop", "shop"]
