"""Bloom filters: no false no, false yes at the promised rate, and the answers of one record at a time however cut."""

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketches.bloom import NEVER, BloomFilter, NotABloomFilter, Numbers, Size, UnlikeFilters, size_for
from tests.sketches.bits_of_keys import bits_of


def keys(seed: int, count: int) -> Numbers:
    return np.random.default_rng(seed).integers(-(2**63), 2**63, count)


class OneByOne:
    """The model: a set of bit numbers, one record at a time."""

    def __init__(self, size: Size) -> None:
        self.size, self.bits = size, set[int]()

    def test_and_add(self, key: int) -> bool:
        seen = bits_of(key, self.size) <= self.bits
        self.bits |= bits_of(key, self.size)
        return seen


def ask_and_add(bloom: BloomFilter, stream: Numbers) -> list[bool]:
    """For each key whether it was there already, each being added after it was asked for."""
    places = np.arange(len(stream))
    seen = bloom.contains_in_order(stream, places, stream, places)
    bloom.add(stream)
    return seen.tolist()


SIZES = st.builds(Size, st.sampled_from([64, 128, 192, 640]), st.integers(1, 9))
KEYS = st.lists(st.one_of(st.integers(-3, 12), st.integers(-(2**63), 2**63 - 1)), max_size=60)


@given(SIZES, KEYS, st.lists(st.integers(0, 60), max_size=8))
def test_the_cut_does_not_matter(size: Size, stream: list[int], cuts: list[int]) -> None:
    model, whole, cut = OneByOne(size), BloomFilter(size), BloomFilter(size)
    expected = [model.test_and_add(key) for key in stream]
    records = np.array(stream, np.int64)
    assert ask_and_add(whole, records) == expected
    batches = np.split(records, sorted(min(place, len(stream)) for place in cuts))
    assert [seen for batch in batches for seen in ask_and_add(cut, batch)] == expected
    assert cut.to_bytes() == whole.to_bytes()
    assert cut.fill() == len(model.bits) / size.bits


@given(
    SIZES, KEYS, st.lists(st.tuples(st.booleans(), st.integers(-3, 12), st.integers(0, 40)), max_size=60), st.randoms()
)
def test_queries_see_what_was_added_at_smaller_places(
    size: Size, before: list[int], events: list[tuple[bool, int, int]], random: Random
) -> None:
    model, bloom = OneByOne(size), BloomFilter(size)
    for key in before:
        model.test_and_add(key)
    bloom.add(np.array(before, np.int64))
    stored = bloom.to_bytes()
    added = [(place, key) for adds, key, place in events if adds]
    queries = [(place, key) for adds, key, place in events if not adds]
    expected = []
    for place, key in queries:
        known = model.bits.union(*(bits_of(other, size) for at, other in added if at < place))
        expected.append(bits_of(key, size) <= known)
    random.shuffle(added)
    places, hashes = np.array(queries, np.int64).reshape(-1, 2).T
    added_places, added_hashes = np.array(added, np.int64).reshape(-1, 2).T
    assert bloom.contains_in_order(hashes, places, added_hashes, added_places).tolist() == expected
    assert bloom.to_bytes() == stored


@given(SIZES, KEYS, st.lists(st.tuples(st.booleans(), st.integers(-3, 12), st.integers(0, 40)), max_size=60))
def test_each_key_is_seen_after_one_place(size: Size, before: list[int], events: list[tuple[bool, int, int]]) -> None:
    """Asked once for each key, at its first place: the answers of each query at its own place, and the same bytes."""
    bloom, whole = BloomFilter(size), BloomFilter(size)
    bloom.add(np.array(before, np.int64))
    whole.add(np.array([*before, *(key for adds, key, _ in events if adds)], np.int64))
    first: dict[int, int] = {}
    for adds, key, place in events:
        first[key] = min(first.get(key, NEVER), place if adds else NEVER)
    after = bloom.add_in_order(np.array(list(first), np.int64), np.array(list(first.values()), np.int64))
    assert bloom.to_bytes() == whole.to_bytes()
    held = set[int]().union(*(bits_of(key, size) for key in before))
    for key, place in zip(first, after.tolist(), strict=True):
        for query in range(42):
            known = held.union(*(bits_of(other, size) for other, at in first.items() if at < query))
            assert (query > place) == (bits_of(key, size) <= known)


def test_long_batches_are_no_different() -> None:
    size = size_for(60_000, 0.2)
    stream = np.concatenate([keys(1, 70_000), keys(2, 40_000), keys(1, 70_000)[::3]])
    model = OneByOne(size)
    expected = [model.test_and_add(int(key)) for key in stream]
    whole, cut = BloomFilter(size), BloomFilter(size)
    assert ask_and_add(whole, stream) == expected
    assert [seen for part in np.array_split(stream, 7) for seen in ask_and_add(cut, part)] == expected


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize(("count", "rate"), [(200_000, 0.01), (20_000, 0.001)])
def test_false_positives_are_those_promised(count: int, rate: float, seed: int) -> None:
    bloom = BloomFilter(size_for(count, rate))
    added, others = keys(seed, count), keys(seed + 100, 2_000_000)
    bloom.add(added)
    assert bloom.contains(added).all()
    assert bloom.contains(others).mean() == pytest.approx(rate, rel=0.2)
    assert bloom.current_false_positive_rate() == pytest.approx(rate, rel=0.05)
    assert bloom.fill() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("step", [1, -1, 2**32, 2**57])
