"""headrace accuracy, over a table of windows that the test made with the sketches' own library."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from datasketches import hll_sketch
from deltalake import write_deltalake

from jobs.admin import catalogue, exact_counts
from jobs.admin.commands import accuracy
from jobs.answers.result import Result
from jobs.facts.panes import Panes
from jobs.keeping import ledger
from jobs.keeping.ledger import Row
from jobs.lake import delta_tables
from jobs.log.archive import snapshot
from jobs.running.places import Places
from schemas import quarantine
from tests.altered import altered
from tests.jobs import visits
from tests.jobs.admin import command

HOUR = timedelta(hours=1)
OWN = """
from dataclasses import replace
from jobs.facts.panes import Panes
from tests.jobs import visits
RESULT = visits.COUNTED
"""
Truth = dict[tuple[datetime, str | None], set[str]]


@pytest.fixture
def laptop(tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with the places file that the commands look for, a job file, and a log that is read."""
    (tmp_path / "conf").mkdir()
    lines = (f'{name} = "{getattr(places, name)}"' for name in ("archive", "tables", "checkpoints"))
    (tmp_path / "conf" / "local.toml").write_text("\n".join(lines))
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    visits.write(places, 0, 25)
    return tmp_path


def truth() -> Truth:
    """{(hour, site): who was there}"""
    inside: Truth = {}
    for n in range(25):
        if n % 7 and n % 3:
            inside.setdefault(((visits.START + n * 7 * visits.MINUTE).replace(minute=0), "s"), set()).add(f"w{n % 5}")
    return inside


def publish(places: Places, wrong: int = 0, more: int = 0, kind: str = "window_kind") -> None:
    """The windows as Spark would have them; `wrong` is added to each estimate, `more` to each count. `kind`: the column
    with the label.
    """
    counted = visits.expected(25, without_site=False)
    rows = []
    for (start, site), who in truth().items():
        sketch = hll_sketch(12)
        for name in who:
            sketch.update(name)
        estimate = round(sketch.get_estimate()) + wrong
        shown = {kind: "tumbling 1 hour", "window_start": start, "window_end": start + HOUR, "site": site}
        rows.append(shown | {"visits": counted[start, site][0] + more, "who_estimate": estimate})
    write_deltalake(places.table("visits_v1"), pa.Table.from_pylist(rows), mode="overwrite")
    ledger.create(places, "visits_v1")
    ends = {end.partition: (end.last_offset or 0) + 1 for end in snapshot.extents(places.archive, "visits")}
    row = Row(1, "batch", 1, 0, records=25, quarantined=11, end_offsets=ends, published_sequence=1)
    ledger.write(places, "visits_v1", row)


def hold_back(places: Places) -> None:
    """The bad records into quarantine; where they stand is looked up in the log."""
    from jobs.log.archive.snapshot import records

    bad = []
    for partition in (0, 1):
        for row in records(places.archive, "visits", partition, 0, 100).to_pylist():
            if b"site" not in row["value"]:
                bad.append({"partition": partition, "offset": row["offset"]})
    assert len(bad) == 11
    path = places.table("visits_v1_quarantine")
    delta_tables.create(path, quarantine.COLUMNS, (), "Bad records.")
    kinds = pa.schema([("partition", pa.int32()), ("offset", pa.int64())])
    write_deltalake(path, pa.Table.from_pylist(bad, schema=kinds), mode="append", schema_mode="merge")


def run(*arguments: str) -> int:
    return command.run("accuracy", "visits_v1", "--job", "own.py", *arguments)


def test_exact_counts_and_both_estimates(laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    hold_back(places)
    publish(places)
    assert run("--seed", "3") == 0
    shown = capsys.readouterr().out
    rows = [[cell.strip() for cell in re.split("[│|]", line)] for line in shown.splitlines() if "tumbling" in line]
    found = {row[2]: (row[3], int(row[4]), int(row[5])) for row in rows}
    said = {f"{start:%Y-%m-%d %H:%M}": (site, len(who), len(who)) for (start, site), who in truth().items()}
    assert found == said
    assert "drawn with --seed 3" in shown
    assert "1.625%" in shown
    assert run("--seed", "3", "--windows", "2") == 0
    assert capsys.readouterr().out.count("tumbling") == 2


def test_a_wrong_estimate_ends_with_1(laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """Also in a table of an earlier version."""
    hold_back(places)
    publish(places, wrong=1, kind="window")
    assert run() == 1
    assert "standard errors off" in capsys.readouterr().err


def test_a_table_of_other_records_is_refused(laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    hold_back(places)
    publish(places, more=1)
    assert run() == 1
    assert "do not hold the records" in capsys.readouterr().err


def test_an_archive_that_does_not_reach_so_far_is_refused(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    hold_back(places)
    publish(places)
    last = ledger.last(places, "visits_v1")
    assert last
    further = {partition: end + 1 for partition, end in last.end_offsets.items()}
    ledger.write(places, "visits_v1", last.next("batch", end_offsets=further, published_sequence=2))
    assert run() == 1
    assert "Copy it from Kafka first: jobs/kafka_archive.py visits" in capsys.readouterr().err


def test_columns_that_the_transform_makes_are_refused(
    laptop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = altered(visits.COUNTED, panes=Panes("10 minutes", ("region",), uniques=("who",)))
    plain = altered(visits.COUNTED, panes=Panes("10 minutes", ("site",)))
    results: list[Result] = [made, plain, visits.SEEN]
    for result, said in zip(results, ["region is not a column of topic visits", *["no uniques"] * 2], strict=True):
        monkeypatch.setattr(catalogue, "find", lambda name, file, result=result: result)
        assert run() == 1
        assert said in capsys.readouterr().err


def test_the_second_estimator_is_near_the_truth() -> None:
    values = {f"v{number}" for number in range(10_000)}
    for lg_k in (10, 12, 18):
        error = exact_counts.second_estimate(values, lg_k) / 10_000 - 1
        assert abs(error) < 4 * 1.04 / 2 ** (min(lg_k, 16) / 2)
    assert accuracy._relative(0.0, 0) == 0
