"""Which events meet which of many rules.

Rules of one shape (the same fields and kinds of terms, joined in the same way) are tried together, as arrays. A rule is
tried on its candidates only: the events that meet one of its necessary terms, be it a value, a list of values, an
interval or a phrase; of several, the one that the fewest events of the chunk meet. A rule without a necessary term is
tried on all events.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from jobs.answers.rules.event_chunk import EventChunk
from jobs.answers.rules.leaves import BoundLeaf, Leaf, Slices, leaf
from jobs.answers.rules.terms import Either, Every, Missing, Phrase, Term, leaves
from jobs.answers.rules.words import slices

CHUNK = 1 << 18
"""Events that are looked at together; their arrays take about 20 MB for each field, more for one of texts."""
BLOCK = 1 << 18
"""Pairs of a rule and an event that are tried together: their arrays stay in the processor's cache."""

LEAST_EVENTS = 1_000
"""From so many events on, the cost of a rule for each of them means something."""
SLOW_MICROS = 100.0
"""A rule that costs more microseconds of computing for each event is named."""


@dataclass(frozen=True)
class Hits:
    """Rules and events that meet, an entry for each pair; their places among the rules and the events, from 0."""

    rules: np.ndarray
    events: np.ndarray


@dataclass
class Effort:
    """What rules have cost so far; the arrays have an entry for each rule."""

    size: int
    events: int = 0
    """Events that were looked at."""
    tried: np.ndarray = field(init=False)
    """Candidates: events that were tried on the rule."""
    hits: np.ndarray = field(init=False)
    nanos: np.ndarray = field(init=False)
    """Nanoseconds that trying them took, by the given clock."""

    def __post_init__(self) -> None:
        self.tried, self.hits = np.zeros(self.size, np.int64), np.zeros(self.size, np.int64)
        self.nanos = np.zeros(self.size)

    def above(self, micros: float) -> np.ndarray:
        """The places of rules that have cost more than so many microseconds for each event that was looked at. Of fewer
        events than LEAST_EVENTS nothing can be said: each rule costs something that does not depend on their number.
        """
        return np.flatnonzero(self.nanos > micros * 1_000 * max(self.events, LEAST_EVENTS))


class RuleSet:
    """Rules, arranged to be tried on many events at once."""

    def __init__(self, rules: Sequence[Term]) -> None:
        self.size = len(rules)
        self._phrases: dict[str, dict[tuple[str, ...], int]] = {}
        places: dict[tuple, list[int]] = {}
        ordered = [_in_order(rule) for rule in rules]
        for place, (shape, _) in enumerate(ordered):
            places.setdefault(shape, []).append(place)
        for _, rule in ordered:
            for each in leaves(rule):
                if isinstance(each, Phrase):
                    codes = self._phrases.setdefault(each.field, {})
                    codes.setdefault(each.words, len(codes))
        known = {(name, words): code for name, codes in self._phrases.items() for words, code in codes.items()}
        self._shapes = [
            _Shape(np.array(same), shape, [leaves(ordered[place][1]) for place in same], known)
            for shape, same in places.items()
        ]

    def hits(self, events: pa.Table, effort: Effort, clock: Callable[[], int] = lambda: 0) -> Iterator[Hits]:
        """The pairs that meet, in no order, some at a time; each once. Adds to `effort`. `clock`: nanoseconds."""
        for begin in range(0, len(events), CHUNK):
            chunk = EventChunk(events.slice(begin, CHUNK), {name: list(each) for name, each in self._phrases.items()})
            effort.events += len(chunk)
            for shape in self._shapes:
                for found in shape.hits(chunk, effort, clock):
                    yield Hits(found.rules, found.events + begin)


