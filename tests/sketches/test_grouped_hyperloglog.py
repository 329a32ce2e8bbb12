"""Sketches of many groups at once have the bytes that DataSketches gives for each group alone."""

from collections.abc import Sequence
from itertools import accumulate
from random import Random

import numpy as np
import pytest
from datasketches import hll_sketch, hll_union, tgt_hll_type
from hypothesis import given, settings
from hypothesis import strategies as st

from sketches import hyperloglog
from sketches.grouped_hyperloglog import merge_groups, sketch_groups, sketches_and_estimates
from sketches.hyperloglog import NotASketch, UnlikeSketches

ALIKE = (545, 36580)
"""Two numbers that have the same coupon."""
SIZES = st.sampled_from([4, 7, 8, 9, 12, 21])
VALUES = st.one_of(
    st.none(), st.integers(0, 40), st.sampled_from(["", "a", "é", *ALIKE]), st.integers(-(2**63), 2**63 - 1)
)
LENGTHS = st.sampled_from([1, 2, 5, 7, 8, 9, 24, 25, 40, 300])
GROUPS = st.lists(
    LENGTHS.flatmap(lambda length: st.lists(VALUES, min_size=1, max_size=length)), min_size=1, max_size=12
)


def starts_of(groups: Sequence[Sequence[object]]) -> np.ndarray:
    return np.array([0, *accumulate(len(group) for group in groups)][:-1], np.int64)


def library_sketch(values: Sequence[str | int | None], lg_k: int) -> bytes:
    """The one that the library makes."""
    sketch = hll_sketch(lg_k, tgt_hll_type.HLL_8)
    for value in values:
        if value is not None:
            sketch.update(hyperloglog.EMPTY_TEXT if value == "" else value)
    return bytes(sketch.serialize_updatable())


def sketches_of(groups: Sequence[Sequence[str | int | None]], lg_k: int) -> list[bytes]:
    different = list(dict.fromkeys(value for group in groups for value in group if value is not None))
    rows = [-1 if value is None else different.index(value) for group in groups for value in group]
    return sketch_groups(different, np.array(rows, np.int64), starts_of(groups), lg_k)


@settings(max_examples=200, deadline=None)
@given(GROUPS, SIZES)
def test_each_group_has_the_sketch_of_its_values(groups: list[list[str | int | None]], lg_k: int) -> None:
    assert sketches_of(groups, lg_k) == [library_sketch(group, lg_k) for group in groups]


@settings(max_examples=200, deadline=None)
@given(st.lists(GROUPS, min_size=1, max_size=5), SIZES, st.randoms(use_true_random=False), st.booleans())
def test_each_group_has_the_union_of_its_sketches(
    groups: list[list[list[str | int | None]]], lg_k: int, dice: Random, absent: bool
) -> None:
    """Some are None, if `absent`: the sketches of nothing."""
    given_sketches: list[list[bytes | None]] = [
        [None if absent and dice.random() < 0.3 else library_sketch(values, lg_k) for values in group]
        for group in groups
    ]
    expected: list[bytes | None] = []
    for group in given_sketches:
        present = [sketch for sketch in group if sketch is not None]
        if len(present) < 2:
            expected.append(present[0] if present else None)
            continue
        union = hll_union(lg_k)
        for sketch in present:
            union.update(hll_sketch.deserialize(sketch))
        whole = union.get_result(tgt_hll_type.HLL_8)
        merged = bytearray(whole.serialize_updatable())
        if merged[7] & 3 == 2:  # registers: without the running estimate, which depends on the order
            merged[5] |= 16
            merged[8:16] = bytes(8)
        expected.append(bytes(merged))
    flat = [sketch for group in given_sketches for sketch in group]
    assert merge_groups(flat, starts_of(given_sketches)) == expected


@settings(max_examples=200, deadline=None)
@given(GROUPS, SIZES)
def test_each_sketch_loses_its_running_estimate(groups: list[list[str | int | None]], lg_k: int) -> None:
    sketches = [library_sketch(group, lg_k) for group in groups]
    merged = [hyperloglog.merge([sketch], thoroughly=False) for sketch in sketches]
    expected = [hll_sketch.deserialize(sketch).get_estimate() for sketch in merged]
    assert sketches_and_estimates(sketches) == (merged, expected)


def test_the_edges_of_lists_and_sets() -> None:
    for count in (0, 1, 6, 7, 8, 23, 24, 25, 26, 48, 49, 383, 384, 385):
        values = range(count)
        groups: list[list[int | None]] = [[*values, None], [None, *values, *values], [7] * (count + 1)]
        assert sketches_of(groups, 12) == [library_sketch(group, 12) for group in groups]
        halves = [library_sketch(range(0, count, 2), 12), library_sketch(range(1, count, 2), 12)]
        assert merge_groups([*halves, *halves], np.array([0, 2])) == [hyperloglog.merge(halves, thoroughly=False)] * 2


def test_two_values_of_one_coupon_count_once() -> None:
    assert library_sketch(ALIKE, 12) == library_sketch(ALIKE[:1], 12)
    groups = [[*ALIKE, 5], [ALIKE[1], 6, ALIKE[0], 7]]
    assert sketches_of(groups, 12) == [library_sketch(group, 12) for group in groups]


def test_no_groups() -> None:
    none = np.array([], np.int64)
    assert sketch_groups([], none, none, 12) == merge_groups([], none) == []
    assert sketches_and_estimates([]) == ([], [])


def test_sketches_of_different_sizes_are_refused() -> None:
    for values in ([1], range(20), range(2000)):
        with pytest.raises(UnlikeSketches):
            merge_groups([library_sketch([1], 12), library_sketch(values, 11)], np.array([0]))
    alone = [library_sketch([1], 12), library_sketch([1], 11)]
    assert merge_groups(alone, np.array([0, 1])) == alone


@pytest.mark.parametrize("damaged", [b"", bytes(40), b"\x02\x01\x07\x0c\x03\x00\x09\x08" + bytes(32), b"x" * 40])
def test_what_is_no_sketch_is_refused(damaged: bytes) -> None:
    with pytest.raises(NotASketch):
        merge_groups([library_sketch([1], 12), damaged], np.array([0]))
    with pytest.raises(NotASketch):
        sketches_and_estimates([damaged])
