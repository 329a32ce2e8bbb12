"""Windows from partial panes, against plain Python that looks at every pane for every window."""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from datasketches import hll_sketch, tgt_hll_type
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import DecimalType, DoubleType, LongType, StringType, StructType

from jobs.answers.windows import CalendarDay, Hopping, Tumbling, Window, merging
from jobs.facts.panes import Panes
from sketches import hyperloglog

START = datetime(2013, 11, 2, 20, tzinfo=UTC)  # clocks in New York change 10 hours later
DICE = random.Random(3)
KEPT = Panes("1 minute", ("site", "floor"), averages=("heat", "cost"), uniques=("device",), counts=("ok",), lg_k=10)
DEVICES = [f"d{number}" for number in range(2_000)]
KINDS = pa.schema(
    [
        ("pane_start", pa.timestamp("us", tz="UTC")),
        ("site", pa.string()),
        ("floor", pa.int64()),
        ("records", pa.int64()),
        ("heat_count", pa.int64()),
        ("heat_sum", pa.float64()),
        ("heat_min", pa.float64()),
        ("heat_max", pa.float64()),
        ("cost_count", pa.int64()),
        ("cost_sum", pa.decimal128(30, 2)),
        ("cost_min", pa.decimal128(20, 2)),
        ("cost_max", pa.decimal128(20, 2)),
        ("device_sketch", pa.binary()),
        ("ok_count", pa.int64()),
        ("sequence", pa.int64()),
    ]
)

KINDS_OF_SPARK = (StringType(), LongType(), DoubleType(), DecimalType(20, 2))


def sketch(devices: list[str]) -> bytes:
    made = hll_sketch(10, tgt_hll_type.HLL_8)
    for device in devices:
        made.update(device)
    return bytes(made.serialize_updatable())


def pane(minute: int, sequence: int) -> dict[str, Any]:
    heats = [DICE.choice([-5.5, 0.0, 1e300, 20.25]) for _ in range(DICE.randrange(3))]
    costs = [Decimal(DICE.randrange(-(10**19), 10**19)).scaleb(-2) for _ in range(DICE.randrange(3))]
    devices = DICE.sample(DEVICES, DICE.choice([0, 1, 5, 60]))
    return {
        "pane_start": START + timedelta(minutes=minute),
        "site": DICE.choice(["north", "south", None]),
        "floor": DICE.choice([-1, 0, None]),
        "records": DICE.randrange(1, 5),
        "heat_count": len(heats),
        "heat_sum": sum(heats) if heats else None,
        "heat_min": min(heats, default=None),
        "heat_max": max(heats, default=None),
        "cost_count": len(costs),
        "cost_sum": sum(costs) if costs else None,
        "cost_min": min(costs, default=None),
        "cost_max": max(costs, default=None),
        "devices": devices,
        "device_sketch": sketch(devices),
        "ok_count": DICE.randrange(3),
        "sequence": sequence,
    }


MINUTES = [*range(0, 40), *range(55, 75, 4), 400, 401, 460, *range(700, 760, 7), 1600, 3000]
PANES = [pane(minute, DICE.randrange(1, 5)) for minute in MINUTES for _ in range(3)]
WINDOWS: tuple[Window, ...] = (
    Tumbling("1 minute"),
    Tumbling("1 hour"),
    Hopping("10 minutes", "1 minute"),
    Hopping("1 hour", "5 minutes"),
    Hopping("1 hour", "20 minutes", uniques=False),
    CalendarDay("America/New_York"),
)


