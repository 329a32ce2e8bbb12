"""The terms of many rules of one shape, as arrays with an entry for each rule; bound to a chunk of events, they find
candidates and test pairs of a rule and an event.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from jobs.answers.rules import terms
from jobs.answers.rules.event_chunk import EventChunk, FieldCodes
from jobs.answers.rules.words import distinct, slices


@dataclass(frozen=True)
class Slices:
    """For each of some rules, events: one or more slices of `events`."""

    rules: np.ndarray
    """The rule of each slice; a rule's slices have no event twice."""
    starts: np.ndarray
    lengths: np.ndarray
    events: np.ndarray


class BoundLeaf(Protocol):
    """A term of many rules, over a chunk."""

    cost: int
    """What a test of a pair costs, beside others."""

    def counts(self) -> np.ndarray | None:
        """For each rule how many events meet the term; None: it does not know them."""
        ...

    def slices(self, rules: np.ndarray) -> Slices:
        """The events that meet the term of each of these rules, if it knows them."""
        ...

    def test(self, rules: np.ndarray, events: np.ndarray) -> np.ndarray:
        """Which of these pairs meet the term."""
        ...


class Leaf(Protocol):
    """A term of many rules."""

    def bind(self, chunk: EventChunk) -> BoundLeaf:
        """The same over a chunk of events."""
        ...


def leaf(same: Sequence[terms.Leaf], phrases: Mapping[tuple[str, tuple[str, ...]], int]) -> Leaf:
    """Terms of one kind and field. `phrases`: the code of each field's phrases."""
    first = same[0]
    if isinstance(first, terms.Range):
        return RangeLeaf([each for each in same if isinstance(each, terms.Range)])
    if isinstance(first, terms.Among):
        return AmongLeaf([each for each in same if isinstance(each, terms.Among)])
    if isinstance(first, terms.Phrase):
        codes = [phrases[each.field, each.words] for each in same if isinstance(each, terms.Phrase)]
        return PhraseLeaf(first.field, first.is_outside, np.array(codes, np.int64))
    return MissingLeaf(first.field, len(same))


class _Bounds:
    """The lower, or the upper bounds of ranges."""

    def __init__(self, values: Sequence[Any], is_above: Sequence[bool]) -> None:
        self._given = np.array([value is not None for value in values], bool)
        self._values = _array([value for value in values if value is not None])
        self._is_above = np.array(is_above, bool)[self._given]

    def places(self, codes: FieldCodes, default: int) -> np.ndarray:
        """The code at each bound, or behind its value where `is_above`."""
        result = np.full(len(self._given), default, np.int64)
        if len(self._values):
            result[self._given] = np.where(self._is_above, codes.upper(self._values), codes.lower(self._values))
        return result


class RangeLeaf:
    """The value is between two bounds, or not."""

    def __init__(self, ranges: Sequence[terms.Range]) -> None:
        self._field, self._is_outside = ranges[0].field, ranges[0].is_outside
        self._low = _Bounds([each.low for each in ranges], [each.is_low_open for each in ranges])
        self._high = _Bounds([each.high for each in ranges], [not each.is_high_open for each in ranges])

    def bind(self, chunk: EventChunk) -> BoundLeaf:
        """The bounds as codes of the chunk."""
        codes = chunk.codes(self._field)
        low = self._low.places(codes, 0)
        high = np.maximum(self._high.places(codes, len(codes.values)), low)
        bound = _Outside if self._is_outside else _Inside
        return bound(codes, low.astype(np.int32), high.astype(np.int32))


class _Inside:
    cost = 1

    def __init__(self, codes: FieldCodes, low: np.ndarray, high: np.ndarray) -> None:
        self._codes, self._low, self._high = codes, low, high

    def counts(self) -> np.ndarray | None:
        starts: np.ndarray = self._codes.starts
        counts: np.ndarray = starts[self._high] - starts[self._low]
        return counts

    def slices(self, rules: np.ndarray) -> Slices:
        starts = self._codes.starts
        begin = starts[self._low[rules]]
        return Slices(rules, begin, starts[self._high[rules]] - begin, self._codes.order)

    def test(self, rules: np.ndarray, events: np.ndarray) -> np.ndarray:
        codes = self._codes.codes[events]
        is_met: np.ndarray = (codes >= self._low[rules]) & (codes < self._high[rules])
        return is_met


class _Outside(_Inside):
    def counts(self) -> np.ndarray | None:
        return None

    def test(self, rules: np.ndarray, events: np.ndarray) -> np.ndarray:
        is_met: np.ndarray = ~super().test(rules, events) & (self._codes.codes[events] >= 0)
        return is_met


class MissingLeaf:
    """The value is null."""

    def __init__(self, field: str, size: int) -> None:
        self._field, self._size = field, size

    def bind(self, chunk: EventChunk) -> BoundLeaf:
        """The interval of codes that nulls have."""
        return _Nulls(chunk.codes(self._field), self._size)


