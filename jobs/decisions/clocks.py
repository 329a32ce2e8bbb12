"""Clocks of devices: when did an event happen, by the clock of the server?

A device stamps an event by its own clock, and stamps it again when it sends it; the server stamps it on receipt.
received - sent is the *offset*: by how much the device's clock is behind (below zero: ahead), plus the network delay.
event + offset is the event's time by the server's clock, however long the device kept the event before it sent it.
(Kleppmann, "Designing Data-Intensive Applications", 2017, chapter 11: "Whose clock are you using, anyway?")

One record alone does not tell clock and network delay apart. So the offset is the median of the device's last ones, in
the order of the log. It is a decision: made once, from the records of the same partition up to and with this one.

- A clock that drifts is followed half a window of records behind.
- A clock that is set forward makes the earlier offsets too large, for half a window of records. Where the median would
  put an event after its receipt, the record's own offset is taken, with which that cannot happen; an event that the
  device kept for longer than the step is put too late by it.
- A clock that is set back looks like a long network delay at first: half a window of records is put too early by that
  step, until the new offsets are the majority. A smaller window follows sooner, and is misled sooner by delays.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from jobs.decisions.offset_series import OffsetSeries, latest
from jobs.running import durations
from jobs.running.errors import Mistake

ENOUGH_OFFSETS = 3
"""With fewer offsets of a device the record's own is taken: a median of two is no more robust."""

METHODS = ("median", "own", "none")
REFUSALS = (
    *("no_device", "no_received", "event_in_future", "no_sent"),
    *("sent_after_received_too_far", "sent_before_received_too_far", "sent_before_event", "corrected_before_1970"),
)
"""Why an event time is not corrected; the first that applies.

- no_device, no_received, no_sent: that column is null. event_in_future: `sent` is null, and the event time is after the
  receipt.
- sent_after_received_too_far, sent_before_received_too_far: by more than `furthest`.
- sent_before_event: the clock was set between the two stamps.
- corrected_before_1970: the corrected time would be.
"""

REQUEUED = "requeued"
"""The refusal of an event that was in quarantine when its turn was, and was read again: the offsets of its device at
that time are no longer known, and its own is not remembered."""

COLUMNS = pa.schema(
    [
        pa.field("corrected_time", pa.timestamp("us", "UTC"), False),
        pa.field("clock_offset_seconds", pa.float64()),
        pa.field("clock_method", pa.string(), False),
        pa.field("clock_confidence", pa.float64()),
        pa.field("clock_refusal", pa.string()),
    ]
)
"""What `correct` computes for each event; the columns that it read stay as they are.

- corrected_time: event_time + clock_offset_seconds; event_time itself where clock_refusal is not null.
- clock_offset_seconds: the offset that was taken; null if refused.
- clock_method: "median" of the device's last offsets; "own", the record's own offset, where the device has fewer than
  ENOUGH_OFFSETS, or the median would put the event after its receipt; "none" if refused.
- clock_confidence: the number of offsets in the window that are within `agreement` of the one that was taken, divided
  by `window`: 0 to 1, null if refused. Low for a new device, just after a clock was set, and where delays vary much.
- clock_refusal: one of REFUSALS, REQUEUED, or null.
"""


@dataclass(frozen=True)
class Clocks:
    """Which columns have the times, and how offsets are taken from them."""

    device: str
    """Column that says whose clock it is: a text, a number or a boolean."""
    sent: str
    """Column with the time of sending by the device's clock, a timestamp."""
    received: str = "record_timestamp"
    """Column with the time of receipt by the server's clock, a timestamp."""
    window: int = 31
    """Offsets of which the median is taken; 3 or more."""
    furthest: str = "365 days"
    """An offset further from zero than this is neither taken nor remembered."""
    agreement: str = "10 seconds"
    """How close offsets must be to count for clock_confidence."""

    def __post_init__(self) -> None:
        if self.window < ENOUGH_OFFSETS:
            raise Mistake(f"clocks: window is {self.window}; a median takes {ENOUGH_OFFSETS} offsets or more")
        durations.seconds(self.furthest)
        durations.seconds(self.agreement)

    @property
    def furthest_micros(self) -> int:
        """`furthest` in microseconds."""
        return durations.seconds(self.furthest) * 1_000_000

    @property
    def agreement_micros(self) -> int:
        """`agreement` in microseconds."""
        return durations.seconds(self.agreement) * 1_000_000


@dataclass(frozen=True)
class Stamps:
    """The times of some events, in microseconds since 1970; 0 where one is missing."""

    devices: pa.Array
    event: NDArray[np.int64]
    received: NDArray[np.int64]
    own: NDArray[np.int64]
    """received - sent; 0 where either is missing."""
    refusals: NDArray[np.int64]
    """Index into REFUSALS of what is wrong with the stamps; -1 if nothing is."""
    is_offset: NDArray[np.bool_]
    """Whether `own` is an offset to remember. With sent_before_event it is: that is about the event's stamp."""