def holding(window: Window, start: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Start and end of each window that holds the pane, told from the clock."""
    if isinstance(window, CalendarDay):
        offsets = {2: -4, 3: -4, 4: -5, 5: -5, 6: -5}  # of the midnights, by day of November
        day = next(d for d in (6, 5, 4, 3, 2, 1) if start >= datetime(2013, 11, d, -offsets.get(d, -4), tzinfo=UTC))
        ends = [datetime(2013, 11, d, -offsets.get(d, -4), tzinfo=UTC) for d in (day, day + 1)]
        yield ends[0], ends[1]
        return
    assert isinstance(window, Tumbling | Hopping)
    size = timedelta(minutes={"1 minute": 1, "10 minutes": 10, "1 hour": 60}[window.size])
    every = {"1 minute": 1, "5 minutes": 5, "20 minutes": 20}[window.every] if isinstance(window, Hopping) else None
    hop = timedelta(minutes=every) if every else size
    first = START.replace(hour=0)
    while first <= start:
        if start < first + size:
            yield first, first + size
        first += hop


def expected(since: int | None = None) -> dict[tuple[Any, ...], dict[str, Any]]:
    held = defaultdict(list)
    for row in PANES:
        for window in WINDOWS:
            for span in holding(window, row["pane_start"]):
                held[(window, *span, row["site"], row["floor"])].append(row)
    found = {}
    for (window, *key), rows in held.items():
        if since is not None and all(row["sequence"] <= since for row in rows):
            continue
        said: dict[str, Any] = {name: sum(row[name] for row in rows) for name in ("records", "ok_count")}
        for name in ("heat", "cost"):
            some = [row for row in rows if row[f"{name}_count"]]
            count = sum(row[f"{name}_count"] for row in some)
            said[f"{name}_mean"] = float(sum(row[f"{name}_sum"] for row in some) / count) if some else None
            said[f"{name}_min"] = min((row[f"{name}_min"] for row in some), default=None)
            said[f"{name}_max"] = max((row[f"{name}_max"] for row in some), default=None)
        said["devices"] = {device for row in rows for device in row["devices"]} if window.uniques else None
        found[(window.name, *key)] = said
    return found


def found(batch: int, block_rows: int, since: int | None = None) -> dict[tuple[Any, ...], dict[str, Any]]:
    ordered = sorted(DICE.sample(PANES, len(PANES)), key=lambda row: row["pane_start"])
    table = pa.Table.from_pylist(ordered, schema=KINDS)
    kinds = StructType()
    for name, kind in zip(("site", "floor", "heat", "cost"), KINDS_OF_SPARK, strict=True):
        for field in (name, f"{name}_min", f"{name}_max"):
            kinds.add(field, kind)
    target = to_arrow_schema(merging.output(kinds, KEPT), timezone="UTC")
    batches = merging.window_batches(iter(table.to_batches(batch)), KEPT, WINDOWS, target, 0, since, block_rows)
    rows = [row for made in batches for row in made.to_pylist()]
    keys = ("window_kind", "window_start", "window_end", "site", "floor")
    by_key = {tuple(row[key] for key in keys): row for row in rows}
    assert len(by_key) == len(rows)
    return by_key


@pytest.mark.parametrize(("batch", "block_rows"), [(1_000, 10_000), (17, 10_000), (17, 40), (1, 1)])
@pytest.mark.parametrize("since", [None, 2, 3])
def test_windows_are_those_of_plain_python(batch: int, block_rows: int, since: int | None) -> None:
    due, rows = expected(since), found(batch, block_rows, since)
    assert rows.keys() == due.keys()
    for key, said in due.items():
        row = rows[key]
        for name in ("records", "ok_count", "heat_min", "heat_max", "cost_min", "cost_max"):
            assert row[name] == said[name], (key, name)
        for name in ("heat_mean", "cost_mean"):
            assert row[name] == (None if said[name] is None else pytest.approx(said[name], rel=1e-12)), (key, name)
        if said["devices"] is None:
            assert row["device_sketch"] is row["device_estimate"] is row["device_standard_error"] is None
        else:
            whole = hyperloglog.merge([sketch(sorted(said["devices"]))])
            assert row["device_estimate"] == round(hyperloglog.estimate(whole)), key
            assert row["device_standard_error"] == pytest.approx(row["device_estimate"] * 1.04 / 32)


def test_nothing_newer_gives_no_window() -> None:
    assert found(1_000, 10_000, since=4) == {}


def test_windows_are_counted_without_making_them() -> None:
    table = pa.Table.from_pylist(DICE.sample(PANES, len(PANES)), schema=KINDS)
    assert merging.window_count(table, KEPT, WINDOWS) == len(expected())
    for window in WINDOWS:
        assert merging.window_count(table, KEPT, (window,)) == sum(key[0] == window.name for key in expected())
