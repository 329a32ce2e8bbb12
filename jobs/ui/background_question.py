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

    def __init__(self, ask: Callable[[], Answer], kept_seconds: float, rests_as_long: bool = False) -> None:
        """`ask` raises nothing: a fault is an answer. It is good for `kept_seconds`; with `rests_as_long` also for as
        long as asking took, so that it takes not more than half of a processor.
        """
        self._ask, self._kept_seconds, self._rests_as_long = ask, kept_seconds, rests_as_long
        self._answer: Answer | None = None
        self._until = 0.0
        self._lock = threading.Lock()
        self._is_idle = threading.Event()
        self._is_idle.set()

    def now(self, patience_seconds: float | None) -> Answered[Answer]:
        """The last answer, at once if it is good; else it is waited for so long, and given old or not at all. None
        waits until it is there.
        """
        with self._lock:
            if self._is_idle.is_set() and time.monotonic() >= self._until:
                self._is_idle.clear()
                threading.Thread(target=self._run, daemon=True).start()
        self._is_idle.wait(patience_seconds)
        return Answered(self._answer, not self._is_idle.is_set())

    def _run(self) -> None:
        begun = time.monotonic()
        try:
            self._answer = self._ask()
        finally:
            ended = time.monotonic()
            taken = ended - begun if self._rests_as_long else 0.0
            self._until = ended + max(self._kept_seconds, taken)
            self._is_idle.set()
