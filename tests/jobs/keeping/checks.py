"""Whether the tables of a result are those of the log: compared with what readings.py works out in plain Python."""

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from fractions import Fraction
from typing import Any, Protocol

from datasketches import hll_sketch, hll_union

from tests.jobs.keeping import readings
from tests.jobs.keeping.readings import Record


class Kept(Protocol):
    """A result that was kept over what was written into the log."""

    written: list[Record]

    def rows(self, suffix: str = "") -> list[dict[str, Any]]: ...


def close(found: object, expected: object) -> bool:
    if isinstance(expected, float) and isinstance(found, float):
        return math.isclose(found, expected, rel_tol=1e-9)
    return found == expected


def differing(found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> dict[Any, tuple[Any, Any]]:
    """{key: (found, expected)} of the keys whose values differ; None stands for a key that is not there."""
    keys = [
        key
        for key in {**found, **expected}
        if found.get(key) != expected.get(key) or (key in found) != (key in expected)
    ]
    return {key: (found.get(key), expected.get(key)) for key in keys}


def check_common(world: Kept, allowed: timedelta, late_reason: str | None = None) -> None:
    """`late_reason`: the reason for which late records are in quarantine; None if they are not."""
    late = readings.late(world.written, allowed)
    bad = {(row["partition"], row["offset"]): row for row in world.rows("_quarantine")}
    expected_bad = {(r.partition, r.offset): r for r in world.written if r.bad}
    assert len(world.rows("_quarantine")) == len(bad)
    reasons = {place: (row["reason"], row["field"]) for place, row in bad.items()}
    if late_reason:
        expected_bad |= {(r.partition, r.offset): r for r in world.written if (r.partition, r.offset) in late}
    due = {place: record.bad or (late_reason, "taken_time") for place, record in expected_bad.items()}
    assert reasons == due, differing(reasons, due)
    for place, row in bad.items():
        record = expected_bad[place]
        assert (row["key"], row["value"], row["timestamp"]) == (record.key.encode(), record.value, record.timestamp)
    ledger = sorted(world.rows("_ledger"), key=lambda row: row["sequence"])
    assert [row["sequence"] for row in ledger] == list(range(1, len(ledger) + 1))
    for before, after in itertools.pairwise(ledger):
        assert dict(after["start_offsets"]) == dict(before["end_offsets"])
    ends = {p: sum(r.partition == p for r in world.written) for p in {r.partition for r in world.written}}
    read = {p: offset for p, offset in dict(ledger[-1]["end_offsets"]).items() if offset}
    assert read == ends, differing(read, ends)
    sums = {name: sum(row[name] for row in ledger) for name in ("records", "quarantined", "out_of_order", "late")}
    counts = (len(world.written), len(bad), len(readings.behind(world.written)), len(late))
    assert sums == dict(zip(sums, counts, strict=True)), (sums, counts)
    rows = world.rows("_stragglers")
    stragglers = {(row["partition"], row["offset"]): (row["event_time"], row["stream_time"]) for row in rows}
    assert len(rows) == len(stragglers)
    assert stragglers == late, differing(stragglers, late)
    assert all(row["lateness_seconds"] == (row["stream_time"] - row["event_time"]).total_seconds() for row in rows)
    assert ledger[-1]["complete_time"] == readings.complete_time(world.written, allowed)


NUMBERS = ("reading", "level", "amount")
UNIQUES = {"devices": "device", "notes": "note"}


def said(row: dict[str, Any]) -> dict[str, Any]:
    found = {"records": row["records"], "ok": row["ok_count"]}
    found |= {shown: row[f"{n}_estimate"] for shown, n in UNIQUES.items() if f"{n}_estimate" in row}
    return found | {n: (row[f"{n}_mean"], row[f"{n}_min"], row[f"{n}_max"]) for n in NUMBERS if f"{n}_mean" in row}


def merged(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Partial panes of one pane and group as what they say together."""
    found: dict[str, Any] = {"records": sum(r["records"] for r in rows), "ok": sum(r["ok_count"] for r in rows)}
    for shown, name in UNIQUES.items():
        if f"{name}_sketch" in rows[0]:
            union = hll_union(12)
            for row in rows:
                union.update(hll_sketch.deserialize(row[f"{name}_sketch"]))
            found[shown] = round(union.get_estimate())
    for name in NUMBERS:
        if f"{name}_count" not in rows[0]:
            continue
        count = sum(r[f"{name}_count"] for r in rows)
        some = [r for r in rows if r[f"{name}_count"]]
        found[name] = (None, None, None)
        if count:
            low, high = min(r[f"{name}_min"] for r in some), max(r[f"{name}_max"] for r in some)
            total = sum(Fraction(r.get(f"{name}_sum_beyond") or r[f"{name}_sum"]) for r in some)
            found[name] = (float(total / count), low, high)
    return found


def check_same(found: dict[Any, dict[str, Any]], expected: dict[Any, dict[str, Any]]) -> None:
    assert found.keys() == expected.keys(), {key: key in found for key in found.keys() ^ expected.keys()}
    for key, facts in found.items():
        for name, value in facts.items():
            mine, due = (x if isinstance(x, tuple) else (x,) for x in (value, expected[key][name]))
            assert all(close(a, b) for a, b in zip(mine, due, strict=True)), (key, name, facts, expected[key])


def check_panes(world: Kept, by: tuple[str, ...] = ("site",)) -> None:
    check_common(world, timedelta(hours=2))
    assert all(row["done"] == "corrected" for row in world.rows("_stragglers"))
    check_windows(world, world.written, by)


def check_without_late(world: Kept, done: str) -> None:
    """Late records are in no window: they were `done` away with."""
    check_common(world, timedelta(hours=2), "late" if done == "quarantined" else None)
    late = readings.late(world.written, timedelta(hours=2))
    assert late
    assert all(row["done"] == done for row in world.rows("_stragglers"))
    dropped = sum(row["dropped"] for row in world.rows("_ledger"))
    assert dropped == (len(late) if done == "dropped" else 0)
    check_windows(world, [r for r in world.written if (r.partition, r.offset) not in late], ("site",))


def check_windows(world: Kept, written: list[Record], by: tuple[str, ...]) -> None:
    """Panes and windows are those of the records `written`."""
    rows = world.rows()
    complete = readings.complete_time(world.written, timedelta(hours=2))
    assert all(row["final"] == (row["window_end"] <= complete) for row in rows)
    assert all(row["due_time"] == row["window_end"] for row in rows)
    published = {tuple(r[k] for k in ("window_kind", "window_start", "window_end", *by)): said(r) for r in rows}
    assert len(published) == len(rows)
    check_same(published, readings.windows(written, by))
    assert not [r for r in rows for v in r.values() if isinstance(v, float) and v == 0 and math.copysign(1, v) < 0]
    parts = defaultdict(list)
    for row in world.rows("_panes"):
        parts[tuple(row[k] for k in ("pane_start", *by))].append(row)
    check_same({key: merged(rows) for key, rows in parts.items()}, readings.panes(written, by))
    ledger = sorted(world.rows("_ledger"), key=lambda row: row["sequence"])
    assert ledger[-1]["published_sequence"] >= max(row["sequence"] for row in ledger if row["kind"] == "batch")


def answers(world: Kept) -> dict[tuple[int, int], bool | None]:
    rows = world.rows()
    found = {(row["record_partition"], row["record_offset"]): row["seen_before"] for row in rows}
    assert len(found) == len(rows)
    return found


def check_seen(world: Kept) -> None:
    check_common(world, timedelta(hours=6))
    found, due = answers(world), readings.seen(world.written, timedelta(hours=6))
    assert found == due, differing(found, due)
