"""HyperLogLog sketches: merging is as if all went into one, errors stay in their bounds, other bytes are refused."""

import math
import pickle
from collections.abc import Iterable
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest
from datasketches import hll_sketch, hll_union, tgt_hll_type
from hypothesis import given, settings
from hypothesis import strategies as st

from sketches import hyperloglog
from sketches.hyperloglog import NotASketch, UnlikeSketches

TYPES = [tgt_hll_type.HLL_4, tgt_hll_type.HLL_6, tgt_hll_type.HLL_8]
COUNTS = {"empty": 0, "list": 5, "set": 100, "young": 700, "grown": 5_000, "full": 60_000}


def sketch_of(
    values: Iterable[int], lg_k: int = 12, kind: tgt_hll_type = tgt_hll_type.HLL_8, compact: bool = False
) -> bytes:
    sketch = hll_sketch(lg_k, kind)
    for value in values:
        sketch.update(value)
    return sketch.serialize_compact() if compact else sketch.serialize_updatable()


def dense_registers(values: Iterable[int], lg_k: int) -> list[int]:
    """What a sketch that is dense from its first value on holds."""
    sketch = hll_sketch(lg_k, tgt_hll_type.HLL_8, True)
    for value in values:
        sketch.update(value)
    return list(sketch.serialize_updatable()[40:])


@pytest.mark.parametrize("lg_k", [4, 7, 8, 12, 16])
@pytest.mark.parametrize("count", COUNTS.values(), ids=COUNTS)
@pytest.mark.parametrize("kind", TYPES, ids=str)
@pytest.mark.parametrize("compact", [True, False], ids=["compact", "updatable"])
def test_every_form_opens_with_the_registers_of_a_dense_one(
    lg_k: int, count: int, kind: tgt_hll_type, compact: bool
) -> None:
    stored = sketch_of(range(count), lg_k, kind, compact)
    assert hyperloglog.lg_k(stored) == lg_k
    assert hyperloglog.estimate(stored) == hll_sketch.deserialize(stored).get_estimate()
    assert hyperloglog.to_datasketch(stored).reg.tolist() == dense_registers(range(count), lg_k)
    merged = hyperloglog.merge([stored])
    assert hyperloglog.to_datasketch(merged).reg.tolist() == dense_registers(range(count), lg_k)
    assert hyperloglog.lg_k(merged) == lg_k


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([4, 8, 12]), st.integers(0, 3000), st.lists(st.integers(0, 3000), max_size=5), st.randoms())
def test_merging_parts_is_merging_the_whole(lg_k: int, count: int, cuts: list[int], random: Random) -> None:
    edges = [0, *sorted(min(cut, count) for cut in cuts), count]
    parts = [sketch_of(range(max(0, a - 50), b), lg_k) for a, b in pairwise(edges)]  # they overlap
    random.shuffle(parts)
    merged = hyperloglog.merge(parts)
    whole = hyperloglog.merge([sketch_of(range(count), lg_k)])
    assert hyperloglog.estimate(merged) == hyperloglog.estimate(whole)
    assert hyperloglog.bounds(merged) == hyperloglog.bounds(whole)
    nested = hyperloglog.merge([hyperloglog.merge(parts[:2]), merged, *parts[2:], *parts])
    assert hyperloglog.estimate(nested) == hyperloglog.estimate(whole)
    assert len(nested) == len(whole)


def test_small_sets_are_counted_exactly() -> None:
    for count in range(101):
        assert hyperloglog.estimate(sketch_of(range(count))) == pytest.approx(count, abs=0.01)
        assert hyperloglog.to_datasketch(sketch_of(range(count))).count() == pytest.approx(count, abs=5)


@pytest.mark.parametrize("lg_k", [4, 5, 8, 12, 16, 21])
@pytest.mark.parametrize("compact", [True, False], ids=["compact", "updatable"])
def test_one_sketch_that_is_trusted_merges_to_what_the_library_makes_of_it(lg_k: int, compact: bool) -> None:
    for count in (*range(40), 96, 97, 192, 193, 400, 800):
        stored = sketch_of(range(1000 * count, 1001 * count), lg_k, compact=compact)
        union = hll_union(lg_k)
        union.update(hll_sketch.deserialize(stored))
        merged = union.get_result(tgt_hll_type.HLL_8)
        ours = hyperloglog.merge([stored], thoroughly=False)
        assert ours[40:] == merged.serialize_updatable()[40:]
        if ours[7] & 3 < 2:  # a list or a set: a dense one drops its running estimate
            assert ours == merged.serialize_updatable()
            assert hyperloglog.estimate(stored, thoroughly=False) == merged.get_estimate()
        assert hyperloglog.estimate(ours, thoroughly=False) == hll_sketch.deserialize(ours).get_estimate()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [1_000, 20_000, 100_000])
def test_estimates_lie_within_three_standard_errors(count: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 2**62, count).tolist()
    once = sketch_of(values)
    merged = hyperloglog.merge([sketch_of(values[::2]), sketch_of(values[1::2])])
    error = 3 * hyperloglog.standard_error(12)
    for stored in (once, merged):
        assert hyperloglog.estimate(stored) == pytest.approx(count, rel=error)
        assert hyperloglog.to_datasketch(stored).count() == pytest.approx(count, rel=error)
        lower, upper = hyperloglog.bounds(stored, 3)
        assert lower <= count <= upper
        assert (
            lower < hyperloglog.bounds(stored)[0] < hyperloglog.estimate(stored) < hyperloglog.bounds(stored)[1] < upper
        )
        assert (upper - lower) / count < 2.5 * error


