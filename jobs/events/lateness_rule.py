"""When a record is late, and what becomes of it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Remedy = Literal["correct", "quarantine", "drop"]


@dataclass(frozen=True)
class LatenessRule:
    """The rule of one result, with its durations in seconds."""

    allowed_seconds: int
    """A record that is further behind stream time is late."""
    then: Remedy = "correct"
    """What becomes of a late record."""
    idle_seconds: int | None = None
    """The record timestamp less this is stream time, too; None: event times alone are."""
    kept_seconds: int | None = None
    """A record further behind is too late, whatever `then` says; None: no record is."""
    expired_micros: int | None = None
    """The least stream time of all partitions when kept events were last removed, microseconds since 1970; None if
    none were. A record of a partition that had none by then is too late if it would have been at that stream time.
    """

    @property
    def earliest_micros(self) -> int | None:
        """An event before it is too late in every partition; None if there is no such time."""
        if self.expired_micros is None or self.kept_seconds is None:
            return None
        return self.expired_micros - self.kept_seconds * 1_000_000

    def is_late(self, behind_micros: np.ndarray, event_micros: np.ndarray) -> np.ndarray:
        """Which of the records with these event times are late; `behind_micros`: stream time less event time."""
        late: np.ndarray = behind_micros > self.allowed_seconds * 1_000_000
        late |= self.is_too_late(behind_micros, event_micros)
        return late

    def is_too_late(self, behind_micros: np.ndarray, event_micros: np.ndarray) -> np.ndarray:
        """Which of these are too late."""
        if self.kept_seconds is None:
            return np.zeros(len(behind_micros), bool)
        too_late: np.ndarray = behind_micros > self.kept_seconds * 1_000_000
        earliest = self.earliest_micros
        return too_late if earliest is None else too_late | (event_micros < earliest)

    def goes_to_quarantine(self, behind_micros: np.ndarray, event_micros: np.ndarray) -> np.ndarray:
        """Which of these are put into quarantine."""
        which = self.is_late if self.then == "quarantine" else self.is_too_late
        return which(behind_micros, event_micros)

    def is_dropped(self, behind_micros: np.ndarray, event_micros: np.ndarray) -> np.ndarray:
        """Which of these are left out, and only counted."""
        if self.then != "drop":
            return np.zeros(len(behind_micros), bool)
        dropped: np.ndarray = self.is_late(behind_micros, event_micros) & ~self.is_too_late(behind_micros, event_micros)
        return dropped