def test_keys_that_are_no_hashes_do_no_harm(step: int) -> None:
    bloom = BloomFilter(size_for(20_000, 0.01))
    numbers = np.arange(220_000) * np.int64(step) if step < 2**32 else np.arange(64) * np.int64(step)
    added = numbers[: 20_000 if len(numbers) > 64 else 32]
    bloom.add(added)
    assert bloom.contains(added).all()
    assert bloom.contains(numbers[len(added) :]).mean() < 0.012


def test_sizes_follow_the_formula() -> None:
    assert size_for(200_000, 0.01) == Size(1_917_056, 7)  # 9.585 bits a key
    assert size_for(20_000, 0.001).hashes == 10
    assert size_for(1, 0.9) == Size(64, 1)


@pytest.mark.parametrize(
    ("count", "rate"), [(0, 0.01), (-1, 0.01), (10, 0), (10, 1), (10, float("nan")), (2**40, 0.01)]
)
def test_impossible_sizes_are_refused(count: int, rate: float) -> None:
    with pytest.raises(ValueError, match=r"filter holds|bits must be"):
        size_for(count, rate)


@pytest.mark.parametrize(("bits", "hashes"), [(0, 1), (-64, 1), (100, 1), (64, 0), (64, 65), (2**41, 1)])
def test_a_size_checks_itself(bits: int, hashes: int) -> None:
    with pytest.raises(ValueError, match="multiple of 64"):
        Size(bits, hashes)


def test_merging_holds_both_and_changes_neither() -> None:
    one, other, both = (BloomFilter(size_for(1000, 0.01)) for _ in range(3))
    one.add(keys(1, 500))
    other.add(keys(2, 500))
    both.add(np.concatenate([keys(1, 500), keys(2, 500)]))
    before = one.to_bytes(), other.to_bytes()
    assert one.merge(other).to_bytes() == other.merge(one).to_bytes() == both.to_bytes()
    assert one.merge(one).to_bytes() == one.to_bytes()
    assert (one.to_bytes(), other.to_bytes()) == before


def test_unlike_filters_do_not_merge() -> None:
    with pytest.raises(UnlikeFilters, match=r"bits=64, hashes=2.*bits=64, hashes=3"):
        BloomFilter(Size(64, 2)).merge(BloomFilter(Size(64, 3)))


@pytest.mark.parametrize("wrong", [np.array([1.0]), np.array([1], np.uint64), np.zeros((2, 2), np.int64), [1, 2]])
def test_only_arrays_of_int64_are_keys(wrong: Any) -> None:
    bloom = BloomFilter(Size(64, 1))
    for method in (bloom.add, bloom.contains):
        with pytest.raises(TypeError, match="int64"):
            method(wrong)


def test_every_query_needs_a_place() -> None:
    with pytest.raises(ValueError, match="place"):
        BloomFilter(Size(64, 1)).contains_in_order(keys(1, 3), np.arange(2), keys(1, 3), np.arange(3))
    with pytest.raises(ValueError, match="place"):
        BloomFilter(Size(64, 1)).add_in_order(keys(1, 3), np.arange(2))
    with pytest.raises(ValueError, match="place, 0 or more"):
        BloomFilter(Size(64, 1)).add_in_order(keys(1, 3), np.arange(3) - 1)


def test_empty_batches() -> None:
    bloom, none = BloomFilter(Size(64, 1)), np.array([], np.int64)
    bloom.add(none)
    assert ask_and_add(bloom, none) == bloom.contains(none).tolist() == []
    assert bloom.fill() == bloom.current_false_positive_rate() == 0


@given(SIZES, KEYS)
def test_bytes_bring_the_filter_back(size: Size, stream: list[int]) -> None:
    bloom = BloomFilter(size)
    bloom.add(np.array(stream, np.int64))
    again = BloomFilter.from_bytes(bloom.to_bytes())
    assert again.size == size
    assert again.to_bytes() == bloom.to_bytes()
    again.add(np.array([7]))  # and it can go on
    assert again.contains(np.array([*stream, 7], np.int64)).all()


def test_damaged_bytes_are_refused() -> None:
    bloom = BloomFilter(Size(128, 3))
    bloom.add(keys(1, 10))
    stored = bloom.to_bytes()
    cut = [stored[:length] for length in range(len(stored))]
    flipped = [stored[:i] + bytes([stored[i] ^ 1 << i % 8]) + stored[i + 1 :] for i in range(len(stored))]
    for damaged in [*cut, *flipped, stored + b"\0", stored * 2, stored[1:]]:
        with pytest.raises(NotABloomFilter):
            BloomFilter.from_bytes(damaged)


@settings(max_examples=300)
@given(st.binary(max_size=100))
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(NotABloomFilter):
        BloomFilter.from_bytes(garbage)
