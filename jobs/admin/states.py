"""The words for how a result is, and what was found about it."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a result is, from what is worst to what is best."""

    WRONG = "wrong"
    """The next run refuses, or the numbers are doubtful, unless somebody acts."""
    UNKNOWN = "unknown"
    """The log cannot be looked at, so nobody can say how far behind it is."""
    RUNNING = "running"
    """A run is at work on this machine."""
    NEW = "new"
    """It has read nothing yet."""
    BEHIND = "behind"
    """The log has records that it has not read, or what it has read is not published: its next run does that."""
    NOTE = "note"
    """Something to know, such as records in quarantine."""
    OK = "ok"
    """All that the log has is read and published."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found. `wrong`: somebody has to act."""

    wrong: bool
    what: str
    remedy: str
    state: State = State.NOTE
    """What the result is because of it; WRONG if it is `wrong` and nothing else is said."""

    def __post_init__(self) -> None:
        if self.wrong and self.state == State.NOTE:
            object.__setattr__(self, "state", State.WRONG)

    @property
    def severity(self) -> tuple[bool, int]:
        """Of two findings the worse one has the smaller one."""
        return not self.wrong, list(State).index(self.state)
