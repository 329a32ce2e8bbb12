"""What an earlier version has begun goes on: the tables are those of a run that nothing had interrupted."""

import tarfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from jobs import run
from jobs.events.key_hash import key_hashes
from jobs.facts.panes import Panes
from jobs.keeping import ledger, microbatch, recovery, requeue
from jobs.keeping.definition import upgrade
from jobs.running.errors import Refused
from sketches.bloom import BloomFilter
from tests import delta
from tests.altered import altered
from tests.versions import earlier
from tests.versions.earlier import COUNTED, MADE, SEEN

HERE = Path(__file__).parent
HOUR, NEW_YORK = timedelta(hours=1), ZoneInfo("America/New_York")
AFTER = 50
"""Records in all; the earlier version has read 30."""
ARun = Callable[..., run.Run]


@pytest.fixture(params=["0.2.0"])
def begun(request: pytest.FixtureRequest, places: run.Places) -> run.Places:
    """The archive and the tables of an earlier version; its checkpoints were lost."""
    with tarfile.open(HERE / f"{request.param}.tar.gz") as packed:
        packed.extractall(Path(places.archive).parent, filter="data")
    return places


def spans(moment: datetime) -> list[tuple[str, datetime, datetime]]:
    half = moment.replace(minute=moment.minute // 30 * 30, second=0)
    hour = moment.replace(minute=0, second=0)
    day = moment.astimezone(NEW_YORK).date()
    midnights = [datetime(d.year, d.month, d.day, tzinfo=NEW_YORK).astimezone(UTC) for d in (day, day + timedelta(1))]
    hops = [("hopping 1 hour every 30 minutes", start, start + HOUR) for start in (half - HOUR / 2, half)]
    return [("tumbling 1 hour", hour, hour + HOUR), *hops, ("day America/New_York", midnights[0], midnights[1])]


def counted() -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """{(window, start, end, site): (records, devices, ok, and of each number mean, least, greatest)}"""
    inside = defaultdict(list)
    for reading in earlier.readings(0, AFTER):
        moment = datetime.fromtimestamp(reading["taken_ms"] / 1000, UTC)
        for span in spans(moment):
            inside[*span, reading.get("site")].append(reading)
    found = {}
    for key, some in inside.items():
        said: list[Any] = [len(some), len({r["device"] for r in some}), sum(r["ok"] for r in some)]
        for name in ("reading", "large", "level"):
            values = [r[name] for r in some if r[name] is not None]
            mean = float(sum(map(Fraction, values)) / len(values)) if values else None
            said += [mean, min(values, default=None), max(values, default=None)]
        found[key] = tuple(said)
    return found


def test_windows_counts_and_quarantine_go_on(a_run: ARun, begun: run.Places) -> None:
    earlier.write(begun, 30, AFTER)
    said: list[str] = []
    microbatch.keep(a_run(say=said.append), COUNTED)
    assert any("an empty text counts" in line for line in said)
    requeue.requeue(a_run(), altered(COUNTED, topic=earlier.MENDED))
    names = ["records", "device_estimate", "ok_count"]
    names += [f"{name}_{what}" for name in ("reading", "large", "level") for what in ("mean", "min", "max")]
    rows = delta.rows(begun.table(COUNTED.name))
    found = {
        tuple(row[key] for key in ("window", "window_start", "window_end", "site")): tuple(row[n] for n in names)
        for row in rows
    }
    assert found == counted() and len(rows) == len(found)
    waiting = delta.rows(begun.table("counted_v1_quarantine"))
    assert len(waiting) == 10 and all(row["requeued_sequence"] for row in waiting)


def test_a_transform_that_computes_goes_on_and_its_first_run_says_no_more_than_the_second(
    a_run: ARun, begun: run.Places
) -> None:
    earlier.write(begun, 30, AFTER)
    microbatch.keep(a_run(), MADE)
    said: list[str] = []
    microbatch.keep(a_run(say=said.append), MADE)
    assert said == []
    days = defaultdict(list)
    for reading in earlier.readings(0, AFTER):
        if reading["reading"] == 7 and "site" in reading:
            days[datetime.fromtimestamp(reading["taken_ms"] / 1000, UTC).date()].append(14)
    rows = delta.rows(begun.table(MADE.name))
    assert {row["window_start"].date(): (row["records"], row["doubled_max"]) for row in rows} == {
        day: (len(values), 14) for day, values in days.items()
    }


def test_filters_go_on(a_run: ARun, begun: run.Places) -> None:
    earlier.write(begun, 30, AFTER)
    microbatch.keep(a_run(), SEEN)
    rows = sorted(delta.rows(begun.table(SEEN.name)), key=lambda row: (row["record_partition"], row["record_offset"]))
    expected, latest = [], dict[int, datetime]()
    before = defaultdict[str, list[datetime]](list)
    for row in rows:
        key, moment = row["record_key"], row["event_time"]
        newest = latest.get(row["record_partition"], moment)
        half_day = moment.replace(hour=moment.hour // 12 * 12, minute=0, second=0)
        known = any(other >= half_day - timedelta(days=1) for other in before[key])
        expected.append(None if newest - moment > HOUR else known)
        latest[row["record_partition"]] = max(newest, moment)
        before[key].append(moment)
    assert [row["seen_before"] for row in rows] == expected
    assert len(rows) == sum("site" in reading for reading in earlier.readings(0, AFTER))


def test_filters_are_those_of_the_hashes_that_need_no_spark(begun: run.Places) -> None:
    assert SEEN.membership
    keys = defaultdict[tuple[int, datetime], list[bytes]](list)
    for row in delta.rows(begun.table(SEEN.name)):
        half_day = row["event_time"].replace(hour=row["event_time"].hour // 12 * 12, minute=0, second=0)
        keys[row["record_partition"], half_day].append(row["record_key"])
    filters = delta.rows(begun.table(f"{SEEN.name}_filters"))
    assert len(filters) > 3
    for row in filters:
        again = BloomFilter(SEEN.membership.size())
        again.add(key_hashes(pa.array(keys[row["partition"], row["bucket_time"]], pa.binary())).to_numpy())
        assert again.to_bytes() == row["bits"]


def test_a_result_that_means_something_else_than_the_earlier_version_knew_is_refused(
    a_run: ARun, begun: run.Places
) -> None:
    assert MADE.panes
    other = altered(MADE, panes=replace(MADE.panes, every="30 minutes"))
    with pytest.raises(Refused, match="panes every: was 1 hour, is now 30 minutes"):
        recovery.resume(a_run().spark, begun, other)


def test_tables_whose_numbers_would_be_others_now_are_refused(begun: run.Places) -> None:
    """Asked of the tables alone: 2**62 of 19 digits is exact, and nobody's clocks went back over midnight."""
    last = ledger.last(begun, COUNTED.name)
    assert last and upgrade.check(begun, COUNTED, last)
    by_level = altered(COUNTED, panes=Panes("30 minutes", ("level_mean",), averages=("large",)))
    assert not list(upgrade._negative_zeros(begun, by_level))
    assert not list(upgrade._rounded_columns(begun, COUNTED))