class _Nulls:
    cost = 1

    def __init__(self, codes: FieldCodes, size: int) -> None:
        self._codes, self._size = codes, size

    def counts(self) -> np.ndarray | None:
        return np.full(self._size, self._codes.starts[0])

    def slices(self, rules: np.ndarray) -> Slices:
        zeros = np.zeros(len(rules), np.int64)
        return Slices(rules, zeros, zeros + self._codes.starts[0], self._codes.order)

    def test(self, rules: np.ndarray, events: np.ndarray) -> np.ndarray:
        result: np.ndarray = self._codes.codes[events] < 0
        return result


class AmongLeaf:
    """The value is in the rule's list, or not."""

    def __init__(self, lists: Sequence[terms.Among]) -> None:
        self._field, self._is_outside, self._size = lists[0].field, lists[0].is_outside, len(lists)
        self._rules = np.repeat(np.arange(len(lists)), [len(each.values) for each in lists])
        self._values = _array([value for each in lists for value in each.values])

    def bind(self, chunk: EventChunk) -> BoundLeaf:
        """The codes of those values that the chunk has."""
        codes = chunk.codes(self._field)
        low, high = codes.lower(self._values), codes.upper(self._values)
        owner, code = slices(low, high - low)
        bound = _Excluded if self._is_outside else _Listed
        return bound(codes, self._rules[owner], code, self._size)


class _Listed:
    cost = 10

    def __init__(self, codes: FieldCodes, rules: np.ndarray, listed: np.ndarray, size: int) -> None:
        """`listed`: codes; rules[i] has listed[i]; a rule's entries are side by side."""
        self._codes, self._width = codes, len(codes.values) + 1
        self._pairs = distinct(rules * self._width + listed)
        self._ends = np.searchsorted(self._pairs, np.arange(size + 1) * self._width)

    def counts(self) -> np.ndarray | None:
        lengths = np.append(0, np.cumsum(self._lengths(self._pairs % self._width)))
        counts: np.ndarray = lengths[self._ends[1:]] - lengths[self._ends[:-1]]
        return counts

    def _lengths(self, codes: np.ndarray) -> np.ndarray:
        starts: np.ndarray = self._codes.starts
        is_met: np.ndarray = starts[codes + 1] - starts[codes]
        return is_met

    def slices(self, rules: np.ndarray) -> Slices:
        owner, place = slices(self._ends[rules], self._ends[rules + 1] - self._ends[rules])
        codes = self._pairs[place] % self._width
        return Slices(rules[owner], self._codes.starts[codes], self._lengths(codes), self._codes.order)

    def test(self, rules: np.ndarray, events: np.ndarray) -> np.ndarray:
        codes = self._codes.codes[events].astype(np.int64)
        is_met: np.ndarray = _is_in(rules * self._width + codes, self._pairs) & (codes >= 0)
        return is_met


class _Excluded(_Listed):
    def counts(self) -> np.ndarray | None:
        return None

    def test(self, rules: np.ndarray, events: np.ndarray) -> np.ndarray:
        is_met: np.ndarray = ~super().test(rules, events) & (self._codes.codes[events] >= 0)
        return is_met


class PhraseLeaf:
    """The text has the rule's phrase, or not."""

    def __init__(self, field: str, is_outside: bool, phrases: np.ndarray) -> None:
        self._field, self._is_outside, self._phrases = field, is_outside, phrases

    def bind(self, chunk: EventChunk) -> BoundLeaf:
        """The events of the chunk that have the phrases."""
        bound = _Without if self._is_outside else _With
        return bound(chunk, self._field, self._phrases)


class _With:
    cost = 10

    def __init__(self, chunk: EventChunk, field: str, phrases: np.ndarray) -> None:
        self._postings, self._phrases = chunk.postings(field), phrases
        self._chunk, self._field = chunk, field

    def counts(self) -> np.ndarray | None:
        starts = self._postings.starts
        counts: np.ndarray = starts[self._phrases + 1] - starts[self._phrases]
        return counts

    def slices(self, rules: np.ndarray) -> Slices:
        starts, phrases = self._postings.starts, self._phrases[rules]
        return Slices(rules, starts[phrases], starts[phrases + 1] - starts[phrases], self._postings.texts)

    def test(self, rules: np.ndarray, events: np.ndarray) -> np.ndarray:
        return _is_in(self._phrases[rules] * len(self._chunk) + events, self._postings.pairs)


class _Without(_With):
    def counts(self) -> np.ndarray | None:
        return None

    def test(self, rules: np.ndarray, events: np.ndarray) -> np.ndarray:
        is_met: np.ndarray = ~super().test(rules, events) & self._chunk.is_given(self._field)[events]
        return is_met


def _is_in(values: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    """Which of the values are among these."""
    if not len(ascending):
        return np.zeros(len(values), bool)
    places = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    result: np.ndarray = ascending[places] == values
    return result


def _array(values: Sequence[Any]) -> np.ndarray:
    """Numbers as such, texts and decimals as objects of Python: numpy would shorten the former and round the latter."""
    if all(isinstance(value, int | float) for value in values):
        return np.array(values)
    array = np.empty(len(values), object)
    array[:] = values
    return array
