"""A person says that time has come: rows become final, and later batches keep to it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.answers.outcomes import Outcomes, Then
from jobs.keeping import ledger, microbatch
from jobs.keeping.completion import complete
from jobs.publishing.results import query
from jobs.run import LOCAL_PROFILE, Run
from jobs.running.errors import Refused
from jobs.running.places import Places
from tests.jobs.admin.command import run
from tests.jobs.keeping import searches
from tests.jobs.keeping.searches import Visit, Visits
from tests.jobs.steps import Stopped, stopping_at
from tests.jobs.visits import COUNTED, SEEN, START, write

HOUR = timedelta(hours=1)
END = START + 3 * HOUR
"""Of the window of the last good one of 25 visits, which is of 10:41."""


def finals(places: Places) -> dict[datetime, set[bool]]:
    """{start of a window: whether its rows are final}"""
    found: dict[datetime, set[bool]] = {}
    for row in query(places, "select window_start, final from visits_v1", "visits_v1").to_pylist():
        found.setdefault(row["window_start"], set()).add(row["final"])
    return found


def typed(places: Places, folder: Path, until: str) -> int:
    """headrace complete visits_v1 with a job file; the exit code."""
    (folder / "conf").mkdir(exist_ok=True)
    (folder / "conf" / LOCAL_PROFILE).write_text("")  # the session of the tests goes on
    lines = [f'{name} = "{getattr(places, name)}"' for name in ("archive", "tables", "checkpoints")]
    (folder / "conf" / "local.toml").write_text("\n".join(lines))
    (folder / "own.py").write_text("from tests.jobs.visits import COUNTED as RESULT\n")
    arguments = ("--job", f"{folder}/own.py", "--places", f"{folder}/conf/local.toml")
    return run("complete", "visits_v1", "--until", until, *arguments)


def test_windows_become_final_and_stay_so(
    a_run: Callable[..., Run], places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(places, 0, 25)
    before = microbatch.keep(a_run(), COUNTED)
    assert before.complete_time and START + HOUR < before.complete_time < END - HOUR
    open_hours = {START: {True}, START + HOUR: {False}, START + 2 * HOUR: {False}}
    assert finals(places) == open_hours
    with pytest.raises(Stopped):
        complete(a_run(step=stopping_at("after windows")), COUNTED, END)
    microbatch.keep(a_run(), COUNTED)
    assert finals(places) == open_hours

    all_final = {start: {True} for start in open_hours}
    assert typed(places, tmp_path, "2024-05-01T13:00:00+02:00") == 0
    assert "visits_v1: complete to 2024-05-01T11:00:00Z" in capsys.readouterr().out
    assert finals(places) == all_final
    row = ledger.last(places, "visits_v1")
    assert row and (row.kind, row.records, row.complete_time, row.until_time) == ("complete", 0, END, END)

    write(places, 25, 29)  # from 10:55 to 11:16
    last = microbatch.keep(a_run(), COUNTED)
    assert (last.complete_time, last.until_time, last.reopened) == (END, END, 0)
    assert finals(places) == all_final | {END: {False}}
    corrected = query(places, "select sum(visits) as visits from visits_v1 where final", "visits_v1").to_pylist()
    assert corrected == [{"visits": len([n for n in range(26) if n % 7 and n % 3])}]


@pytest.mark.parametrize(
    ("until", "why"),
    [
        ("2024-05-01T08:30:00Z", "complete to 2024-05-01T.* already: name a later time"),
        ("2024-05-01T11:00:01Z", "visits_v1 --until 2024-05-01T11:00:00Z$"),
        ("2204-05-01T11:00:00Z", "the latest event that it has read is of 2024-05-01T10:41:00Z"),
    ],
)
def test_a_time_that_helps_nobody_is_refused(until: str, why: str, ended: Callable[..., Run]) -> None:
    with pytest.raises(Refused, match=why):
        complete(ended(), COUNTED, datetime.fromisoformat(until))


@pytest.fixture(scope="module")
def ended(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Makes a run in places where 25 visits were read; the last one, of 10:48, has no site."""
    folder = tmp_path_factory.mktemp("ended")
    places = Places(archive=f"{folder}/archive", tables=f"{folder}/tables", checkpoints=f"{folder}/checkpoints")
    write(places, 0, 25)
    made = Run(spark, places, say=lambda _: None)
    microbatch.keep(made, COUNTED)
    return lambda: made


def test_what_is_no_time_or_has_nothing_to_become_final_is_refused(
    a_run: Callable[..., Run], places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(places, tmp_path, "2024-05-01T11:00:00") == 1
    assert "--until '2024-05-01T11:00:00' is no time: give ISO-8601 with a zone" in capsys.readouterr().err
    with pytest.raises(Refused, match="before its first run"):
        complete(a_run(), COUNTED, END)
    write(places, 0, 3)
    microbatch.keep(a_run(), SEEN)
    with pytest.raises(Refused, match="a row for each record"):
        complete(a_run(), SEEN, END)


def test_answers_of_events_become_final(spark: SparkSession, tmp_path: Path) -> None:
    def at(minute: int) -> datetime:
        return searches.START + timedelta(minutes=minute)

    def add(*visits: tuple[str, str, int]) -> None:
        world.add([Visit(topic, user, at(minute), "w", False) for topic, user, minute in visits])

    def outcomes() -> dict[str, tuple[str, bool]]:
        return {row["user"]: (row["outcome"], row["final"]) for row in world.rows()}

    answer = Outcomes("searches", ("user",), (Then("clicks", "3 minutes"),))
    world = Visits(spark, tmp_path, searches.result("r_v1", answer))
    add(("searches", "ann", 0), ("searches", "cid", 20), ("clicks", "bob", 0), ("clicks", "eve", 19))
    world.keep()
    assert outcomes() == {"ann": ("not_matched", True), "cid": ("open", False)}
    job = Run(spark, world.places, say=lambda _: None)
    with pytest.raises(Refused, match="falls due at 2024-05-01T12:23:01Z"):
        complete(job, world.result, at(24))
    until = at(23) + timedelta(seconds=1)
    with pytest.raises(Stopped):
        complete(Run(spark, world.places, step=stopping_at("after publish"), say=job.say), world.result, until)
    world.keep()
    assert outcomes()["cid"] == ("open", False)
    complete(job, world.result, until)
    assert outcomes() == {"ann": ("not_matched", True), "cid": ("not_matched", True)}
    add(("clicks", "cid", 21), ("searches", "dan", 22))
    world.keep()
    assert outcomes() == {"ann": ("not_matched", True), "cid": ("matched", True), "dan": ("open", False)}
    last = ledger.last(world.places, "r_v1")
    assert last and last.complete_time == last.until_time == until.astimezone(UTC)
