"""Corrected times against one record at a time with statistics.median, and of clocks whose truth is known."""

import math
import random
import statistics
from collections import defaultdict, deque
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.decisions import clocks as clocks_module
from jobs.decisions import offset_series
from jobs.decisions.clocks import COLUMNS, Clocks, correct
from jobs.decisions.offset_series import STATE
from jobs.running.errors import Mistake
from jobs.running.instants import to_micros

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
SMALL = Clocks("device", "sent_at", window=5, furthest="1 hour", agreement="2 seconds")
AT_THE_LIMIT = [sign * (3600 * SECOND + more) for sign in (-1, 1) for more in (0, 1)]
"""Offsets in microseconds, of which `SMALL` takes two."""
TIME = pa.timestamp("us", "UTC")
Event = dict[str, Any]


def table(events: list[Event]) -> pa.Table:
    kinds = {"record_partition": pa.int32(), "record_offset": pa.int64(), "record_timestamp": TIME, "event_time": TIME}
    kinds |= {"device": pa.string(), "sent_at": TIME}
    return pa.table({name: pa.array([each[name] for each in events], kind) for name, kind in kinds.items()})


def event(device: str | None, happened: int, sent: int | None, received: int, **place: int) -> Event:
    """Times in microseconds since 1970."""
    times = {"event_time": happened, "sent_at": sent, "record_timestamp": received}
    return {"record_partition": 0, "record_offset": 0, "device": device} | place | times


class OneAtATime:
    """The rules, for one record after the other."""

    def __init__(self, clocks: Clocks) -> None:
        self.clocks = clocks
        self.last: dict[tuple[int, str], deque[int]] = defaultdict(lambda: deque(maxlen=clocks.window))

    def correct(self, one: Event) -> tuple[int, int | None, str, float | None, str | None]:
        """Corrected time and offset in microseconds, method, confidence, refusal."""
        happened, sent, received = one["event_time"], one["sent_at"], one["record_timestamp"]
        refusal = None
        if one["device"] is None:
            refusal = "no_device"
        elif sent is None:
            refusal = "event_in_future" if happened > received else "no_sent"
        elif sent - received > 3600 * SECOND:
            refusal = "sent_after_received_too_far"
        elif received - sent > 3600 * SECOND:
            refusal = "sent_before_received_too_far"
        else:
            last = self.last[one["record_partition"], one["device"]]
            last.append(received - sent)
            if sent < happened:
                refusal = "sent_before_event"
        if refusal:
            return happened, None, "none", None, refusal
        offset, method = math.floor(statistics.median(map(Fraction, last))), "median"
        if len(last) < 3 or happened + offset > received:
            offset, method = received - sent, "own"
        confidence = sum(abs(each - offset) <= 2 * SECOND for each in last) / self.clocks.window
        if happened + offset < 0:
            return happened, None, "none", None, "corrected_before_1970"
        return happened + offset, offset, method, confidence, None


def rows(columns: pa.Table) -> list[tuple[int, int | None, str, float | None, str | None]]:
    times = columns["corrected_time"].cast(pa.int64()).to_pylist()
    seconds = columns["clock_offset_seconds"].to_pylist()
    offsets = [None if each is None else round(each * SECOND) for each in seconds]
    others = [columns[name].to_pylist() for name in ("clock_method", "clock_confidence", "clock_refusal")]
    return list(zip(times, offsets, *others, strict=True))


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """Events of a few devices in two partitions, in the order of the log; some stamps are missing or absurd."""
    behind = st.one_of(st.none(), st.integers(-9 * SECOND, 9 * SECOND), st.sampled_from(AT_THE_LIMIT))
    waited = st.sampled_from([0, 0, 1, 9 * SECOND, 40 * SECOND, -1])
    one = st.tuples(st.integers(0, 1), st.sampled_from(["a", "b", "b", None]), behind, waited)
    log, offsets = [], [7, 0]
    base = draw(st.sampled_from([START, 5 * SECOND]))
    for number, (partition, device, late, wait) in enumerate(draw(st.lists(one, min_size=1, max_size=50))):
        received = base + number * SECOND
        sent = None if late is None else received - late
        happened = max(0, (received if sent is None else sent) - wait)
        place = {"record_partition": partition, "record_offset": offsets[partition]}
        offsets[partition] += 1 + number % 2
        log.append(event(device, happened, sent, received, **place))
    return log


