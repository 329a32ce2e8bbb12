"""The answers of a tracker are those of one record at a time with sets of bits, false positives included."""

import itertools
import math
from collections import defaultdict
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.decisions.membership import Membership
from jobs.decisions.sighting_tracker import SightingTracker
from jobs.running.instants import from_micros
from tests.sketches.bits_of_keys import bits_of

HOUR = 3_600_000_000
MINUTE = HOUR // 60
START = 400_000 * HOUR
FEW_BITS = Membership("2 hours", bucket="1 hour", expected_keys=8, false_positive_rate=0.4)
"""64 bits and 3 hashes a filter: every other new key is called seen."""
ALLOWED = 40 * 60
Event = tuple[int | None, int]
"""Hash of the key, event time in microseconds since 1970."""


class OneAtATime:
    """The rules of membership, for one record after the other."""

    def __init__(self) -> None:
        self.bits: dict[int, set[int]] = defaultdict(set)
        self.stream = -math.inf

    def ask(self, key: int | None, micros: int) -> bool | None:
        """Whether the key was seen; None if that cannot be said."""
        bits, bucket = set() if key is None else bits_of(key, FEW_BITS.size()), micros // HOUR
        late, self.stream = self.stream - micros > ALLOWED * 1_000_000, max(self.stream, micros)
        # It also asks for what came early: in buckets that begin after it, but not later than allowed.
        asked = [own for b, own in self.bits.items() if b >= bucket - 2 and b * HOUR - micros <= ALLOWED * 1_000_000]
        seen = any(bits <= own for own in asked)
        self.bits[bucket] |= bits
        return None if late or key is None else seen


def answers(tracker: SightingTracker, offset: int, block: list[Event]) -> list[bool | None]:
    """Those of a block, whose first record has this offset."""
    different = list({key for key, _ in block if key is not None})
    keys = [-1 if key is None else different.index(key) for key, _ in block]
    micros = np.array([micros for _, micros in block])
    offsets = np.arange(offset, offset + len(block))
    seen, unknown = tracker.ask(offsets, micros, np.array(keys, np.int32), np.array(different, np.int64))
    return [None if nothing else yes for yes, nothing in zip(seen.tolist(), unknown.tolist(), strict=True)]


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """Few keys or many, some records without one, over several buckets, some of them late and some far ahead."""
    keys = st.one_of(st.none(), st.integers(0, draw(st.sampled_from([1, 5, 60]))).map(lambda key: key * 7919 - 30))
    steps = st.sampled_from([0, 1, 7, 20, 60, 60, 150]) if draw(st.booleans()) else st.sampled_from([0, 1, 2])
    behind = st.sampled_from([0, 0, 5, 39, 40, 41, 90, 200])
    events, now = [], START
    for key, step, back in draw(st.lists(st.tuples(keys, steps, behind), min_size=1, max_size=60)):
        now += step * MINUTE
        events.append((key, now - back * MINUTE))
    return events


@settings(max_examples=400)
@given(streams(), st.lists(st.integers(1, 59), max_size=5), st.booleans())
def test_a_block_is_answered_as_one_record_at_a_time(events: list[Event], cuts: list[int], afresh: bool) -> None:
    """`afresh`: each block in another process, which begins with the filters that were stored."""
    model, tracker = OneAtATime(), SightingTracker(FEW_BITS, ALLOWED, [])
    expected = [model.ask(*event) for event in events]
    found: list[bool | None] = []
    stored: dict[int, dict[str, Any]] = {}
    edges = [0, *sorted({cut for cut in cuts if cut < len(events)}), len(events)]
    for start, end in itertools.pairwise(edges):
        found += answers(tracker, start, events[start:end])
        for row in tracker.facts()["filters"]:
            times = {name: from_micros(row[name]) for name in ("bucket_time", "stream_time")}
            stored[row["bucket_time"] // HOUR] = row | times
        if afresh:
            tracker = SightingTracker(FEW_BITS, ALLOWED, list(stored.values()))
    assert found == expected
    oldest = (max(micros for _, micros in events) - ALLOWED * 1_000_000) // HOUR - 2
    for bucket, bits in model.bits.items():
        if bucket >= oldest:
            words = np.frombuffer(stored[bucket]["bits"][16:-4], np.uint8)  # between the header and the checksum
            assert set(np.flatnonzero(np.unpackbits(words, bitorder="little")).tolist()) == bits


def test_a_key_added_to_one_bucket_is_asked_for_in_another_at_a_later_place() -> None:
    tracker = SightingTracker(Membership("2 hours", bucket="1 hour", false_positive_rate=1e-6), ALLOWED, [])
    block = [(7, 0), (8, 0), (7, HOUR), (8, 3 * HOUR), (7, 3 * HOUR), (9, 3 * HOUR - 1), (9, 3 * HOUR)]
    assert answers(tracker, 0, [(key, START + micros) for key, micros in block]) == [
        *(False, False, True),
        *(False, True),  # the hours of the horizon before 3:00 begin at 1:00
        *(False, True),
    ]
