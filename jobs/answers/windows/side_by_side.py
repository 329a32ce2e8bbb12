"""What windows have in common that follow each other without a gap: each pane is in one."""

from abc import ABC, abstractmethod

import numpy as np

from jobs.answers.windows.window import Buckets


class SideBySide(ABC):
    """A kind of window of which each begins where the one before ends."""

    @abstractmethod
    def starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the window that holds the pane, in seconds since 1970 UTC, as are the panes' starts."""

    def first_starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the first window that holds the pane: there is one."""
        return self.starts(seconds)

    def slots(self, seconds: np.ndarray) -> np.ndarray:
        """Panes of a window are in no other, so they are added up at once."""
        return self.starts(seconds)

    def spread(self, buckets: Buckets) -> Buckets:
        """Each pane is in one window."""
        return buckets

    def count(self, groups: np.ndarray, slots: np.ndarray) -> int:
        """Each bucket is a window."""
        return len(slots)
