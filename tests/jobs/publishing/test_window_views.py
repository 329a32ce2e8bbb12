"""A view for each kind of window: a naive sum is right in headrace query, in pandas and in DuckDB."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from sqlglot import exp

from jobs.lake import pointers
from jobs.lake.pointers import Switch
from jobs.publishing import results, tables, window_views
from jobs.running.errors import Refused
from jobs.running.places import Places
from tests.jobs.admin.command import run
from tests.jobs.admin.versions.kept_results import KeptResult, places_file

ZONE = "America/New_York"
DAY = f"day {ZONE}"
HALF_HOURS = "hopping 1 hour every 30 minutes"
RIDES = [datetime(2013, 3, day, hour, 10, tzinfo=UTC) for day in (9, 10, 11) for hour in (3, 4, 5, 6, 23)]
"""Fifteen rides around the night in which clocks go forward: midnight comes at 5 o'clock, and from the 11th at 4."""
HOUR = timedelta(hours=1)


def spans(moment: datetime) -> list[tuple[str, datetime, datetime]]:
    """The windows that hold an instant: label, start, end."""
    hour = moment.replace(minute=0)
    hops = [(HALF_HOURS, start, start + HOUR) for start in (hour - HOUR / 2, hour)]
    day = moment.astimezone(ZoneInfo(ZONE)).replace(hour=0, minute=0)
    return [("tumbling 1 hour", hour, hour + HOUR), *hops, (DAY, day, day + timedelta(days=1))]


def windows(kind: str = "window_kind") -> pa.Table:
    """The published windows of the rides, with the label of their kind in this column."""
    counts: dict[tuple[str, datetime, datetime], int] = {}
    for moment in RIDES:
        for span in spans(moment):
            counts[span] = counts.get(span, 0) + 1
    labels, starts, ends = zip(*counts, strict=True)
    times = pa.timestamp("us", "UTC")
    return pa.table(
        {kind: labels, "window_start": pa.array(starts, times), "window_end": pa.array(ends, times)}
        | {"rides": list(counts.values())}
    )


