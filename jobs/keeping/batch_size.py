"""How many records a batch may hold, so that it takes about its target time: the backpressure of continuous runs.

The log keeps what is not read; a burst only makes batches larger, up to the ceiling, and then more of them.
"""

from dataclasses import dataclass

FULL_SHARE = 0.8
"""A batch with this share of its limit shows how fast records are; the time of a smaller one is mostly overhead."""
MOVE_FACTOR = 2.0
"""The limit moves when it is wrong by this factor: each move starts the query anew, which takes about a second."""
START_DIVISOR = 16
"""The first limit is the ceiling divided by this: nothing is known yet of how fast records are."""


@dataclass
class BatchSize:
    """The limit on the records of a batch. Follows `target_seconds` between `floor` and `ceiling`."""

    target_seconds: float
    floor: int
    ceiling: int
    limit: int = 0

    def __post_init__(self) -> None:
        self.limit = max(self.floor, self.ceiling // START_DIVISOR)

    def adjust(self, records: int, seconds: float) -> bool:
        """Adjust the limit to a batch that took `seconds` for `records`. True if the limit has changed."""
        if records < FULL_SHARE * self.limit or seconds <= 0:
            return False
        wanted = int(min(self.ceiling, max(self.floor, records * self.target_seconds / seconds)))
        if self.limit / MOVE_FACTOR < wanted < self.limit * MOVE_FACTOR and wanted not in (self.floor, self.ceiling):
            return False
        before, self.limit = self.limit, wanted
        return before != wanted
