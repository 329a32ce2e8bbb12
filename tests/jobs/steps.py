"""What may happen to a run at one of its steps, such as "after panes"."""

import time
from collections.abc import Callable


class Stopped(Exception):
    """Stands for a process that ends here."""


def stopping_at(moment: str | None) -> Callable[[str], None]:
    """A run's `step` that ends it at this moment; None: never."""

    def step(now: str) -> None:
        if now == moment:
            raise Stopped(now)

    return step


def once_at(moment: str, do: Callable[[], None]) -> Callable[[str], None]:
    """A run's `step` that does this when the moment comes for the first time."""
    left = [do]

    def step(now: str) -> None:
        if now == moment and left:
            left.pop()()

    return step


def resting_at(moment: str, seconds: float) -> Callable[[str], None]:
    """A run's `step` that takes so long at this moment, each time."""

    def step(now: str) -> None:
        if now == moment:
            time.sleep(seconds)

    return step