@pytest.fixture(autouse=True)
def laptop(tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current folder below that of a project, whose result rides_v1 is published, and has the name rides."""
    places_file(places, tmp_path)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.delenv("HEADRACE_PLACES", raising=False)
    definition = {"topic": "rides", "windows": f"tumbling 1 hour; {HALF_HOURS} without uniques; {DAY}"}
    KeptResult(places, "rides_v1", definition).publish({0: len(RIDES)}, _=windows(), feed=windows())
    pointers.append(places, pointers.read(places), Switch("promote", "rides", "", "rides_v1", "id"))


def days() -> dict[date, int]:
    """Rides of each date in New York."""
    dates = [moment.astimezone(ZoneInfo(ZONE)).date() for moment in RIDES]
    return {each: dates.count(each) for each in dates}


@pytest.mark.parametrize("name", ["rides_v1", "rides"])
def test_a_sum_over_a_view_counts_each_record_once(name: str) -> None:
    assert tables.query(f"select sum(rides) as n from {name}").to_pylist() == [{"n": 4 * len(RIDES)}]
    joined = f"""select (select sum(rides) from {name}_1_hour) as hours, sum(rides) as rides, window_date
        from {name}_day_america_new_york group by window_date"""
    rows = tables.query(joined).to_pylist()
    assert {row["window_date"]: row["rides"] for row in rows} == days() and len(rows) == len(days()) == 4
    assert {row["hours"] for row in rows} == {len(RIDES)}


def test_pandas_takes_a_window_by_as_much_of_its_label_as_tells_it_from_the_others() -> None:
    for window in ("day", "day America/New_York", "day_america_new_york"):
        frame = tables.pandas("rides", window)
        assert list(frame.columns) == ["window_start", "window_end", "window_date", "rides"]
        assert dict(zip(frame["window_date"], frame["rides"], strict=True)) == days()
    assert tables.pandas("rides_v1", "tumbling 1 hour")["rides"].sum() == len(RIDES)
    assert tables.pandas("rides_v1", HALF_HOURS)["rides"].sum() == 2 * len(RIDES)
    assert len(tables.pandas("rides_v1")) == windows().num_rows


def test_a_table_of_an_earlier_version_has_views_too(places: Places) -> None:
    definition = {"topic": "rides", "windows": "tumbling 1 hour"}
    KeptResult(places, "trips_v1", definition).publish({0: len(RIDES)}, _=windows("window"))
    frame = tables.pandas("trips_v1", "1 hour")
    assert frame["rides"].sum() == len(RIDES) and list(frame.columns) == ["window_start", "window_end", "rides"]


@pytest.mark.parametrize(
    ("name", "window", "said"),
    [
        ("rides_v1", "2 hours", f"rides_v1 has no window '2 hours'; it has tumbling 1 hour, {HALF_HOURS}, {DAY}"),
        ("rides_v1", "week", "rides_v1 has no window"),
        ("rides_v1_ledger", "day", "it has none"),
        ("walks_v1", "day", "there is no table walks_v1"),
    ],
)
def test_a_window_that_is_not_there_is_refused(name: str, window: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        tables.pandas(name, window)
    assert said in str(refused.value)


def test_places_are_found_as_the_command_finds_them(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tables.here() == places
    monkeypatch.chdir("/")
    with pytest.raises(Refused, match="there is no table rides_v1"):
        tables.pandas("rides_v1")
    monkeypatch.setenv("HEADRACE_PLACES", os.fspath(tmp_path / "conf" / "local.toml"))
    assert len(tables.pandas("rides_v1", "day")) == len(days())


def test_views_lists_them_with_their_windows(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("views") == 0
    found = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert found == [
        ["rides_v1_1_hour", "tumbling 1 hour"],
        ["rides_v1_1_hour_every_30_minutes", HALF_HOURS],
        ["rides_v1_day_america_new_york", DAY],
    ]
    assert run("views", "walks") == 1
    assert "there is no result walks" in capsys.readouterr().err


def test_duckdb_takes_the_statements_as_they_are_printed(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """Its extension delta is downloaded when it is first used; here a function of this name reads the table."""
    assert run("views", "rides", "--dialect", "duckdb") == 0
    statements = capsys.readouterr().out
    assert f"delta_scan('{places.table('rides_v1')}')" in statements
    published = results.query(places, "select * from rides_v1")  # DuckDB finds it by the name of this variable
    with duckdb.connect() as connection:
        connection.register("published", published)
        connection.execute("create macro delta_scan(path) as table select * from published")
        connection.execute(statements)
        assert connection.execute("select sum(rides) from rides_1_hour").fetchall() == [(len(RIDES),)]
        by_date = connection.execute("select window_date, rides from rides_day_america_new_york").fetchall()
    assert dict(by_date) == days()


def test_trino_is_told_what_its_grammar_knows(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """Trino itself is not here: another parser of its SQL takes them. The table has the name that is registered."""
    assert run("views", "rides_v1", "--dialect", "trino") == 0
    first, *statements = capsys.readouterr().out.splitlines()
    assert first.startswith("-- first: call ") and places.table("rides_v1") in first
    parsed = [sqlglot.parse_one(statement.rstrip(";"), read="trino") for statement in statements]
    assert [create.this.name for create in parsed] == [view.name for view in window_views.of_result(places, "rides_v1")]
    assert {table.name for create in parsed for table in create.expression.find_all(exp.Table)} == {"rides_v1"}


def test_each_zone_has_a_name_of_its_own() -> None:
    zones = available_timezones()
    assert len({window_views.suffix(f"day {zone}") for zone in zones}) == len(zones) > 400
    assert window_views.suffix("day Etc/GMT+5") != window_views.suffix("day Etc/GMT-5")
