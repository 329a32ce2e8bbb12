"""The partial panes that a publishing needs: those written since the last one, and all that share windows with them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from jobs.answers import windows
from jobs.answers.windows import Window

PIECE_ROWS = 20_000
"""About how many partial panes are read at once: each takes up to 3 kB of memory until its windows are written, mostly
as Python's objects. Pieces half as large save little more, and take more time."""
PIECE_BYTES = 4 * 2**20
"""About how many bytes of partial panes are read at once, in files or in memory: large sketches make small pieces."""


class TooMuch(Exception):
    """A publishing is too large for this process, and nothing is written yet: it is left to Spark."""


@dataclass(frozen=True)
class NearPanes:
    """Panes that are read piece by piece."""

    first: datetime
    """The first pane does not start before it."""
    last: datetime
    """The last pane does not start after it."""
    first_new: datetime
    """Start of the first pane that was written since the last publishing."""
    last_new: datetime
    """Start of the last pane that was."""
    most_rows: int
    """There are at most so many partial panes."""
    read: Callable[[tuple[str, ...] | None], Iterator[pa.RecordBatch]]
    """The columns of these names (None: all), in pieces: no pane starts before one of an earlier piece."""
    is_in_memory: bool = False
    """Whether they need not be read from their table."""


@dataclass(frozen=True)
class Source:
    """What windows are merged from: panes, or days in their place."""

    windows: tuple[Window, ...]
    near: NearPanes | None
    """None if none is new."""


def first_sharing(kinds: tuple[Window, ...], pane_start: datetime, earlier_seconds: int = 0) -> datetime:
    """Start of the first pane that may share a window with a pane `earlier_seconds` before `pane_start`."""
    second = max(int(pane_start.timestamp()) - earlier_seconds, 0)  # no pane starts before 1970
    return datetime.fromtimestamp(max(windows.first_start(kinds, second), 0), UTC)
