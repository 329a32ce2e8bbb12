"""Bloom filters over 64-bit key hashes (Spark's `xxhash64`): "was this key seen before?", wrong only ever by a yes.

A filter never forgets a key. For a key it was not given it says yes with the false-positive rate of its size (B. H.
Bloom, "Space/time trade-offs in hash coding with allowable errors", CACM 13(7), 1970). The cut does not matter: however
a stream is cut into batches, it gets the answers, false ones included, that it would get one record at a time.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]  # one a record, in one dimension: key hashes (negative ones too) or places
Words = NDArray[np.uint64]
Answers = NDArray[np.bool_]

_HEADER = struct.Struct("<4sBBHQ")  # magic, version, kind, hashes, bits; then the words and the CRC-32 of all before
_KIND = (b"HRSK", 1, 1)
NEVER = np.iinfo(np.int64).max
"""The place of a key that is not added, and the answer for one that is not seen at any place."""
_BEFORE = -1
"""Less than any place."""
_STEPS = np.array([[0x9E3779B97F4A7C15], [0x3C6EF372FE94F82A]], np.uint64)  # of SplitMix64: once and twice


class UnlikeFilters(ValueError):
    """Two filters of different sizes cannot be merged."""


class NotABloomFilter(ValueError):
    """The bytes are not a whole Bloom filter of a version that this module reads."""


@dataclass(frozen=True)
class Size:
    """How large a filter is: `bits`, a multiple of 64 up to 2**40; `hashes`, bits a key, 1 to 64; else ValueError."""

    bits: int
    hashes: int

    def __post_init__(self) -> None:
        if self.bits % 64 or not (64 <= self.bits <= 2**40 and 1 <= self.hashes <= 64):
            raise ValueError(f"bits must be a multiple of 64 up to 2**40 and hashes 1 to 64, not {self}")


def size_for(expected_keys: int, false_positive_rate: float) -> Size:
    """The smallest size that holds `expected_keys` distinct keys at `false_positive_rate` (a fraction: 0.01 is 1 %).

    bits = -n ln p / (ln 2)**2, hashes = -log2 p (Bloom 1970; two hash values do for all: Kirsch & Mitzenmacher, "Less
    hashing, same performance", ESA 2006). Raises ValueError for no keys, a rate outside (0, 1), or an impossible size.
    """
    if expected_keys < 1 or not 0 < false_positive_rate < 1:
        raise ValueError(f"no filter holds {expected_keys} keys at a false-positive rate of {false_positive_rate}")
    bits = -expected_keys * math.log(false_positive_rate) / math.log(2) ** 2
    return Size(64 * math.ceil(bits / 64), max(1, round(-math.log2(false_positive_rate))))


class BloomFilter:
    """A set of key hashes in `size.bits / 8` bytes. TypeError for hashes that are no one-dimensional int64 array."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self._words: Words = np.zeros(size.bits // 64, np.uint64)

    def add(self, hashes: Numbers) -> None:
        """Remember these keys."""
        for _, bits in _every_bit(self.size, hashes):
            self._set(bits)

    def contains(self, hashes: Numbers) -> Answers:
        """For each key whether it was added: False is certain, True is wrong at the false-positive rate."""
        answers = np.zeros(len(hashes), np.bool_)
        for piece in _slices(hashes):
            pair, alive = _two_hashes(hashes[piece]), np.arange(len(hashes[piece]))
            for probe in range(self.size.hashes):  # a key that lacks one bit is asked no more
                alive = alive[self._are_set(_bit(self.size, probe, pair.take(alive, axis=1)))]
            answers[alive + piece.start] = True
        return answers

    def contains_in_order(self, hashes: Numbers, places: Numbers, added: Numbers, added_places: Numbers) -> Answers:
        """`contains`, as if each of the `added` hashes had been added at its place among the queries. Adds nothing.

        A query at place i sees what the filter held before and the additions at places smaller than i, bit by bit.
        Places are 0 or more, and need be neither dense nor sorted. Raises ValueError if there is not one place for each
        hash, or if one is negative.
        """
        _check_places(hashes, places)
        _check_places(added, added_places)
        asked_and_added = np.concatenate([np.full(len(hashes), NEVER), added_places])
        after, _ = self._seen_after(np.concatenate([hashes, added]), asked_and_added)
        return after[: len(hashes)] < places

    def add_in_order(self, hashes: Numbers, places: Numbers) -> Numbers:
        """Add each key at its place, or not at all where that is NEVER. Returns the place after which each is seen.

        `contains_in_order` for many queries of few keys: a query at place i is answered yes if i is larger than the
        place returned for its key, which is -1 for a key that the filter held before, and may be NEVER. If a key is
        added more than once, its first place is enough. Raises ValueError as `contains_in_order` does.
        """
        _check_places(hashes, places)
        after, new_bits = self._seen_after(hashes, places)
        self._set(new_bits)
        return after

    def _seen_after(self, hashes: Numbers, places: Numbers) -> tuple[Numbers, Words]:
        """What `add_in_order` returns, and the bits that it has to set."""
        after = np.full(len(hashes), _BEFORE)
        unknown = np.flatnonzero(~self.contains(hashes))
        if (places[unknown] == NEVER).all():
            after[unknown] = NEVER
            return after, np.zeros(0, np.uint64)
        order = unknown[np.argsort(places[unknown])]
        own = places[order]
        bits, rows = self._unset_bits(hashes[order])
        # The first row of a bit is the key that sets it, as rows are in order of place; and a key is seen once the last
        # of its bits is set. For example: bit 9 of rows 3 and 5 and bit 70 of rows 4 and 5 are set by 3 and 4; so the
        # key of row 5 is seen after the place of row 4, before it is added itself.
        begins = np.flatnonzero(np.concatenate([[True], bits[1:] != bits[:-1]]))
        setters = rows[begins]
        last_setters = np.zeros(len(order), np.int64)
        np.maximum.at(last_setters, rows, np.repeat(setters, np.diff(begins, append=len(bits))))
        after[order] = own[last_setters]
        return after, bits[begins[own[setters] < NEVER]]

    def _unset_bits(self, hashes: Numbers) -> tuple[Words, Numbers]:
        """The bits of these keys that are not set yet, sorted, and for each the row of its key, sorted within a bit.

        Bit and row are sorted as one number of 64 bits, which takes a quarter of the time of sorting one by the other.
        """
        width = np.uint64(len(hashes).bit_length())
        if self.size.bits.bit_length() + int(width) > 64:
            raise ValueError(f"{len(hashes)} new keys at once are too many for a filter of {self.size}")
        packed = []
        for piece, bits in _every_bit(self.size, hashes):
            unset = np.flatnonzero(~self._are_set(bits))
            packed.append(bits[unset] << width | (unset + piece.start).astype(np.uint64))
        both = np.concatenate(packed)
        both.sort()
        return both >> width, (both & ((np.uint64(1) << width) - np.uint64(1))).astype(np.int64)

    def _are_set(self, bits: Words) -> Answers:
        word, mask = _word_and_mask(bits)
        answers: Answers = self._words[word] & mask != 0
        return answers

    def _set(self, bits: Words) -> None:
        np.bitwise_or.at(self._words, *_word_and_mask(bits))

    def fill(self) -> float:
        """Fraction of the bits that are set, 0 to 1: about 0.5 when it holds the keys that it was made for."""
        return int(np.bitwise_count(self._words).sum(dtype=np.int64)) / self.size.bits

    def current_false_positive_rate(self) -> float:
        """Probability that a key which was never added is called seen, as filled now."""
        return self.fill() ** self.size.hashes

    def merge(self, other: "BloomFilter") -> "BloomFilter":
        """A new filter that holds the keys of both. Raises UnlikeFilters if their sizes differ."""
        if self.size != other.size:
            raise UnlikeFilters(f"cannot merge a filter of {self.size} with one of {other.size}")
        merged = BloomFilter(self.size)
        merged._words = self._words | other._words
        return merged

    def to_bytes(self) -> bytes:
        """The filter as bytes: magic, version, kind, hashes, bits, the words (little-endian) and a CRC-32."""
        body = _HEADER.pack(*_KIND, self.size.hashes, self.size.bits) + self._words.astype("<u8").tobytes()
        return body + zlib.crc32(body).to_bytes(4, "little")

    @staticmethod
    def from_bytes(data: bytes) -> "BloomFilter":
        """The filter that `to_bytes` wrote. Raises NotABloomFilter for anything else, cut, lengthened or altered."""
        if len(data) < _HEADER.size + 4 or zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
            raise NotABloomFilter(f"{len(data)} bytes without the checksum of a Bloom filter: cut short or altered")
        *kind, hashes, bits = _HEADER.unpack_from(data)
        if tuple(kind) != _KIND or len(data) != _HEADER.size + bits // 8 + 4:
            raise NotABloomFilter(f"{len(data)} bytes of kind {kind}: not a whole Bloom filter of kind {_KIND}")
        loaded = BloomFilter(Size(bits, hashes))
        loaded._words = np.frombuffer(data[_HEADER.size : -4], "<u8").astype(np.uint64)
        return loaded


def _check_places(hashes: Numbers, places: Numbers) -> None:
    if places.shape != hashes.shape or (places < 0).any():
        raise ValueError("each hash needs its place, 0 or more")


def _slices(hashes: Numbers) -> Iterator[slice]:
    """The records in slices so short that their numbers stay in the processor's cache."""
    if not isinstance(hashes, np.ndarray) or hashes.dtype != np.int64 or hashes.ndim != 1:
        raise TypeError("key hashes must be a one-dimensional numpy array of int64")
    return (slice(start, start + 2**16) for start in range(0, len(hashes), 2**16))


def _two_hashes(hashes: Numbers) -> Words:
    """Two unrelated 64-bit values a key, one a row: SplitMix64 (Steele, Lea & Flood, OOPSLA 2014) seeded with it."""
    state = hashes.astype(np.uint64) + _STEPS
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _bit(size: Size, probe: int, pair: Words) -> Words:
    """A bit of each key: enhanced double hashing (Dillinger & Manolios, FMCAD 2004) in 64 bits."""
    bits: Words = (pair[0] + np.uint64(probe) * pair[1] + np.uint64((probe**3 - probe) // 6)) % np.uint64(size.bits)
    return bits


def _every_bit(size: Size, hashes: Numbers) -> Iterator[tuple[slice, Words]]:
    """All bits of all keys, a slice and a probe at a time: the slice, and a bit of each key in it."""
    for piece in _slices(hashes):
        pair = _two_hashes(hashes[piece])
        yield from ((piece, _bit(size, probe, pair)) for probe in range(size.hashes))


def _word_and_mask(bits: Words) -> tuple[Numbers, Words]:
    return (bits >> np.uint64(6)).astype(np.int64), np.uint64(1) << (bits & np.uint64(63))