@settings(max_examples=300)
@given(logs(), st.lists(st.integers(1, 49), max_size=5), st.randoms(use_true_random=False), st.sampled_from([2, 10**6]))
def test_any_cut_gives_what_one_record_at_a_time_gives(
    log: list[Event], cuts: list[int], dice: random.Random, block: int
) -> None:
    """In a batch the events may be in any order."""
    model, state = OneAtATime(SMALL), STATE.empty_table()
    before, offset_series.BLOCK_RECORDS = offset_series.BLOCK_RECORDS, block
    try:
        for start, end in pairwise(sorted({0, len(log), *(cut for cut in cuts if cut < len(log))})):
            expected = [model.correct(one) for one in log[start:end]]
            order = dice.sample(range(end - start), end - start)
            columns, state = correct(table([log[start + place] for place in order]), state, SMALL)
            assert columns.schema == COLUMNS and state.schema == STATE
            assert rows(columns) == [expected[place] for place in order]
    finally:
        offset_series.BLOCK_RECORDS = before
    found = {(row["partition"], row["device"]): row["offsets"] for row in state.to_pylist()}
    assert len(found) == len(state)
    assert found == {key: list(last) for key, last in model.last.items()}


def errors_of(clock: list[timedelta], window: int = 31) -> list[tuple[float, str, float]]:
    """Of each event of one device: how far the corrected time is off, seconds; method; confidence. `clock`: by how much
    the device is ahead at each. The network takes up to 2 seconds, for each tenth
    record 30 more; a third of the events wait up to an hour.
    """
    dice = random.Random(1)
    truth, events = [], []
    for number, ahead in enumerate(clock):
        received = datetime(2024, 5, 1, tzinfo=UTC) + number * timedelta(minutes=1)
        delay = timedelta(seconds=dice.uniform(0.1, 2) + (30 if dice.random() < 0.1 else 0))
        waited = timedelta(seconds=dice.uniform(0, 3600) if dice.random() < 0.3 else 0)
        truth.append(received - delay - waited)
        times = (truth[-1] + ahead, received - delay + ahead, received)
        events.append(event("d", *map(to_micros, times), record_offset=number))
    columns, _ = correct(table(events), STATE.empty_table(), Clocks("device", "sent_at", window=window))
    return [
        ((row["corrected_time"] - true).total_seconds(), row["clock_method"], row["clock_confidence"])
        for true, row in zip(truth, columns.to_pylist(), strict=True)
    ]


@pytest.mark.parametrize("hours", [-2, 0, 2])
def test_a_clock_that_is_two_hours_off_is_corrected_to_within_the_network_delay(hours: int) -> None:
    found = errors_of([timedelta(hours=hours)] * 400)
    assert all(0 <= off <= 2 for off, method, _ in found[3:] if method == "median")
    assert all(0 <= off <= 32 for off, _, _ in found), "its own offset has all of its delay in it"
    assert sum(method == "own" for _, method, _ in found[3:]) < 200
    assert found[0][2] == 1 / 31 and min(confidence for *_, confidence in found[60:]) > 0.5


def test_a_clock_that_drifts_is_followed() -> None:
    found = errors_of([timedelta(seconds=0.05 * number) for number in range(600)])  # 72 seconds a day
    assert all(-2 <= off <= 2.9 for off, method, _ in found[3:] if method == "median"), "16 records behind: 0.8 s"


def test_a_clock_that_is_set_forward_is_corrected_at_once_where_the_event_was_sent_at_once() -> None:
    step = [timedelta(0)] * 100 + [timedelta(hours=2)] * 100
    found = errors_of(step)
    own = [(off, confidence) for off, method, confidence in found[100:105] if method == "own"]
    assert len(own) >= 3
    assert all(0 <= off <= 32 and confidence <= 5 / 31 for off, confidence in own)
    assert all(0 <= off <= 32 for off, _, _ in found[100 + 16 :])


def test_a_clock_that_is_set_back_is_followed_after_half_a_window() -> None:
    step = [timedelta(0)] * 100 + [-timedelta(hours=2)] * 100
    found = errors_of(step)
    assert found[100][0] < -7190, "the first looks like a delay of two hours"
    assert all(0 <= off <= 32 for off, _, _ in found[100 + 16 :])
    assert found[114][2] < 0.6, "and the offsets disagree more and more"
    assert all(0 <= off <= 32 for off, _, _ in errors_of(step, window=3)[102:])