class _Shape:
    """Rules of one shape."""

    def __init__(self, places: np.ndarray, shape: tuple, rows: list[list], phrases: dict) -> None:
        self._places, self._shape = places, shape
        self._leaves: list[Leaf] = [leaf(column, phrases) for column in zip(*rows, strict=True)]

    def hits(self, chunk: EventChunk, effort: Effort, clock: Callable[[], int]) -> Iterator[Hits]:
        """Of a chunk. The time since the hits before is the time of these, by the number of candidates."""
        start = clock()
        test = _Test(self._shape, [each.bind(chunk) for each in self._leaves])
        binding = (clock() - start) / len(self._places)
        effort.nanos[self._places] += binding
        for term, candidates in self._candidates(chunk, test):
            for first, last in _blocks(candidates.lengths):
                start = clock()
                lengths = candidates.lengths[first:last]
                owner, place = slices(candidates.starts[first:last], lengths)
                rules, events = candidates.rules[first:last][owner], candidates.events[place]
                is_hit = test.places(rules, events, term)
                rules_hit, events_hit = self._places[rules[is_hit]], events[is_hit]
                touched = self._places[candidates.rules[first:last]]
                np.add.at(effort.tried, touched, lengths)
                np.add.at(effort.hits, rules_hit, 1)
                np.add.at(effort.nanos, touched, (clock() - start) * lengths / max(lengths.sum(), 1))
                yield Hits(rules_hit, events_hit)

    def _candidates(self, chunk: EventChunk, test: "_Test") -> Iterator[tuple[int | None, Slices]]:
        """The events to try on each rule, and the term that all of them are known to meet."""
        counts = {term: found for term in test.necessary if (found := test.bound[term].counts()) is not None}
        rules = np.arange(len(self._places))
        if not counts:
            zeros = np.zeros(len(rules), np.int64)
            yield None, Slices(rules, zeros, zeros + len(chunk), np.arange(len(chunk)))
            return
        best = np.argmin(np.stack(list(counts.values())), axis=0)
        for place, term in enumerate(counts):
            chosen = np.flatnonzero((best == place) & (counts[term] > 0))
            if len(chosen):
                yield term, test.bound[term].slices(chosen)


class _Test:
    """The terms of a shape over a chunk. A shape is ("every" or "either", shapes...), or the place of a leaf."""

    def __init__(self, shape: tuple, bound: list[BoundLeaf]) -> None:
        self.bound = bound
        self._tree = _with_numbers(shape, iter(range(len(bound))))
        tops = self._tree[1:] if isinstance(self._tree, tuple) and self._tree[0] == "every" else (self._tree,)
        self.necessary = [top for top in tops if isinstance(top, int)]
        """The leaves that must be met whatever the others say."""
        self._tops = sorted(tops, key=self._cost)

    def places(self, rules: np.ndarray, events: np.ndarray, known: int | None) -> np.ndarray:
        """Which of the pairs meet all terms; `known`: a necessary one that all of them meet."""
        places = np.arange(len(rules))
        for top in self._tops:
            if top != known:
                is_met = self._is_met(top, rules, events)
                places, rules, events = places[is_met], rules[is_met], events[is_met]
        return places

    def _is_met(self, node: tuple | int, rules: np.ndarray, events: np.ndarray) -> np.ndarray:
        if isinstance(node, int):
            return self.bound[node].test(rules, events)
        combine = np.logical_and if node[0] == "every" else np.logical_or
        result: np.ndarray = combine.reduce([self._is_met(inner, rules, events) for inner in node[1:]])
        return result

    def _cost(self, node: tuple | int) -> int:
        return self.bound[node].cost if isinstance(node, int) else sum(map(self._cost, node[1:]))


def _with_numbers(shape: tuple, numbers: Iterator[int]) -> tuple | int:
    """The shape with its leaves numbered from left to right."""
    if shape[0] in ("every", "either"):
        return (shape[0], *(_with_numbers(inner, numbers) for inner in shape[1:]))
    return next(numbers)


def _in_order(rule: Term) -> tuple[tuple, Term]:
    """The shape of a rule; and the rule with its terms in the order of their shapes, so that more rules have one."""
    if isinstance(rule, Every | Either):
        inner = sorted(map(_in_order, rule.terms), key=lambda each: each[0])
        kind = "every" if isinstance(rule, Every) else "either"
        return (kind, *(shape for shape, _ in inner)), type(rule)(tuple(term for _, term in inner))
    is_outside = not isinstance(rule, Missing) and rule.is_outside
    return (type(rule).__name__, rule.field, str(is_outside)), rule


def _blocks(lengths: np.ndarray) -> Iterator[tuple[int, int]]:
    """Cuts a row of slices where BLOCK pairs are reached; a slice is never cut."""
    ends = np.cumsum(lengths)
    first = 0
    while first < len(ends):
        before = ends[first - 1] if first else 0
        last = max(int(np.searchsorted(ends, before + BLOCK, side="right")), first + 1)
        yield first, last
        first = last
