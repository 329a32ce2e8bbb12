"""What was looked up is kept for some seconds, so that many pages ask the tables and the broker once."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ShortMemory(Generic[Value]):
    """Keeps values by key. What two pages ask for at once is looked up once."""

    def __init__(self, seconds: float, most: int = 200) -> None:
        """A value is kept for `seconds`; of more than `most` the oldest are forgotten."""
        self._seconds, self._most = seconds, most
        self._values: dict[Hashable, tuple[float, Value]] = {}
        self._locks: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, look_up: Callable[[], Value]) -> Value:
        """The value that is kept; else what `look_up` gives. Raises what it raises."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            known = self._values.get(key)
            if known is not None and time.monotonic() - known[0] < self._seconds:
                return known[1]
            value = look_up()
        with self._lock:
            self._values.pop(key, None)
            self._values[key] = time.monotonic(), value
            while len(self._values) > self._most:
                oldest = next(iter(self._values))
                del self._values[oldest]
                self._locks.pop(oldest, None)
        return value
