"""Counts of seconds against lists of the single values."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jobs.admin import second_counts
from jobs.admin.second_counts import SecondCounts, Spread

MICROS = st.one_of(st.integers(-3_000_000, 5_000_000), st.integers(0, 300_000 * 365 * 86_400 * 1_000_000 // 100))
BLOCKS = st.lists(st.lists(st.tuples(st.integers(0, 3), MICROS), max_size=12), min_size=1, max_size=6)


def check(spread: Spread, micros: list[int]) -> None:
    """That it says of these values what a sorted list of them says."""
    seconds = sorted(max(0, math.ceil(Fraction(each, 1_000_000))) for each in micros)
    assert (spread.total, spread.largest) == (len(seconds), max(seconds, default=0))
    for bound in (0, 1, 2, 60, 10**9):
        assert spread.within(bound) == sum(max(0, each) <= bound * 1_000_000 for each in micros)
    for per_mille in (1, 500, 900, 990, 999, 1000) if seconds else ():
        rank = math.ceil(Fraction(per_mille, 1000) * len(seconds))
        assert spread.percentile(per_mille) == seconds[rank - 1]


@given(BLOCKS, st.sampled_from([1, 3, second_counts._MERGE_AT]))
def test_counts_say_what_the_single_values_say(blocks: list[list[tuple[int, int]]], merge_at: int) -> None:
    before, second_counts._MERGE_AT = second_counts._MERGE_AT, merge_at
    try:
        counts = SecondCounts()
        for block in blocks:
            counts.add(np.array([g for g, _ in block], np.int64), np.array([m for _, m in block], np.int64))
    finally:
        second_counts._MERGE_AT = before
    pairs = [pair for block in blocks for pair in block]
    assert counts.groups() == sorted({group for group, _ in pairs})
    check(counts.spread(), [micros for _, micros in pairs])
    for group in range(4):
        check(counts.spread(group), [micros for own, micros in pairs if own == group])


def test_percentiles_of_a_hundred_values_worked_out_by_hand() -> None:
    counts = SecondCounts()
    counts.add(np.zeros(100, np.int64), np.arange(1, 101) * 1_000_000)
    assert [counts.spread().percentile(share) for share in (500, 900, 990, 999)] == [50, 90, 99, 100]