def stamps(events: pa.Table, clocks: Clocks) -> Stamps:
    """The times of events with event_time and the columns that `clocks` names. Raises Mistake for a column that is not
    there, or is no timestamp with a zone.
    """
    event, sent, received = (_times(events, name) for name in ("event_time", clocks.sent, clocks.received))
    devices = _column(events, clocks.device).cast(pa.string()).combine_chunks()
    has_device, has_sent, has_received = (
        pc.is_valid(column).to_numpy(zero_copy_only=False) for column in (devices, sent, received)
    )
    event, sent, received = (column.fill_null(0).to_numpy() for column in (event, sent, received))
    own = np.where(has_sent & has_received, received - sent, 0)
    wrong = {
        "no_device": ~has_device,
        "no_received": ~has_received,
        "event_in_future": ~has_sent & (event > received),
        "no_sent": ~has_sent,
        "sent_after_received_too_far": own < -clocks.furthest_micros,
        "sent_before_received_too_far": own > clocks.furthest_micros,
        "sent_before_event": sent < event,
    }
    refusals = np.select(list(wrong.values()), [REFUSALS.index(reason) for reason in wrong], -1)
    is_offset = (refusals == -1) | (refusals == REFUSALS.index("sent_before_event"))
    return Stamps(devices, event, received, own, refusals, is_offset)


def _times(events: pa.Table, name: str) -> pa.Array:
    """Microseconds since 1970, in one chunk. Raises Mistake."""
    column = _column(events, name)
    if not pa.types.is_timestamp(column.type) or column.type.tz is None:
        raise Mistake(f"clocks: column {name} is {column.type}; it must be a timestamp")
    return column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()).combine_chunks()


def _column(events: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in events.column_names:
        raise Mistake(f"clocks: events have no column {name}; there are {', '.join(events.column_names)}")
    return events[name]


def correct(events: pa.Table, state: pa.Table, clocks: Clocks) -> tuple[pa.Table, pa.Table]:
    """As `corrections`, with the whole STATE after these events."""
    columns, changed = corrections(events, state, clocks)
    return columns, latest(pa.concat_tables([state, changed]))


def corrections(events: pa.Table, state: pa.Table, clocks: Clocks) -> tuple[pa.Table, pa.Table]:
    """The COLUMNS of events, in their order, and the STATE after them of the devices that have an offset in them.

    `events`: the next ones of their partitions, with record_partition, record_offset, event_time and the columns that
    `clocks` names; in any order. `state`: what is remembered of the events before them, a row for each device and
    partition; STATE.empty_table() before the first. Every cut of the log into batches gives the same columns. Raises
    Mistake as `stamps` does.
    """
    times = stamps(events, clocks)
    rows = np.flatnonzero(times.is_offset)
    partitions, log_offsets = (events[name].to_numpy()[rows] for name in ("record_partition", "record_offset"))
    series = OffsetSeries(partitions, log_offsets, times.devices.take(pa.array(rows)), times.own[rows], state)
    taken, is_own, agreeing = (np.zeros(len(events), np.int64) for _ in range(3))
    for records, windows, counts in series.windows(clocks.window):
        here = rows[records]
        median = _median(windows, counts)
        is_own[here] = (counts < ENOUGH_OFFSETS) | (times.event[here] + median > times.received[here])
        taken[here] = np.where(is_own[here], times.own[here], median)
        agreeing[here] = (np.abs(windows - taken[here, np.newaxis]) <= clocks.agreement_micros).sum(axis=1)
    return _columns(times, taken, is_own, agreeing / clocks.window), series.changed_state(clocks.window)


def _median(windows: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of the first `counts` numbers in each row, which are in rising order; between two, rounded down."""
    row = np.arange(len(windows))
    low, high = windows[row, (counts - 1) // 2], windows[row, counts // 2]
    median: NDArray[np.int64] = low + (high - low) // 2
    return median


def _columns(
    times: Stamps, taken: NDArray[np.int64], is_own: NDArray[np.int64], confidence: NDArray[np.float64]
) -> pa.Table:
    """The COLUMNS; `taken`: the offset of each event, unless its stamps are refused."""
    corrected = times.event + taken
    too_early = (times.refusals < 0) & (corrected < 0)
    refusals = np.where(too_early, REFUSALS.index("corrected_before_1970"), times.refusals)
    is_refused = refusals >= 0
    methods = np.where(is_refused, METHODS.index("none"), np.where(is_own, METHODS.index("own"), 0))
    columns = [
        pa.array(np.where(is_refused, times.event, corrected)).cast(pa.timestamp("us", "UTC")),
        pa.array(taken / 1e6, mask=is_refused),
        pa.array(METHODS).take(pa.array(methods)),
        pa.array(confidence, mask=is_refused),
        pa.array(REFUSALS).take(pa.array(refusals, mask=~is_refused)),
    ]
    return pa.Table.from_arrays(columns, schema=COLUMNS)
