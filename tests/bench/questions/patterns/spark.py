"""The peer's side of the pattern: Spark's transformWithState, with rows.

The events of a user wait in a state until the watermark has passed them, since they do not come in order. Only a login
that waits has a timer. So what is kept of a user of whom nothing comes any more is never removed: less work for Spark.
"""

from collections.abc import Iterator
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql.streaming.stateful_processor import (
    ExpiredTimerInfo,
    StatefulProcessor,
    StatefulProcessorHandle,
    TimerValues,
)
from questions.spark_stream import Read, answer

WITHIN_MS = 600_000
LEAST = 3
STATE = "events array<struct<ts: bigint, id: bigint, failed: boolean>>"
GUESSED = "id bigint, failures bigint, first_ms bigint"

Event = tuple[int, int, bool]
"""When, which, and whether it failed."""


class Guesses(StatefulProcessor):
    """Keeps, of each user, the events that the watermark has not passed, and failures of the ten minutes before it."""

    def init(self, handle: StatefulProcessorHandle) -> None:
        self._handle = handle
        self._kept = handle.getValueState("kept", STATE)

    def handleInputRows(self, key: Any, rows: Iterator[Row], timerValues: TimerValues) -> Iterator[Row]:  # noqa: N802, N803
        events = [*self._events(), *((row.ts, row.id, row.failed) for row in rows)]
        found, kept = follow(sorted(events), timerValues.getCurrentWatermarkInMs())
        self._keep(kept)
        waiting = [ts for ts, _, failed in kept if not failed]
        if waiting:
            self._handle.registerTimer(waiting[-1])
        yield from found

    def handleExpiredTimer(  # noqa: N802
        self,
        key: Any,
        timerValues: TimerValues,  # noqa: N803
        expiredTimerInfo: ExpiredTimerInfo,  # noqa: N803
    ) -> Iterator[Row]:
        found, kept = follow(self._events(), timerValues.getCurrentWatermarkInMs())
        self._keep(kept)
        yield from found

    def close(self) -> None:
        pass

    def _events(self) -> list[Event]:
        state = self._kept.get()
        return [tuple(event) for event in state[0]] if state else []

    def _keep(self, events: list[Event]) -> None:
        if events:
            self._kept.update((events,))
        else:
            self._kept.clear()


def follow(events: list[Event], watermark_ms: int) -> tuple[list[Row], list[Event]]:
    """The rows of all logins that the watermark has passed, and the events, in order, that are needed further."""
    found, failures = [], []
    passed = sum(ts <= watermark_ms for ts, _, _ in events)
    for event in events[:passed]:
        ts, number, failed = event
        if failed:
            failures.append(event)
            continue
        near = [first for first, _, _ in failures if first >= ts - WITHIN_MS]
        if len(near) >= LEAST:
            found.append(Row(id=number, failures=len(near), first_ms=near[0]))
        failures = []
    return found, [event for event in failures if event[0] > watermark_ms - WITHIN_MS] + events[passed:]


def guessed(read: Read) -> DataFrame:
    """The logins that look guessed."""
    logins = read("logins", "user string, id bigint, ts bigint, failed boolean")
    return logins.groupBy("user").transformWithState(
        Guesses(), outputStructType=GUESSED, outputMode="Append", timeMode="EventTime"
    )


if __name__ == "__main__":
    answer(guessed)
