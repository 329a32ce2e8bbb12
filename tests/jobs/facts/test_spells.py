"""Spells: however events are cut into batches, and spells are merged, the same sessions come of them."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import DoubleType, IntegerType

from jobs.facts import chains, spells
from jobs.facts.spells import Spells
from jobs.running.errors import Mistake
from tests.jobs.facts.sessions_by_hand import (
    GAP,
    KINDS,
    SECOND,
    SPELLS,
    Event,
    batch,
    cut,
    events,
    expected,
    group_name,
    kinds,
    moment,
    published,
    table,
)

COUNTS = Spells(("g",), "10 seconds")
FAR = 220_000_000_000 * SECOND
"""Some 7,000 years: with some twenty groups it does not fit into 64 bits."""


def intervals(merged: pa.Table) -> list[tuple]:
    rows = [(row["g"], row["start_time"], row["end_time"], row["events"]) for row in merged.to_pylist()]
    return sorted(rows, key=lambda row: (row[0] or "", row[1]))


@settings(max_examples=50)
@given(st.data(), events())
def test_however_events_are_cut_and_spells_are_merged_the_sessions_are_the_same(
    data: st.DataObject, rows: list[Event]
) -> None:
    numbers = data.draw(st.lists(st.integers(0, 4), min_size=len(rows), max_size=len(rows)))
    parts = [batch([row for row, at in zip(rows, numbers, strict=True) if at == number]) for number in range(5)]
    while len(parts) > 1:
        parts = data.draw(st.permutations(parts))
        several = data.draw(st.integers(1, len(parts)))
        parts = [spells.merge(pa.concat_tables(parts[:several]), SPELLS), *parts[several:]][: len(parts)]
        if several == 1:
            parts = [pa.concat_tables(parts[:2]), *parts[2:]]
    assert published(spells.merge(parts[0], SPELLS)) == expected(rows)


@settings(max_examples=50)
@given(events(), st.integers(1, 7), st.sampled_from([0, 2**62]))
def test_large_batches_are_added_up_in_blocks_and_sorted_in_either_way(
    rows: list[Event], block_rows: int, largest: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spells, "BLOCK_ROWS", block_rows)
        patch.setattr(chains, "_LARGEST", largest)
        parts = batch(rows)
        merged = spells.combine_step(KINDS, SPELLS).table(iter(parts.to_batches(3)))
    assert len(parts) >= len(cut(rows))
    assert published(merged) == expected(rows)


@settings(max_examples=50)
@given(events(), events())
def test_more_events_only_join_and_extend(rows: list[Event], more: list[Event]) -> None:
    before = intervals(spells.merge(batch(rows, COUNTS), COUNTS))
    after = intervals(spells.merge(pa.concat_tables([batch(rows, COUNTS), batch(more, COUNTS)]), COUNTS))
    assert sum(row[3] for row in after) == len(rows) + len(more)
    for group, start, end, count in before:
        around = [row for row in after if row[0] == group and row[1] <= start and end <= row[2]]
        assert len(around) == 1 and around[0][3] >= count


@settings(max_examples=50)
@given(st.data(), events(), events())
def test_only_the_near_spells_need_to_be_merged_with_new_ones(
    data: st.DataObject, rows: list[Event], more: list[Event]
) -> None:
    stored = spells.merge(batch(rows), SPELLS)
    cuts = data.draw(st.integers(0, len(more)))
    new = pa.concat_tables([batch(more[:cuts]), batch(more[cuts:])])
    near = spells.near(stored, new, SPELLS)
    merged = spells.merge(pa.concat_tables([stored.filter(pa.array(near)), new]), SPELLS)
    found = pa.concat_tables([stored.filter(pa.array(~near)), merged])
    assert published(found) == expected([*rows, *more])
    joined = [session for session in cut([*rows, *more]) if any(each is row for each in session for row in more)]
    inside = [(row.g, row.event_time) for session in joined for row in session]
    starts = zip(stored["g"].to_pylist(), stored["start_time"].cast(pa.int64()).to_pylist(), strict=True)
    assert near.tolist() == [key in inside for key in starts], "and no more of them than that"


@settings(max_examples=50)
@given(events(), events())
def test_near_finds_spells_that_are_joined_by_way_of_other_stored_ones(rows: list[Event], more: list[Event]) -> None:
    stored = pa.concat_tables([batch([row], COUNTS) for row in rows] or [batch([], COUNTS)])
    near = spells.near(stored, batch(more, COUNTS), COUNTS)
    merged = spells.merge(pa.concat_tables([stored.filter(pa.array(near)), batch(more, COUNTS)]), COUNTS)
    apart = spells.merge(stored.filter(pa.array(~near)), COUNTS)
    found = sorted(intervals(merged) + intervals(apart), key=lambda row: (row[0] or "", row[1]))
    assert found == intervals(spells.merge(batch([*rows, *more], COUNTS), COUNTS))


@settings(max_examples=50)
@given(events(st.sampled_from([None, 0.0, -0.0, 1.5, math.nan, -math.nan])))
def test_null_is_a_group_of_its_own_and_there_is_one_zero_and_one_nan(rows: list[Event]) -> None:
    parts = [batch([row], COUNTS, kinds(DoubleType())) for row in rows]
    merged = spells.merge(pa.concat_tables([*parts, batch([], COUNTS, kinds(DoubleType()))]), COUNTS)
    found = {
        (group_name(group), start): count for group, start, _, count in (row.values() for row in merged.to_pylist())
    }
    assert found == {(group_name(s[0].g), moment(s[0].event_time)): len(s) for s in cut(rows)}
    assert len(found) == len(merged)
    assert all(spells.near(merged, merged, COUNTS))


def test_a_table_may_have_both_zeros_and_unlike_nan() -> None:
    stored = batch([Event(0, 0.0), Event(0, math.nan), Event(0, 1.5)], COUNTS, kinds(DoubleType()))
    new = stored.set_column(0, "g", pa.array([-0.0, math.copysign(math.nan, -1), 2.5]))
    assert sorted(zip(stored["g"].to_pylist(), spells.near(stored, new, COUNTS).tolist(), strict=True), key=str) == [
        (0.0, True),
        (1.5, False),
        (pytest.approx(math.nan, nan_ok=True), True),
    ]
    assert spells.merge(pa.concat_tables([stored, new]), COUNTS)["events"].to_pylist() == [2, 2, 1, 1]


def test_a_silence_of_the_gap_exactly_ends_a_session() -> None:
    first = Event(1000 * SECOND)
    for silence, sessions in ((GAP - 1, 1), (GAP, 2)):
        second = Event(1000 * SECOND + silence)
        assert len(batch([first, second])) == sessions
        assert len(spells.merge(pa.concat_tables([batch([second]), batch([first])]), SPELLS)) == sessions
        assert spells.near(batch([first]), batch([second]), SPELLS).tolist() == [sessions == 1]
        assert spells.near(batch([second]), batch([first]), SPELLS).tolist() == [sessions == 1]


def test_an_event_between_two_spells_joins_them_and_a_long_spell_joins_those_within_it() -> None:
    parts = [batch([Event(time * SECOND) for time in times], COUNTS) for times in ((100, 109), (118, 127), (136,))]
    apart = pa.concat_tables(parts[::2])
    assert intervals(spells.merge(apart, COUNTS)) == [
        ("a", moment(100 * SECOND), moment(109 * SECOND), 2),
        ("a", moment(136 * SECOND), moment(136 * SECOND), 1),
    ]
    joined = [("a", moment(100 * SECOND), moment(136 * SECOND), 5)]
    assert intervals(spells.merge(pa.concat_tables([apart, parts[1]]), COUNTS)) == joined
    inside = batch([Event(105 * SECOND), Event(137 * SECOND)], COUNTS)
    all_of_them = spells.merge(pa.concat_tables([*parts, inside]), COUNTS)
    assert intervals(all_of_them) == [("a", moment(100 * SECOND), moment(137 * SECOND), 7)]


def test_one_event_and_no_event() -> None:
    [row] = batch([Event(5, n=None, t=None)]).to_pylist()
    assert (row["start_time"], row["end_time"], row["events"], row["n_sum"]) == (moment(5), moment(5), 1, None)
    nothing = batch([])
    assert len(nothing) == len(spells.merge(nothing, SPELLS)) == 0
    assert nothing.schema == to_arrow_schema(spells.output(KINDS, SPELLS), timezone="UTC")
    assert spells.near(batch([Event(5)]), nothing, SPELLS).tolist() == [False]
    assert spells.near(nothing, batch([Event(5)]), SPELLS).tolist() == []


def test_many_groups_in_times_that_do_and_do_not_fit_beside_them_into_64_bits() -> None:
    numbers = np.arange(60_000)
    for apart in (SECOND, FAR):
        times = 1000 * SECOND + (numbers % 3) // 2 * apart  # of each group two events at once, and one after them
        rows = {"event_time": pa.array(times, pa.timestamp("us", tz="UTC")), "g": pa.array((numbers // 3).astype("i4"))}
        step = spells.partial_step(kinds(IntegerType()), COUNTS)
        merged = spells.merge(step.table(iter(pa.table(rows).to_batches(10_000))), COUNTS)
        counts = np.tile([3] if apart == SECOND else [2, 1], 20_000)
        assert merged["events"].to_pylist() == counts.tolist()
        assert len(set(merged["g"].to_pylist())) == 20_000


def test_without_groups_all_events_are_one_group() -> None:
    kept = Spells((), "10 seconds", count="clicks")
    merged = spells.merge(pa.concat_tables([batch([Event(5, "a")], kept), batch([Event(GAP, None)], kept)]), kept)
    assert merged.to_pylist() == [{"start_time": moment(5), "end_time": moment(GAP), "clicks": 2}]
    assert spells.near(merged, batch([Event(2 * GAP - 1)], kept), kept).tolist() == [True]


def test_the_greatest_sequence_is_kept_in_the_columns_of_the_table() -> None:
    parts = [batch([Event(time)]).append_column("sequence", pa.array([at])) for time, at in ((0, 7), (1, 9), (GAP, 8))]
    merged = spells.merge(pa.concat_tables(parts), SPELLS)
    assert merged.schema == parts[0].schema
    assert merged["sequence"].to_pylist() == [9]
    apart = spells.merge(pa.concat_tables(parts[::2]), SPELLS)
    assert apart["sequence"].to_pylist() == [7, 8]


def test_near_compares_groups_of_stored_tables_that_have_another_kind_of_text() -> None:
    stored = batch([Event(0, "a"), Event(0, "b"), Event(0, None)], COUNTS)
    large = stored.set_column(0, "g", stored["g"].cast(pa.large_string()))
    assert spells.near(large, batch([Event(1, "b"), Event(1, None)], COUNTS), COUNTS).tolist() == [
        group != "a" for group in stored["g"].to_pylist()
    ]


def test_what_is_wrong_in_a_job_file_is_refused() -> None:
    with pytest.raises(Mistake, match="months and years have no fixed length"):
        Spells(("g",), "1 month")
    with pytest.raises(Mistake, match="v: named twice in Sessions"):
        Spells(("g",), "1 hour", averages=("v", "v"))
    with pytest.raises(Mistake, match="lg_k is 3"):
        Spells(("g",), "1 hour", lg_k=3)


def test_spark_adds_up_and_merges_as_this_process_does(spark: SparkSession) -> None:
    rows = [
        Event(time * GAP // 3 * (1 + time % 4), "ab"[time % 2], time, time / 7, f"t{time % 5}") for time in range(60)
    ]
    frame = spark.createDataFrame([(moment(row.event_time), *row[1:]) for row in rows], KINDS).repartition(3)
    parts = spells.partial_step(KINDS, SPELLS).over(frame)
    merged = spells.combine_step(KINDS, SPELLS).over(parts.repartition(2, "g"))
    assert merged.schema == spells.output(KINDS, SPELLS)
    assert published(merged.toArrow()) == expected(rows)
    assert len(table(rows)) == 60 > len(expected(rows)) > 2