def test_a_few_long_delays_move_nothing() -> None:
    """Worked out by hand: offsets of 10 s, the 6th and the 7th of 500 s, in a window of 5."""
    delays = [10, 10, 10, 10, 10, 500, 500, 10]
    log = [event("a", START + n * SECOND, START + n * SECOND + 5, START + (n + delay) * SECOND + 5, record_offset=n)
           for n, delay in enumerate(delays)]  # fmt: skip
    columns, state = correct(table(log), STATE.empty_table(), SMALL)
    assert columns["clock_offset_seconds"].to_pylist() == [10.0] * 8
    assert columns["clock_method"].to_pylist() == ["own", "own", *["median"] * 6]
    assert columns["clock_confidence"].to_pylist() == [0.2, 0.4, 0.6, 0.8, 1.0, 0.8, 0.6, 0.6]
    assert state.to_pylist() == [
        {"partition": 0, "device": "a", "offsets": [each * SECOND for each in (10, 10, 500, 500, 10)]}
    ]


def test_a_device_with_numbers_for_names_and_a_receipt_in_a_column_of_its_own() -> None:
    log = table([event("a", START, START + SECOND, START + 3 * SECOND)])
    log = log.set_column(log.column_names.index("device"), "device", pa.array([42], pa.int32()))
    log = log.append_column("came", log["record_timestamp"])
    columns, state = correct(log, STATE.empty_table(), Clocks("device", "sent_at", received="came"))
    assert rows(columns) == [(START + 2 * SECOND, 2 * SECOND, "own", 1 / 31, None)]
    assert state["device"].to_pylist() == ["42"]
    log = log.set_column(log.column_names.index("came"), "came", pa.nulls(1, TIME))
    columns, after = correct(log, state, Clocks("device", "sent_at", received="came"))
    assert rows(columns) == [(START, None, "none", None, "no_received")]
    assert after.equals(state)


def test_no_events_leave_the_state_as_it_is() -> None:
    _, state = correct(table([event("a", START, START, START + 5)]), STATE.empty_table(), SMALL)
    columns, after = correct(table([]), state, SMALL)
    assert (len(columns), columns.schema, after) == (0, COLUMNS, state)


def test_what_is_wrong_with_the_columns_is_said() -> None:
    log = table([event("a", START, START, START)])
    with pytest.raises(Mistake, match="events have no column sent; there are record_partition"):
        correct(log, STATE.empty_table(), Clocks("device", "sent"))
    with pytest.raises(Mistake, match="column device is string; it must be a timestamp"):
        correct(log, STATE.empty_table(), Clocks("device", "device"))
    with pytest.raises(Mistake, match="window is 2; a median takes 3 offsets or more"):
        Clocks("device", "sent_at", window=2)
    with pytest.raises(Mistake, match='"a year" is not a duration'):
        Clocks("device", "sent_at", furthest="a year")


def test_each_refusal_can_happen() -> None:
    hour = 3600 * SECOND
    cases = {
        "no_device": event(None, START, START, START),
        "no_sent": event("a", START, None, START),
        "event_in_future": event("a", START + 1, None, START),
        "sent_after_received_too_far": event("a", START, START + hour + 1, START),
        "sent_before_received_too_far": event("a", START, START, START + hour + 1),
        "sent_before_event": event("a", START, START - 1, START),
        "corrected_before_1970": event("a", 5, SECOND, 0),
    }
    for reason, one in cases.items():
        columns, _ = correct(table([one]), STATE.empty_table(), SMALL)
        assert rows(columns) == [(one["event_time"], None, "none", None, reason)]
    assert {*cases, "no_received"} == set(clocks_module.REFUSALS)


def test_many_devices_in_several_blocks_are_cut_anywhere() -> None:
    many = 50_000
    dice = np.random.default_rng(4)
    assert many > offset_series.BLOCK_RECORDS
    sent = START + np.arange(many) * SECOND
    made = pa.table(
        {
            "record_partition": pa.array(np.zeros(many), pa.int32()),
            "record_offset": pa.array(np.arange(many), pa.int64()),
            "record_timestamp": pa.array(sent + dice.integers(0, SECOND, many)).cast(TIME),
            "event_time": pa.array(sent).cast(TIME),
            "device": pa.array(dice.integers(0, 5000, many)).cast(pa.string()),
            "sent_at": pa.array(sent).cast(TIME),
        }
    )
    whole, _ = correct(made, STATE.empty_table(), Clocks("device", "sent_at"))
    first, state = correct(made[:20_000], STATE.empty_table(), Clocks("device", "sent_at"))
    second, _ = correct(made[20_000:], state, Clocks("device", "sent_at"))
    assert pa.concat_tables([first, second]).equals(whole)
