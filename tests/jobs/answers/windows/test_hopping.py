"""Windows with any hop and offset hold the panes that plain Python counts into them, pane by pane."""

import itertools
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import LongType, StringType, StructType

from jobs.answers import windows
from jobs.answers.windows import Hopping, Tumbling, Window, merging
from jobs.facts.panes import Panes
from tests.jobs.facts import cuts
from tests.jobs.facts.cuts import HOUR

KEPT = Panes("1 minute", ("site",), percentiles={"heat": (0.5,)})
KINDS = pa.schema(
    [
        ("pane_start", pa.timestamp("us", tz="UTC")),
        ("site", pa.string()),
        ("records", pa.int64()),
        ("heat_histogram", pa.binary()),
        ("sequence", pa.int64()),
    ]
)
SIZES: dict[Window, tuple[int, int, int]] = {
    Hopping("60 minutes", "25 minutes"): (60, 25, 0),
    Hopping("60 minutes", "25 minutes", offset="5 minutes"): (60, 25, 5),
    Hopping("60 minutes", "20 minutes", offset="7 minutes"): (60, 20, 7),
    Hopping("16 minutes", "7 minutes"): (16, 7, 0),
    Hopping("8 minutes", "7 minutes", offset="6 minutes"): (8, 7, 6),
    Hopping("90 minutes", "4 minutes"): (90, 4, 0),
    Hopping("9 minutes", "9 minutes", offset="1 minute"): (9, 9, 1),
    Tumbling("60 minutes", offset="15 minutes"): (60, 60, 15),
}
"""Minutes of a window, a hop and an offset."""


def holding(window: Window, minute: int) -> list[int]:
    """Where the windows begin that hold the minute."""
    size, hop, offset = SIZES[window]
    return [start for start in range(minute - size + 1, minute + 1) if (start - offset) % hop == 0]


def at(minute: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)


def merged(rows: list[tuple[int, str, int]], some: tuple[Window, ...], batch: int, block: int, since: int) -> Any:
    panes = [
        {"pane_start": at(minute), "site": site, "records": minute % 7 + 1, "sequence": sequence}
        for minute, site, sequence in sorted(rows)
    ]
    target = to_arrow_schema(merging.output(StructType().add("site", StringType()), KEPT), timezone="UTC")
    table = pa.Table.from_pylist(panes, schema=KINDS)
    made = merging.window_batches(iter(table.to_batches(batch)), KEPT, some, target, 0, since, block)
    found = [row for part in made for row in part.to_pylist()]
    keys = [(row["window_kind"], row["window_start"], row["window_end"], row["site"]) for row in found]
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, (row["records"] for row in found), strict=True))


def due(rows: list[tuple[int, str, int]], some: tuple[Window, ...], since: int) -> dict[tuple[Any, ...], int]:
    counted: Counter[tuple[Any, ...]] = Counter()
    newer = set()
    for (minute, site, sequence), window in itertools.product(rows, some):
        for start in holding(window, minute):
            key = (window.name, at(start), at(start + SIZES[window][0]), site)
            counted[key] += minute % 7 + 1
            newer |= {key} if sequence > since else set()
    return {key: records for key, records in counted.items() if key in newer}


minutes = st.integers(0, 400) | st.integers(20_000_000, 20_000_150)
panes = st.lists(st.tuples(minutes, st.sampled_from("ab"), st.sampled_from([1, 1, 1, 2])), min_size=1, max_size=40)


@pytest.mark.parametrize("window", SIZES, ids=lambda window: window.name)
@settings(max_examples=40)
@given(panes, st.sampled_from([(1, 1), (3, 6), (1_000, 10_000)]), st.sampled_from([0, 1]))
def test_windows_are_those_of_plain_python(
    window: Window, rows: list[tuple[int, str, int]], cut: tuple[int, int], since: int
) -> None:
    assert merged(rows, (window,), *cut, since) == due(rows, (window,), since)


def test_kinds_side_by_side() -> None:
    dice = random.Random(2)
    rows = [(dice.randrange(20_000_000, 20_001_000), dice.choice("ab"), dice.choice([1, 2])) for _ in range(300)]
    for cut in ((7, 20), (1_000, 10_000)):
        assert merged(rows, tuple(SIZES), *cut, 1) == due(rows, tuple(SIZES), 1)


@pytest.mark.parametrize("window", SIZES, ids=lambda window: window.name)
def test_the_windows_of_a_pane_are_bounded_and_counted(window: Window) -> None:
    window.check(60)
    for minute in range(28_000_000, 28_000_130):
        starts = holding(window, minute)
        for second in (minute * 60, minute * 60 + 59):
            assert windows.first_start((window,), second) == starts[0] * 60
            assert windows.last_end((window,), second) == (starts[-1] + SIZES[window][0]) * 60
        assert int(window.starts(np.array([minute * 60]))[0]) == starts[-1] * 60
        [slot] = window.slots(np.array([minute * 60])).tolist()
        assert slot % 60 == 0 and all(holding(window, within) == starts for within in range(slot // 60, minute))
    dice = random.Random(9)
    rows = [(dice.randrange(28_000_000, 28_000_700), dice.choice("ab"), 1) for _ in range(60)]
    pairs = pa.table({"pane_start": [at(m) for m, _, _ in rows], "site": [site for _, site, _ in rows]})
    pairs = pairs.cast(pa.schema([KINDS.field("pane_start"), KINDS.field("site")]))
    assert merging.window_count(pairs, KEPT, (window,)) == len(due(rows, (window,), 0))


def test_labels() -> None:
    assert [window.name for window in list(SIZES)[:2]] == [
        "hopping 60 minutes every 25 minutes",
        "hopping 60 minutes every 25 minutes offset 5 minutes",
    ]
    assert Tumbling("1 hour", offset="15 minutes").name == "tumbling 1 hour offset 15 minutes"
    assert Tumbling("1 hour").name == "tumbling 1 hour"


def test_events_at_the_edges_of_windows() -> None:
    """A microsecond before each second, on it and after it; windows of 16 seconds every 7, from panes of a second."""
    window, kept = Hopping("16 seconds", "7 seconds"), Panes("1 second", ("g",), sums=("v",))
    first = int(HOUR.timestamp())
    micros = [second * 1_000_000 + by for second in range(1, 60) for by in (-1, 0, 1)]
    rows = [(micro / 1_000_000, "a", 2**number % 1_000_003) for number, micro in enumerate(micros)]
    found = cuts.windows(rows, [20, 90], cuts.columns(LongType()), kept, (window,))
    assert len(found) == 11
    for row in found:
        begins = int(row["window_start"].timestamp())
        assert begins % 7 == 0 and row["window_end"] - row["window_start"] == timedelta(seconds=16)
        low, high = (begins - first) * 1_000_000, (begins - first + 16) * 1_000_000
        mine = [value for micro, (_, _, value) in zip(micros, rows, strict=True) if low <= micro < high]
        assert (row["records"], row["v_sum"]) == (len(mine), sum(mine))
