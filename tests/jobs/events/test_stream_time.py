"""Stream time against a loop over single records, however the records are cut into batches."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jobs.events.stream_time import StreamTime

TIMES = st.lists(st.one_of(st.none(), st.integers(-5, 30)), min_size=1, max_size=40)
"""Event times in order of offset; None for a bad record."""


EXPIRED = 40
"""Stream time when events were removed."""


def expected(times: list[int | None], before: int | None, earliest: int | None) -> tuple[list[int], int | None]:
    """By how much each good record is behind the largest event time before it, and the largest of all."""
    behind = []
    for time in times:
        if time is not None and before is None and earliest is not None and time < earliest:
            behind.append(EXPIRED - time)
        elif time is not None:
            behind.append(0 if before is None else before - time)
            before = time if before is None else max(before, time)
    return behind, before


@given(TIMES, st.one_of(st.none(), st.integers(0, 30)), st.lists(st.integers(1, 39), max_size=5),
       st.one_of(st.none(), st.integers(-5, 31)))  # fmt: skip
def test_the_cut_does_not_matter(
    times: list[int | None], before: int | None, cuts: list[int], earliest: int | None
) -> None:
    stream = StreamTime(before, earliest, EXPIRED)
    places = sorted({0, len(times), *(cut for cut in cuts if cut < len(times))})
    behind: list[int] = []
    for start, end in pairwise(places):
        good = [time for time in times[start:end] if time is not None]
        behind += stream.follow(np.arange(start, end) * 3 + 7, np.array(good, np.int64)).tolist()
    assert (behind, stream.micros) == expected(times, before, earliest)
    assert (stream.first_offset, stream.in_order) == (7, True)


def in_order(*batches: list[int]) -> bool:
    stream = StreamTime(None)
    for offsets in batches:
        stream.follow(np.array(offsets), np.array(offsets))
    return stream.in_order


def test_offsets_that_go_back_are_noticed_within_a_batch_and_between_two() -> None:
    assert in_order([0, 2], [5, 9])
    assert not in_order([0, 3, 2, 5])
    assert not in_order([0, 2], [2, 3])
    assert not in_order([4], [3], [9, 10]), "and not forgotten"
