"""Percentiles, first and last values of hops that do not divide their size, of hours and of years, are those of the log
in plain Python, however it is cut and whether a change is published in memory or by Spark.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.answers.windows import CalendarHour, CalendarYear, Hopping, Tumbling
from jobs.facts.panes import Panes
from jobs.keeping import fast_pass
from jobs.keeping.definition.comparison import constant_differences
from jobs.lake import commits, delta_tables
from jobs.publishing import in_process_upsert
from tests.altered import altered
from tests.jobs.keeping import readings
from tests.jobs.keeping.readings import Record
from tests.jobs.keeping.world import World

HOPS = altered(
    readings.PANES,
    name="hops_v1",
    panes=Panes(
        "30 minutes",
        ("site",),
        percentiles={"level": (0.5, 0.95)},
        firsts=("reading", "device"),
        lasts=("reading", "ok"),
    ),
    windows=(
        Hopping("5 hours", every="2 hours", offset="30 minutes"),
        Tumbling("6 hours", offset="90 minutes"),
        CalendarHour("Asia/Kolkata"),
        CalendarYear("America/New_York"),
    ),
)
LOG = readings.only_good(readings.log(seed=5, each=16))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEAR = datetime(2013, 1, 1, 5, tzinfo=UTC), datetime(2014, 1, 1, 5, tzinfo=UTC)


def spans(moment: datetime) -> Iterator[tuple[str, datetime, datetime]]:
    kinds = [
        ("hopping 5 hours every 2 hours offset 30 minutes", 300, 120, 30),
        ("tumbling 6 hours offset 90 minutes", 360, 360, 90),
        ("hour Asia/Kolkata", 60, 60, 30),
    ]
    minute = int((moment - EPOCH).total_seconds()) // 60
    for name, size, hop, offset in kinds:
        for start in range(minute - size + 1, minute + 1):
            if (start - offset) % hop == 0:
                yield name, EPOCH + timedelta(minutes=start), EPOCH + timedelta(minutes=start + size)
    yield "year America/New_York", *YEAR


def expected(written: list[Record]) -> dict[tuple[Any, ...], dict[str, Any]]:
    inside = defaultdict(list)
    for good in (record.good for record in written if record.good and record.good["site"] != "test"):
        for span in spans(good["taken_time"]):
            inside[*span, good["site"]].append(good)
    found = {}
    for key, some in inside.items():
        levels = sorted(good["level"] for good in some if good["level"] is not None)
        row: dict[str, Any] = {"records": len(some), "level_p50": None, "level_p95": None}
        if levels:
            row |= {"level_p50": levels[-(-len(levels) // 2) - 1], "level_p95": levels[-(-len(levels) * 19 // 20) - 1]}
        for name in ("reading", "device", "ok"):
            pairs = [(good["taken_time"], good[name]) for good in some if good[name] is not None]
            row |= {f"{name}_first": min(pairs, default=(0, None))[1], f"{name}_last": max(pairs, default=(0, None))[1]}
        found[key] = row
    return found


def check(world: World) -> None:
    due, rows = expected(world.written), world.rows()
    keys = [tuple(row[name] for name in ("window_kind", "window_start", "window_end", "site")) for row in rows]
    assert sorted(keys) == sorted(due)
    for key, row in zip(keys, rows, strict=True):
        for name in ("records", "reading_first", "device_first", "reading_last", "ok_last"):
            assert row[name] == due[key][name], (key, name)
        for name in ("level_p50", "level_p95"):
            value = due[key][name]
            assert row[name] == (value if value is None else pytest.approx(value, rel=0.01)), (key, name)


def histograms(world: World) -> set[tuple[Any, ...]]:
    """Of panes that one batch alone has written."""
    rows = world.rows("_panes")
    keys = [(row["pane_start"], row["site"]) for row in rows]
    return {(*key, row["level_histogram"]) for key, row in zip(keys, rows, strict=True) if keys.count(key) == 1}


def test_any_cut_and_any_accident_in_memory_and_by_spark(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = (World(spark, tmp_path / name, HOPS) for name in ("small", "large"))
    written = readings.interleaved(LOG, 3)
    small.write(written[:25])
    assert not small.keep(batch=14, crash="after panes")
    small.write(written[25:])
    small.keep(batch=14)
    check(small)
    large.write(written[:30])
    large.keep()
    large.write(written[30:])
    for where, limit in ((delta_tables, "SMALL_BYTES"), (fast_pass, "FEW_RECORDS")):
        monkeypatch.setattr(where, limit, -1)
    monkeypatch.setattr(in_process_upsert, "MOST_WINDOWS", 6)  # of years there are fewer
    large.keep()
    check(large)
    steps = [commit["step"] for commit in commits.metadata_since(large.places.table(HOPS.name), -1)]
    assert steps[-2:] == ["publish final", "publish"], "years first, in this process, and then the others by Spark"
    assert histograms(small) & histograms(large)


def test_a_definition_is_compared_by_the_shares_and_not_by_how_they_are_written() -> None:
    def differences(shares: Any) -> list[str]:
        assert HOPS.panes
        now = altered(HOPS, panes=replace(HOPS.panes, percentiles=shares))
        return constant_differences(HOPS.definition(), now.definition(), now)

    assert differences({"level": [0.5, 0.95]}) == differences((("level", (0.5, 0.95)),)) == []
    [said] = differences({"level": (0.5, 0.9)})
    assert said == "panes percentiles: was ('level', (0.5, 0.95)), is now ('level', (0.5, 0.9))"
