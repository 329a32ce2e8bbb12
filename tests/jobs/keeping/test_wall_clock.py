"""A wall clock that is set back, or that stands, changes no number: what counts are the times of events."""

import itertools
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.answers.delivery import File, Topic
from jobs.keeping import housekeeping
from jobs.running.delivery_access import DeliveryPlace
from tests.jobs.keeping import feeds, searches, searches_by_hand
from tests.jobs.keeping.searches import NOT_TOO_LATE, Visits


class _Kind(type(datetime)):  # type: ignore[misc]
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, datetime)


def clock(now: Callable[[tzinfo | None], datetime]) -> type:
    """What stands in the place of datetime, with another now."""

    class Clock(datetime, metaclass=_Kind):
        def __new__(cls, *values: Any, **named: Any) -> Any:
            return datetime(*values, **named)

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return now(tz)

    return Clock


def set_clock(patch: pytest.MonkeyPatch, now: Callable[[tzinfo | None], datetime]) -> None:
    """For every module of ours that looks at it."""
    ours = [module for name, module in sys.modules.items() if name.startswith("jobs.")]
    looking = [module for module in ours if isinstance(getattr(module, "datetime", None), type)]
    assert len(looking) > 5
    for module in looking:
        patch.setattr(module, "datetime", clock(now))


def an_hour_ago(tz: tzinfo | None) -> datetime:
    return datetime.now(tz) - timedelta(hours=1)


def test_runs_and_publishes_go_on_when_the_clock_is_set_back_and_when_it_stands(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run sees one of these clocks, and some end in a publish or after a delivery."""
    monkeypatch.setattr(housekeeping, "EVERY_ROWS", 2)
    begun = datetime.now().astimezone()
    clocks: list[tuple[Callable[[tzinfo | None], datetime], str | None]] = [
        (datetime.now, None),
        (an_hour_ago, "after publish"),
        (begun.astimezone, None),
        (begun.astimezone, "after delivery"),
        (an_hour_ago, None),
    ]
    kept = searches.result("r_v1", searches_by_hand.CLICKED, deliver=(Topic("outcomes"), File("out")))
    world = Visits(spark, tmp_path, kept)
    world.places = world.places.model_copy(update={"deliveries": {"out": DeliveryPlace(path=f"{tmp_path}/out")}})
    written = searches.log(21, 30 * len(clocks), NOT_TOO_LATE)
    for number, (now, crash) in enumerate(clocks):
        world.add(written[number * 30 : (number + 1) * 30])
        with pytest.MonkeyPatch.context() as patch:
            set_clock(patch, now)
            assert world.keep(crash=crash) == (crash is None)
    rows = world.rows()
    found = {tuple(row[name] for name in feeds.PLACE): (row["outcome"], row["clicks_time"]) for row in rows}
    assert found == searches_by_hand.clicked(written)
    feed = feeds.check_feed(world)
    records = feeds.records(world, "outcomes")
    assert feeds.sent(records, feeds.PLACE) == feeds.due(feed, feeds.PLACE)
    feeds.check_latest(records, rows, feeds.PLACE)
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in (tmp_path / "out").iterdir())
    assert lines == len(feed)
    ledger = sorted(world.rows("_ledger"), key=lambda row: row["sequence"])
    assert any(later["started_time"] < row["started_time"] for row, later in itertools.pairwise(ledger))
    assert sum(row["records"] for row in ledger) == len(written)
