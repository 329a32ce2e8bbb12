"""How far behind, and how old, the numbers of a result may be: what somebody has promised to their readers."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from jobs.admin.standing import Facts
from jobs.admin.states import Finding, State
from jobs.admin.units import length
from jobs.running import durations


@dataclass(frozen=True)
class Objective:
    """Lengths such as "30 minutes"; None: any."""

    max_lag: str | None = None
    """Record time between the newest record that was read and the newest one in the log."""
    max_age: str | None = None
    """From the timestamp of the newest record in the published numbers until now."""


def examine(facts: Facts, objective: Objective, now: datetime) -> Iterator[Finding]:
    """What of the objective is not met. A lag that is not known is none: other findings say why it is not."""
    lag, age = facts.lag, facts.age_seconds(now)
    remedy = f"run the job of {facts.name}, or run it more often"
    if objective.max_lag and lag.seconds is not None and lag.seconds > durations.seconds(objective.max_lag):
        what = f"it is {lag.time_shown} behind the log, more than {objective.max_lag}"
        yield Finding(True, what, remedy, State.BEHIND)
    if objective.max_age and age is not None and age > durations.seconds(objective.max_age):
        what = f"the newest record in its numbers is {length(age)} old, older than {objective.max_age}"
        reason = "see whether records still come" if lag.records == 0 and not facts.unpublished else remedy
        yield Finding(True, what, reason, State.BEHIND)
