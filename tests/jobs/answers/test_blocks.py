"""Windows that are made block by block are those of all panes at once, and no pane is gone over again and again."""

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StringType, StructType

from jobs.answers.windows import CalendarDay, Hopping, Tumbling, Window, merging
from jobs.answers.windows.open_windows import CHANGED, OpenWindows
from jobs.facts.panes import Panes
from jobs.facts.partials import PaneColumn

KEPT = Panes("30 minutes", ("site",))
HALF = timedelta(minutes=30)
KINDS = pa.schema(
    [
        ("pane_start", pa.timestamp("us", tz="UTC")),
        ("site", pa.string()),
        ("records", pa.int64()),
        ("sequence", pa.int64()),
    ]
)
AROUND = {
    "Antarctica/Casey": datetime(2023, 3, 8, 16, tzinfo=UTC),  # a day of 27 hours
    "Antarctica/Vostok": datetime(1994, 1, 31, 17, tzinfo=UTC),  # of 31 hours
    "America/St_Johns": datetime(2010, 11, 7, 2, 31, tzinfo=UTC),  # a date comes twice
    "Pacific/Apia": datetime(2011, 12, 30, 10, tzinfo=UTC),  # a date is skipped
    "America/Havana": datetime(2013, 3, 10, 5, tzinfo=UTC),  # midnight is skipped
}
SIZES: dict[Window, tuple[int, int]] = {
    Tumbling("1 hour"): (1, 1),
    Tumbling("2 days"): (48, 48),
    Hopping("30 hours", "6 hours"): (30, 6),
}
"""Hours from a window's start to its end, and to the start of the next."""


def halves(zone: str) -> list[datetime]:
    first = AROUND[zone].replace(hour=0, minute=0) - timedelta(days=3)
    return [first + number * HALF for number in range(6 * 48)]


def days(zone: str) -> dict[datetime, tuple[datetime, datetime]]:
    """The day of each half hour, from the third one on: begun when its date was first shown."""
    latest, begun, held = None, [], []
    for moment in halves(zone):
        shown = moment.astimezone(ZoneInfo(zone)).date()
        if latest is None or shown > latest:
            latest = shown
            begun.append(moment)
        held.append(len(begun))
    spans = dict(enumerate(itertools.pairwise(begun), 1))
    return {moment: spans[day] for moment, day in zip(halves(zone), held, strict=True) if day > 1 and day in spans}


def holding(window: Window, zone: str, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
    if isinstance(window, CalendarDay):
        yield days_of[zone][moment]
        return
    size, hop = (timedelta(hours=hours) for hours in SIZES[window])
    start = moment - (moment - datetime(1970, 1, 1, tzinfo=UTC)) % hop
    while start + size > moment:
        yield start, start + size
        start -= hop


days_of = {zone: days(zone) for zone in AROUND}


def panes(zone: str) -> list[dict[str, Any]]:
    """Panes of whole days, of two sites; few of them newer than the others."""
    dice = random.Random(4)
    return [
        {"pane_start": moment, "site": dice.choice("ab"), "records": dice.randrange(1, 9), "sequence": sequence}
        for moment in days_of[zone]
        for sequence in ([1, 2] if dice.random() < 0.05 else [1])
    ]


def of_windows(zone: str, windows: tuple[Window, ...], since: int) -> Counter[tuple[Any, ...]]:
    """Records of each window that holds a newer pane."""
    counted: Counter[tuple[Any, ...]] = Counter()
    newer = set()
    for pane in panes(zone):
        for window in windows:
            for span in holding(window, zone, pane["pane_start"]):
                key = (window.name, *span, pane["site"])
                counted[key] += pane["records"]
                newer |= {key} if pane["sequence"] > since else set()
    return Counter({key: records for key, records in counted.items() if key in newer})


@pytest.mark.parametrize("zone", AROUND)
@pytest.mark.parametrize("since", [0, 1])
def test_windows_are_the_same_however_small_the_blocks_are(zone: str, since: int) -> None:
    table = pa.Table.from_pylist(panes(zone), schema=KINDS)
    target = to_arrow_schema(merging.output(StructType().add("site", StringType()), KEPT), timezone="UTC")
    cuts = [(7, 40), (10_000, 10_000)]
    day = CalendarDay(zone)
    kinds: list[tuple[tuple[Window, ...], list[tuple[int, int]]]] = [((day,), [(1, 1), *cuts]), ((*SIZES, day), cuts)]
    for windows, ways in kinds:
        due = of_windows(zone, windows, since)
        assert len(due) > 3
        for batch, block_rows in ways:
            made = merging.window_batches(iter(table.to_batches(batch)), KEPT, windows, target, 0, since, block_rows)
            rows = [row for part in made for row in part.to_pylist()]
            keys = ("window_kind", "window_start", "window_end", "site")
            assert len(rows) == len(due), (windows, batch)
            assert {tuple(row[key] for key in keys): row["records"] for row in rows} == due, (windows, batch)


@pytest.mark.parametrize("window", [*SIZES, CalendarDay("Antarctica/Casey"), Tumbling("4 days")])
def test_blocks_are_cut_and_panes_are_not_gone_over_again_and_again(window: Window) -> None:
    table = pa.Table.from_pylist(panes("Antarctica/Casey"), schema=KINDS)
    target = to_arrow_schema(merging.output(StructType().add("site", StringType()), KEPT), timezone="UTC")
    kind = OpenWindows(window, KEPT, target, 0)
    blocks, held = [], [0]
    for block, is_last in merging._blocks(iter(table.to_batches(3)), [kind], 6):
        columns = {"records": PaneColumn(block["records"].to_numpy(), np.add, 0, pa.int64())}
        columns[CHANGED] = PaneColumn(np.ones(len(block), bool), np.logical_or, False, pa.bool_())
        seconds = block["pane_start"].cast(pa.int64()).to_numpy() // 1_000_000
        kind.add(block.select(["site"]), seconds, columns, is_last)
        blocks.append(len(block))
        held.append(len(kind))
    assert len(blocks) > 1
    assert sum(blocks) == len(table)
    assert sum(held) < 3 * len(table)
    assert max(held) <= 2 * 5, "a bucket for each site and hop, however many panes it has"
