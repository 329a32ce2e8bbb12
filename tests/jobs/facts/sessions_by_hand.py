"""Events of sessions, and the sessions of them in plain Python: the events of a group are sorted, and cut at gaps."""

import math
import statistics
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from hypothesis import strategies as st
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import BooleanType, DoubleType, LongType, StringType, StructField, StructType, TimestampType

from jobs.answers.sessions import Sessions
from jobs.facts import spells
from jobs.running.instants import EPOCH

SECOND = 1_000_000
GAP = 10 * SECOND
SESSIONS = Sessions(
    ("g",),
    "10 seconds",
    averages=("n", "x"),
    uniques=("t",),
    counts=("ok",),
    sums=("n", "x"),
    deviations=("n", "x"),
)
SPELLS = SESSIONS.spells


class Event(NamedTuple):
    """An event; its time in microseconds since 1970 UTC."""

    event_time: int
    g: str | float | None = "a"
    n: int | None = 1
    x: float | None = 1.0
    t: str | None = "t"
    ok: bool | None = True


def kinds(group: Any = None) -> StructType:
    """The columns of events whose groups are of this type; None: text."""
    types = {"event_time": TimestampType(), "g": group or StringType(), "n": LongType(), "x": DoubleType()}
    types |= {"t": StringType(), "ok": BooleanType()}
    return StructType([StructField(name, kind) for name, kind in types.items()])


KINDS = kinds()
NEAR_GAPS = st.builds(
    lambda halves, nudge: 1000 * SECOND + halves * GAP // 2 + nudge, st.integers(0, 14), st.sampled_from([-1, 0, 1])
)
"""Times of which many are a gap apart, or a microsecond more or less."""


GROUPS = st.sampled_from([None, "a", "b"])


def events(groups: st.SearchStrategy[Any] = GROUPS) -> st.SearchStrategy[list[Event]]:
    """Events in any order."""
    numbers, fractions = st.integers(-(2**63), 2**63 - 1), st.floats(1e-3, 1e6)
    texts, truths = st.sampled_from(["", "x", "y", "z"]), st.booleans()
    columns = [st.none() | column for column in (numbers, fractions, texts, truths)]
    return st.lists(st.builds(Event, NEAR_GAPS, groups, *columns), max_size=40)


def table(rows: Iterable[Event], columns: StructType = KINDS) -> pa.Table:
    """The events as Arrow has them."""
    schema, rows = to_arrow_schema(columns, timezone="UTC"), list(rows)
    arrays = [pa.array([getattr(row, field.name) for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def batch(rows: Iterable[Event], kept: spells.Spells = SPELLS, columns: StructType = KINDS) -> pa.Table:
    """The spells of a batch of these events."""
    return spells.partial_step(columns, kept).table(iter(table(rows, columns).to_batches(4)))


def group_name(group: Any) -> Any:
    """What Python must tell groups apart by: there is one zero and one NaN."""
    if isinstance(group, float):
        return "NaN" if math.isnan(group) else group + 0.0
    return group


def cut(rows: Sequence[Event], gap: int = GAP) -> list[list[Event]]:
    """The events of each session."""
    found: list[list[Event]] = []
    by_group: dict[Any, list[Event]] = {}
    for row in rows:
        by_group.setdefault(group_name(row.g), []).append(row)
    for group in by_group.values():
        ordered = sorted(group, key=lambda row: row.event_time)
        found.append([ordered[0]])
        for row in ordered[1:]:
            if row.event_time - found[-1][-1].event_time < gap:
                found[-1].append(row)
            else:
                found.append([row])
    return found


def row_of(session: list[Event], complete: int) -> dict[str, Any]:
    """The published row of SESSIONS for the events of a session, but for what a sketch brings with it."""
    start, end = session[0].event_time, session[-1].event_time
    row: dict[str, Any] = {"g": session[0].g, "session_start": moment(start), "session_end": moment(end)}
    row |= {"events": len(session), "ok_count": sum(bool(each.ok) for each in session)}
    row["t_estimate"] = len({each.t for each in session} - {None})
    row |= {"due_time": moment(end + GAP), "final": end + GAP <= complete}
    for name, is_exact in (("n", True), ("x", False)):
        values: list[Any] = [value for each in session if (value := getattr(each, name)) is not None]
        total = sum(map(Fraction, values)) if values else None
        mean = None if total is None else float(total / len(values))
        row |= {f"{name}_min": min(values, default=None), f"{name}_max": max(values, default=None)}
        row[f"{name}_sum"] = total if is_exact or total is None else pytest.approx(float(total), rel=1e-9)
        row[f"{name}_mean"] = None if mean is None else pytest.approx(mean, rel=1e-15 if is_exact else 1e-9, abs=0)
        deviation = statistics.stdev(map(Fraction, values)) if len(values) > 1 else None
        row[f"{name}_stddev"] = None if deviation is None else pytest.approx(deviation, rel=1e-9, abs=1e-300)
    return row


def published(merged: pa.Table, complete: int = 0) -> list[dict[str, Any]]:
    """The rows of these merged spells, in order of group and time, but for what a sketch brings with it."""
    left_out = ["t_standard_error", "t_sketch", "lg_k"]
    return in_order(SESSIONS.rows(merged, complete).drop_columns(left_out).to_pylist())


def expected(rows: Sequence[Event], complete: int = 0) -> list[dict[str, Any]]:
    """As `published`, from the events."""
    return in_order([row_of(session, complete) for session in cut(rows)])


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """In order of group and time."""
    return sorted(rows, key=lambda row: (row["g"] or "", row["session_start"]))


def moment(micros: int) -> datetime:
    """The time so many microseconds after 1970."""
    return EPOCH + timedelta(microseconds=micros)
