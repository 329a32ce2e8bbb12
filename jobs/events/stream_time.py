"""Stream time of one partition of the log: the largest event time at any earlier offset."""

import numpy as np


class StreamTime:
    """Follows the records of one partition, batch by batch, and checks that they come in order of offset."""

    def __init__(self, micros: int | None, earliest_micros: int | None = None, expired_micros: int = 0) -> None:
        """`micros`: stream time before the first record, in microseconds since 1970; None if there is none. Then it
        begins with the first event at `earliest_micros` or later, None: with the first event; those before are behind
        `expired_micros`.
        """
        self.micros = micros
        self._earliest, self._expired = earliest_micros, expired_micros
        self.first_offset = -1
        """Offset of the first record that was followed; -1 before it."""
        self.in_order = True
        """Whether every offset so far was larger than the one before it."""
        self._last_offset = -1

    def follow(
        self, offsets: np.ndarray, event_micros: np.ndarray, clock_micros: np.ndarray | None = None
    ) -> np.ndarray:
        """For each of the next event times the microseconds by which it is behind stream time; 0 or less if it is not.

        `offsets`: those of the next records, at least one. `event_micros`: event times of the good ones among them, in
        microseconds since 1970; the first event time of a partition is behind nothing. `clock_micros`: for each of
        these a time that stream time has reached as well, which never decreases; None if there is none.
        """
        if self._last_offset < 0:
            self.first_offset = int(offsets[0])
        self.in_order &= bool(offsets[0] > self._last_offset and (offsets[1:] > offsets[:-1]).all())
        self._last_offset = int(offsets[-1])
        early = self._count_before_beginning(event_micros)
        if early:
            behind_expired: np.ndarray = self._expired - event_micros[:early]
            clocks = None if clock_micros is None else clock_micros[early:]
            return np.concatenate([behind_expired, self._follow(event_micros[early:], clocks)])
        return self._follow(event_micros, clock_micros)

    def _count_before_beginning(self, event_micros: np.ndarray) -> int:
        """How many of these come before the event with which stream time begins."""
        if self.micros is not None or self._earliest is None:
            return 0
        begins: np.ndarray = event_micros >= self._earliest
        return int(begins.argmax()) if begins.any() else len(event_micros)

    def _follow(self, event_micros: np.ndarray, clock_micros: np.ndarray | None) -> np.ndarray:
        if not len(event_micros):
            return event_micros
        start = event_micros[0] if self.micros is None else self.micros
        stream = np.maximum.accumulate(np.concatenate([[start], event_micros]))
        self.micros = int(stream[-1])
        before = stream[:-1]
        if clock_micros is not None:
            before = np.maximum(before, clock_micros)
        behind: np.ndarray = before - event_micros
        return behind

    def reach(self, micros: int) -> None:
        """Stream time is at least `micros` from now on."""
        self.micros = micros if self.micros is None else max(self.micros, micros)
