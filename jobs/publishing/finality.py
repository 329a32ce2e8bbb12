"""Which published windows are final, and which become so as time passes, or are no longer."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from jobs.running.instants import EPOCH, sql_literal


@dataclass(frozen=True)
class Finality:
    """Complete time when windows were last published, and now; None: nothing was, or is, complete."""

    before: datetime | None
    now: datetime | None

    @property
    def instants(self) -> tuple[datetime, datetime]:
        """`before` and `now`, or 1970 for what is earlier or None: no window ends before it."""
        return max(self.before or EPOCH, EPOCH), max(self.now or EPOCH, EPOCH)

    @property
    def condition(self) -> str | None:
        """SQL that holds for published windows which may have become final since, or no longer are; None for none."""
        before, now = self.instants
        if before == now:
            return None
        return f"(window_end > {sql_literal(min(before, now))} and window_end <= {sql_literal(max(before, now))})"

    def is_final(self, ends: pa.ChunkedArray) -> pa.ChunkedArray:
        """Whether windows that end then are final."""
        return pc.less_equal(ends, pa.scalar(self.instants[1], pa.timestamp("us", "UTC")))


UNKNOWN = Finality(None, None)
"""Nothing was complete, and nothing is."""
