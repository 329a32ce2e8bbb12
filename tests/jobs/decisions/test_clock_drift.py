"""The report of clocks against ones whose drift is known, and a loop over all pairs."""

import random
import statistics
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.decisions.clock_drift import drift_report
from jobs.decisions.clocks import Clocks
from jobs.running.errors import Mistake

SECOND, DAY = 1_000_000, 86_400
START = 1_700_000_000
CLOCKS = Clocks("device", "sent_at")
Row = tuple[str | None, float, float | None, str | None]
"""Device, receipt in seconds after START, offset in seconds (None: nothing was sent), refusal."""


def table(rows: list[Row], **more: list[str | None]) -> pa.Table:
    received = [round((START + at) * SECOND) for _, at, _, _ in rows]
    sent = [None if row[2] is None else came - round(row[2] * SECOND) for row, came in zip(rows, received, strict=True)]
    times = {"record_timestamp": received, "sent_at": sent, "event_time": [came - 10**12 for came in received]}
    texts = {"device": [row[0] for row in rows], "clock_refusal": [row[3] for row in rows], **more}
    return pa.table(
        {name: pa.array(column, pa.timestamp("us", "UTC")) for name, column in times.items()}
        | {name: pa.array(column, pa.string()) for name, column in texts.items()}
    )


def test_two_devices_worked_out_by_hand() -> None:
    rows: list[Row] = [
        ("b", 2 * DAY, 7.0, None),
        ("a", 0, 5.0, None),
        ("a", 30, None, "no_sent"),
        ("b", 0, 1.0, None),
        ("b", DAY, 4.0, "sent_before_event"),
        (None, 0, None, "no_device"),
    ]
    assert drift_report(table(rows), CLOCKS).to_pylist() == [
        numbers("a", 2, 1, 5.0, 5.0, 5.0, None),
        numbers("b", 3, 1, 4.0, 1.0, 7.0, 3.0),
        numbers(None, 1, 1, None, None, None, None),
    ]


def numbers(device: str | None, *values: float | None) -> dict[str, object]:
    names = ("records", "refusals", "median_offset_seconds", "first_offset_seconds", "last_offset_seconds")
    return {"device": device} | dict(zip((*names, "drift_seconds_per_day"), values, strict=True))


def test_versions_are_told_apart_and_in_order() -> None:
    rows: list[Row] = [("a", n * DAY, float(n % 2), None) for n in range(4)]
    report = drift_report(table(rows, firmware=["2", "1", "2", None]), CLOCKS, "firmware")
    assert report.column_names[:3] == ["device", "version", "records"]
    assert report.select(["device", "version", "records", "last_offset_seconds"]).to_pylist() == [
        {"device": "a", "version": "1", "records": 1, "last_offset_seconds": 1.0},
        {"device": "a", "version": "2", "records": 2, "last_offset_seconds": 0.0},
        {"device": "a", "version": None, "records": 1, "last_offset_seconds": 1.0},
    ]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(-9, 9)), min_size=1, max_size=25, unique_by=lambda p: p[0]))
def test_drift_is_the_median_slope_of_all_pairs(points: list[tuple[int, int]]) -> None:
    [row] = drift_report(table([("a", hour * 3600, float(off), None) for hour, off in points]), CLOCKS).to_pylist()
    slopes = [(b[1] - a[1]) / ((b[0] - a[0]) / 24) for a, b in combinations(points, 2)]
    assert row["drift_seconds_per_day"] == (pytest.approx(statistics.median(slopes)) if slopes else None)
    in_order = [off for _, off in sorted(points)]
    ends = (row["first_offset_seconds"], row["last_offset_seconds"], row["median_offset_seconds"])
    assert ends == (in_order[0], in_order[-1], statistics.median(in_order))


@pytest.mark.parametrize("drift", [-20.0, 0.0, 3.5])
def test_a_long_delay_of_every_tenth_record_does_not_hide_the_drift(drift: float) -> None:
    dice = random.Random(8)
    rows: list[Row] = []
    for n in range(5000):
        delay = dice.uniform(0, 1) + (dice.uniform(0, 600) if n % 10 == 0 else 0)
        rows.append(("a", n * 600, drift * n * 600 / DAY + delay, None))
    [row] = drift_report(table(rows), CLOCKS).to_pylist()
    assert abs(row["drift_seconds_per_day"] - drift) < 0.1
    slope = np.polyfit([at / DAY for _, at, _, _ in rows], [off or 0 for _, _, off, _ in rows], 1)[0]
    assert abs(slope - drift) < 1, "the clock that the test made"


def test_no_rows_give_no_rows_and_a_missing_column_is_said() -> None:
    assert drift_report(table([]), CLOCKS).num_rows == 0
    with pytest.raises(Mistake, match="events have no column firmware"):
        drift_report(table([]), CLOCKS, "firmware")
    with pytest.raises(Mistake, match="events have no column clock_refusal"):
        drift_report(table([]).drop_columns("clock_refusal"), CLOCKS)
