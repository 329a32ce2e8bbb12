"""A question whose answer may take seconds, such as one to a broker that is away: it is asked in another thread."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Answered(Generic[Answer]):
    """What is known now."""

    answer: Answer | None
    """The last answer; None before the first one."""
    is_asked: bool
    """Whether it is being asked."""


class BackgroundQuestion(Generic[Answer]):
    """Asks when somebody wants to know, and the last answer is too old."""

    def __init__(self, ask: Callable[[], Answer], kept_seconds: float) -> None:
        """`ask` raises nothing: a fault is an answer. It is good for `kept_seconds`."""
        self._ask, self._kept_seconds = ask, kept_seconds
        self._answer: Answer | None = None
        self._until = 0.0
        self._lock = threading.Lock()
        self._is_idle = threading.Event()
        self._is_idle.set()

    def now(self, patience_seconds: float) -> Answered[Answer]:
        """The last answer, at once if it is good; else it is waited for so long, and given old or not at all."""
        with self._lock:
            if self._is_idle.is_set() and time.monotonic() >= self._until:
                self._is_idle.clear()
                threading.Thread(target=self._run, daemon=True).start()
        self._is_idle.wait(patience_seconds)
        return Answered(self._answer, not self._is_idle.is_set())

    def _run(self) -> None:
        try:
            self._answer = self._ask()
        finally:
            self._until = time.monotonic() + self._kept_seconds
            self._is_idle.set()
