"""headrace backtest: the rows of a plain run over these records alone, and nothing else is touched."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from jobs.admin import job_constants
from jobs.admin.backtest_run import Span, copy_records
from jobs.answers.outcomes import Outcomes, Then
from jobs.log import home
from jobs.log.archive import writer
from jobs.run import LOCAL_PROFILE
from jobs.running.errors import Refused
from jobs.running.places import Places, read_places
from tests import delta
from tests.jobs import visits
from tests.jobs.admin.command import run
from tests.jobs.keeping import orders_and_rates, searches
from tests.jobs.keeping.searches import Visit, Visits
from tests.jobs.keeping.world import places_in

BEHIND = timedelta(hours=1)
"""Of the event times of `searches`, behind the record timestamps."""

SEARCHES = """
from jobs.answers.delivery import File
from jobs.answers.outcomes import Outcomes, Then
from jobs.answers.result import Late, Result
from tests.jobs.keeping.searches import BOTH

WITHIN: str = "3 minutes"
KEPT_FOR, BATCH = "10 minutes", 1000
BOUND = 40
ANSWER = Outcomes("searches", ("user",), (Then("clicks", WITHIN),))
RESULT = Result(
    "r_v1",
    BOTH,
    ANSWER,
    late=Late("2 minutes"),
    facts_for="10 minutes",
    max_records_per_batch=BOUND,
    deliver=(File("nowhere"),),
)
"""
"""It delivers to a place that no places file names, so that a delivery would fail."""

VISITS = """
from jobs.answers.result import Late, Reads, Result
from tests.jobs.visits import COUNTED, STRICT, by_site

NAME, ALLOWED = "visits_v1", "1 hour"
SIZE = None
RESULT = Result("visits_v1", Reads(STRICT, by_site), COUNTED.answers, late=Late("1 hour"))
"""


def text(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def prepare(places: Places, folder: Path, job: str) -> tuple[str, ...]:
    """Write a job file and a places file; the arguments that name them."""
    (folder / "conf").mkdir()
    (folder / "conf" / LOCAL_PROFILE).write_text("")  # the session of the tests goes on
    lines = [f'{name} = "{getattr(places, name)}"' for name in ("archive", "tables", "checkpoints")]
    (folder / "conf" / "local.toml").write_text("\n".join(lines))
    (folder / "own.py").write_text(job)
    return f"{folder}/own.py", "--places", f"{folder}/conf/local.toml"


def contents(*folders: str) -> dict[Path, bytes]:
    """All files below these folders."""
    return {path: path.read_bytes() for folder in folders for path in Path(folder).rglob("*") if path.is_file()}


def test_rows_are_those_of_a_run_over_these_records_alone(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Record timestamps are not in order here, so the span is no range of offsets."""
    answer = Outcomes("searches", ("user",), (Then("clicks", "3 minutes"),))
    everything, alone = (Visits(spark, tmp_path / name, searches.result("r_v1", answer)) for name in ("all", "alone"))
    log = searches.log(seed=7, most_behind=searches.NOT_TOO_LATE)
    everything.add(log)
    everything.keep()
    since, until = log[0].at + timedelta(minutes=6), log[0].at + timedelta(minutes=16)
    within = [visit for visit in log if since <= visit.at < until]
    assert 20 < len(within) < len(log) - 20
    places_of = [place for place, visit in enumerate(log) if visit in within]
    assert places_of[-1] - places_of[0] >= len(within), "others stand among them"
    alone.add(within)
    alone.keep()
    before = contents(everything.places.archive, everything.places.tables, everything.places.checkpoints)

    arguments = prepare(everything.places, tmp_path, SEARCHES)
    span = ("--from", text(since + BEHIND), "--to", text(until + BEHIND))
    assert run("backtest", *arguments, *span, "--folder", f"{tmp_path}/back") == 0
    rows = delta.rows(f"{tmp_path}/back/tables/r_v1")
    plain = [{name: row[name] for name in row if name not in ("revision", "updated_time")} for row in rows]
    assert searches.by_key(plain) == alone.found()
    assert contents(everything.places.archive, everything.places.tables, everything.places.checkpoints) == before
    assert not Path(f"{tmp_path}/back/tables/r_v1_feed").exists()
    output = capsys.readouterr().out
    by_topic = {name: len([visit for visit in within if visit.topic == name]) for name in ("searches", "clicks")}
    assert f"copied: {by_topic['searches']} searches, {by_topic['clicks']} clicks" in output
    outcomes = {name: len([row for row in rows if row["outcome"] == name]) for name in {row["outcome"] for row in rows}}
    counted = ", ".join(f"{outcomes[name]} {name}" for name in sorted(outcomes))
    assert f"r_v1: {len(rows)} rows, {sum(row['final'] for row in rows)} final; {counted}\n" in output
    late = delta.rows(f"{tmp_path}/alone/tables/r_v1_stragglers")
    assert late and f"late: {len(late)} records (" in output