def test_the_standard_error_is_that_of_the_paper() -> None:
    assert hyperloglog.standard_error(12) == pytest.approx(0.01625)
    assert hyperloglog.standard_error(14) == hyperloglog.standard_error(12) / 2


def test_unlike_sizes_do_not_merge() -> None:
    with pytest.raises(UnlikeSketches, match=r"lgK 10 with lgK 12"):
        hyperloglog.merge([sketch_of(range(5), 12), sketch_of(range(5), 10)])
    with pytest.raises(UnlikeSketches, match=r"lgK 12 with lgK 10"):
        hyperloglog.merge(iter([sketch_of(range(5000), 10), sketch_of([], 12)]))


def test_nothing_does_not_merge() -> None:
    with pytest.raises(ValueError, match="no sketches to merge"):
        hyperloglog.merge([])


@pytest.mark.parametrize("deviations", [0, 4, -1])
def test_bounds_know_one_to_three_deviations(deviations: int) -> None:
    with pytest.raises(ValueError, match="1, 2 or 3"):
        hyperloglog.bounds(sketch_of(range(5)), deviations)


def test_datasketch_holds_at_most_lg_k_16() -> None:
    with pytest.raises(ValueError, match="4 to 16, not 17"):
        hyperloglog.to_datasketch(sketch_of(range(5), 17))


def test_a_datasketch_merges_but_takes_no_values() -> None:
    one, other = (hyperloglog.to_datasketch(sketch_of(values)) for values in (range(5000), range(4000, 9000)))
    one.merge(other)
    assert one.reg.tolist() == dense_registers(range(9000), 12)
    with pytest.raises(TypeError, match="hashes them differently"):
        one.update(b"value")
    assert pickle.loads(pickle.dumps(other)).count() == other.count()


FORMS = [(count, kind, compact) for count in COUNTS.values() for kind in TYPES for compact in (True, False)]


@pytest.mark.parametrize(("count", "kind", "compact"), FORMS, ids=str)
def test_cut_or_lengthened_sketches_are_refused(count: int, kind: tgt_hll_type, compact: bool) -> None:
    stored = sketch_of(range(count), 8, kind, compact)
    for damaged in [*(stored[:length] for length in range(len(stored))), stored + b"\0", stored + stored]:
        with pytest.raises(NotASketch):
            hyperloglog.estimate(damaged)


@pytest.mark.parametrize("count", [COUNTS["list"], COUNTS["set"], COUNTS["grown"]])
def test_a_changed_byte_is_refused_or_does_not_matter(count: int) -> None:
    """No checksum is in the format: what is left is a small change of one coupon or the running estimate."""
    stored = sketch_of(range(count), 12)
    right = hyperloglog.estimate(stored)
    for place in range(len(stored)):
        for bit in (1, 64, 128):
            damaged = stored[:place] + bytes([stored[place] ^ bit]) + stored[place + 1 :]
            try:
                found = hyperloglog.estimate(damaged)
            except NotASketch:
                continue
            assert math.isclose(found, right, rel_tol=0.2), (place, bit)


@settings(max_examples=500)
@given(
    st.one_of(
        st.binary(max_size=200).filter(lambda garbage: garbage[:3] != b"\2\1\7"),  # soon five coupons
        st.builds(
            lambda head, rest: head + rest,
            st.sampled_from([sketch_of(range(count), 8, kind, True)[:8] for count in (0, 100, 5000) for kind in TYPES]),
            st.binary(min_size=1, max_size=400),
        ),
    )
)
def test_garbage_is_refused(garbage: bytes) -> None:
    for function in (hyperloglog.estimate, hyperloglog.lg_k, hyperloglog.bounds, hyperloglog.to_datasketch):
        with pytest.raises(NotASketch):
            function(garbage)
    with pytest.raises(NotASketch):
        hyperloglog.merge([sketch_of(range(5)), garbage])


@pytest.mark.parametrize("wrong", [None, "text", bytearray(8), 5])
def test_only_bytes_are_sketches(wrong: Any) -> None:
    with pytest.raises(NotASketch):
        hyperloglog.estimate(wrong)


def test_each_different_text_counts_the_empty_one_too_and_null_does_not() -> None:
    cases: list[tuple[list[str | None], int]] = [
        ([""], 1),
        (["", "", None], 1),
        ([None], 0),
        ([], 0),
        (["", "x", "y", None], 3),
        ([" ", ""], 2),
    ]
    cases += [(["\0", "\0a", "a", "", "A", "a "], 6)]
    for values, distinct in cases:
        assert round(hyperloglog.estimate(hyperloglog.sketch_of(values, 12))) == distinct, values
    parts = [hyperloglog.sketch_of(values, 12) for values in ([""], ["", "x"], ["x"])]
    assert round(hyperloglog.estimate(hyperloglog.merge(parts))) == 2


def test_a_sketch_of_an_earlier_version_which_passed_over_the_empty_text_is_merged_with_one_that_counts_it() -> None:
    earlier = hll_sketch(12, tgt_hll_type.HLL_8)
    for value in ("", "x", "y"):
        earlier.update(value)
    merged = hyperloglog.merge([bytes(earlier.serialize_updatable()), hyperloglog.sketch_of(["", "x"], 12)])
    assert round(hyperloglog.estimate(merged)) == 3