def test_another_constant_gives_other_rows_and_a_topic_may_be_silent(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ann clicks after four minutes; the topic of clicks has no record in the last span."""

    def outcomes(name: str) -> dict[str, str]:
        return {row["user"]: row["outcome"] for row in delta.rows(f"{tmp_path}/{name}/tables/r_v1")}

    def at(minute: int) -> datetime:
        return searches.START + timedelta(minutes=minute)

    answer = Outcomes("searches", ("user",), (Then("clicks", "1 second"),))
    world = Visits(spark, tmp_path, searches.result("r_v1", answer))
    world.add([Visit("searches", "ann", at(0), "w", False), Visit("clicks", "ann", at(4), "w", False)])
    moving = [Visit(topic, "bob", at(30), f"w{n}", False) for topic in ("searches", "clicks") for n in range(9)]
    world.add(moving[:-1])
    arguments = (*prepare(world.places, tmp_path, SEARCHES), "--from", text(at(0) + BEHIND))
    assert run("backtest", *arguments, "--folder", f"{tmp_path}/a") == 0
    assert run("backtest", *arguments, "--folder", f"{tmp_path}/b", "--set", "WITHIN=5 minutes") == 0
    assert (outcomes("a")["ann"], outcomes("b")["ann"]) == ("not_matched", "matched")
    assert (tmp_path / "own.py").read_text() == SEARCHES
    assert run("backtest", *arguments, "--folder", f"{tmp_path}/c", "--to", text(at(4) + BEHIND)) == 0
    assert outcomes("c") == {"ann": "open"}
    assert "copied: 1 searches, 0 clicks" in capsys.readouterr().out


def test_windows_quarantine_and_the_folder_that_it_chooses(
    spark: SparkSession, places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Visits 9 to 24, from 09:03 to 10:48: 14 and 21 are no JSON; of the others 9, 12, 15, 18, 24 have no site."""
    visits.write(places, 0, 25)
    arguments = prepare(places, tmp_path, VISITS)
    assert run("backtest", *arguments, "--from", "2024-05-01T11:00:00+02:00") == 0
    lines = capsys.readouterr().out.splitlines()
    folder = Path(lines[0].removeprefix("folder: "))
    assert folder.parent == tmp_path / "backtests" and folder.name.startswith("visits_v1-20")
    own = read_places(folder / "places.toml")
    assert own.tables == f"{folder}/tables"
    found = {row["window_start"]: row["visits"] for row in delta.rows(f"{own.tables}/visits_v1")}
    # of 09:03 to 09:59 the visits 10, 11, 13, 16, 17; of 10:06 to 10:48 the visits 19, 20, 22, 23
    assert found == {visits.START + timedelta(hours=1): 5, visits.START + timedelta(hours=2): 4}
    assert lines[2] == "visits_v1: 2 rows, 0 final"
    assert lines[3] == "late: 0 records; quarantined: 7"
    assert run("status", "visits_v1", "--places", f"{folder}/places.toml") == 0


@pytest.mark.parametrize(
    ("job", "options", "why"),
    [
        (VISITS, ("--from", "yesterday"), "--from 'yesterday' is no time: give ISO-8601 with a zone"),
        (VISITS, ("--from", "2024-05-01T11:00:00"), "with a zone"),
        (VISITS, ("--from", "2024-05-01T11:00:00Z", "--to", "2024-05-01T11:00:00Z"), "is not after --from"),
        (
            VISITS,
            ("--from", "2024-05-01T10:49:00Z"),
            "visits: no records with a record timestamp from 2024-05-01T10:49",
        ),
        (
            VISITS,
            ("--from", "2024-05-01T08:01:00Z", "--to", "2024-05-01T08:07:00Z"),
            "no records with a record timestamp from 2024-05-01T08:01:00Z to before 2024-05-01T08:07:00Z",
        ),
        (VISITS, ("--from", "2024-05-01T08:00:00Z", "--folder", "."), "is not an empty folder"),
        (VISITS, ("--from", "2024-05-01T08:00:00Z", "--folder", "s3://b/f"), "a folder of this machine"),
        (VISITS, ("--from", "2024-05-01T08:00:00Z", "--set", "GAP=4 hours"), "has no constant GAP; it has SIZE"),
        (VISITS, ("--from", "2024-05-01T08:00:00Z", "--set", "SIZE"), "give NAME=VALUE"),
        (SEARCHES, ("--from", "2024-05-01T08:00:00Z"), "topic searches has no records in"),
        ("RESULT = 1", ("--from", "2024-05-01T08:00:00Z"), "own.py has no RESULT"),
        ("RESULT = (", ("--from", "2024-05-01T08:00:00Z"), "own.py, line 1: this is no Python"),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_nothing(
    job: str,
    options: tuple[str, ...],
    why: str,
    places: Places,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    visits.write(places, 0, 25)
    arguments = prepare(places, tmp_path, job)
    assert run("backtest", *arguments, *options) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert why in line
    assert not list(tmp_path.glob("backtests/*"))
    assert (tmp_path / "own.py").exists()


CONSTANTS = """
from dataclasses import dataclass
from jobs.answers.result import Late, Result
from tests.jobs.visits import COUNTED

LATENESS = "1 hour"
BOUND: int = 10
SCALE = 2
TWICE = "a"
TWICE = "b"
COMPUTED = len("abc")


@dataclass
class Own:
    size: "int" = SCALE


RESULT = Result(f"v{Own().size}_v1", COUNTED.reads, COUNTED.answers, late=Late(LATENESS), max_records_per_batch=BOUND)
"""


def test_constants_are_replaced_by_literals(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(CONSTANTS)
    for lateness in ("LATENESS=2 hours", 'LATENESS="2 hours"'):
        result = job_constants.load(file, [lateness, "BOUND=20", "SCALE=3"])
        assert (result.name, result.late.allowed, result.max_records_per_batch) == ("v3_v1", "2 hours", 20)
    result = job_constants.load(file)
    assert (result.late.allowed, result.max_records_per_batch) == ("1 hour", 10)


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("TWICE=c", "assigns TWICE 2 times"),
        ("COMPUTED=4", "line 11, is not a literal; it has LATENESS, BOUND, SCALE.$"),
        ("BOUND=many", "it is 10 in the file, and many is of another type"),
        ("BOUND=True", "of another type"),
        ("LATENESS=5 parsecs", 'own.py, line 19: "5 parsecs" is not a duration'),
        ("Own=1", "has no constant Own"),
    ],
)
def test_what_is_no_constant_or_no_such_value_is_refused(setting: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(CONSTANTS)
    with pytest.raises(Refused, match=why):
        job_constants.load(file, [setting])


def test_records_keep_their_partitions_and_order_whatever_their_keys(tmp_path: Path) -> None:
    """As in a topic of Kafka whose producer chose them: all have one key, and one partition of three is empty."""

    def written(places: Places, partition: int) -> list[tuple[int, bytes, datetime, list[dict[str, object]]]]:
        rows = home.records(places, "visits", partition, 0, 10).to_pylist()
        return [(row["offset"], row["value"], row["timestamp"], row["headers"]) for row in rows]

    def batch(*seconds: int) -> pa.RecordBatch:
        columns = {
            "key": pa.array([b"k"] * len(seconds), pa.binary()),
            "value": pa.array([b"v%d" % second for second in seconds], pa.binary()),
            "timestamp": pa.array([at(second) for second in seconds], pa.timestamp("us", "UTC")),
            "headers": pa.array([[{"key": "h", "value": b"%d" % n} for n in range(2)]] * len(seconds)),
        }
        return pa.record_batch(columns)

    def at(second: int) -> datetime:
        return visits.START + timedelta(seconds=second)

    there, copy = places_in(tmp_path / "there"), places_in(tmp_path / "copy")
    writer.append_to_partitions(there.archive, "visits", 3, [(2, batch(0, 5, 9)), (0, batch(7, 2)), (2, batch(4, 6))])
    span = Span(at(4), at(7))
    assert copy_records(there, visits.COUNTED, span, copy) == {"visits": 3}
    headers = [{"key": "h", "value": b"0"}, {"key": "h", "value": b"1"}]
    assert written(copy, 2) == [(n, b"v%d" % second, at(second), headers) for n, second in enumerate((5, 4, 6))]
    assert home.topic(copy, "visits").ends == {0: 0, 1: 0, 2: 3}


def test_of_changes_of_tables_all_earlier_records_are_copied(places: Places, tmp_path: Path) -> None:
    days = [datetime(2024, 5, day, tzinfo=UTC) for day in range(1, 6)]
    for topic in orders_and_rates.RESULT.topics:
        times = pa.array(days, pa.timestamp("us", "UTC"))
        values = pa.array([b"{}"] * len(days), pa.binary())
        writer.append(places.archive, topic, 2, [pa.record_batch({"key": values, "value": values, "timestamp": times})])
    copied = copy_records(places, orders_and_rates.RESULT, Span(days[2], days[4]), places_in(tmp_path / "copy"))
    assert copied == {"orders": 2, "bank.public.rates": 4}
    with pytest.raises(Refused, match=r"^orders: no records with a record timestamp from 2025"):
        span = Span(datetime(2025, 1, 1, tzinfo=UTC), None)
        copy_records(places, orders_and_rates.RESULT, span, places_in(tmp_path / "none"))
