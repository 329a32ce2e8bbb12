"""Numbers, times and states as the pages write them."""

import re
from datetime import UTC, datetime

from jobs.admin import remedies
from jobs.admin.standing import Facts, has_publications
from jobs.admin.states import Finding
from jobs.admin.units import length
from jobs.ui.result_overview import ResultOverview

_AGES = ((86_400, "d"), (3600, "h"), (60, "min"))
_COMMAND = re.compile(r"(?:^|: |`)((?:headrace|kafka-[a-z-]+|echo '\{) [^`;]*[^`; .])")
"""A command in a remedy: at its beginning, after a colon, or between backticks."""


def number(count: float | None) -> str:
    """A count with commas."""
    return "unknown" if count is None else f"{count:,}"


def plural(count: int, noun: str) -> str:
    """Such as: 1 result, 2 results."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def duration(seconds: float | None) -> str:
    """A length of time in the unit that suits it."""
    return "unknown" if seconds is None else length(seconds)


def time(moment: datetime | None) -> str:
    """A time in UTC, to the second."""
    return "never" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def age(moment: datetime | None, now: datetime) -> str:
    """How long ago that was, in whole units: a page that is renewed does not flicker."""
    if moment is None:
        return "never"
    seconds = max(0.0, (now - moment).total_seconds())
    for size, unit in _AGES:
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit} ago"
    return "just now" if seconds < 10 else f"{seconds:.0f} s ago"


def commands(finding: Finding) -> list[str]:
    """The commands that the remedy names, ready to be typed."""
    return [found.strip() for found in _COMMAND.findall(finding.remedy)]


def publication(facts: Facts) -> str:
    """Whether what is published holds every batch."""
    return facts.published_state if has_publications(facts.last) else "as read"


def remedy(facts: Facts, reason: str, field: str | None) -> str:
    """What to do about records that wait for this reason."""
    advice = remedies.advice(facts.name, facts.last.definition, [(reason, field)])
    return advice.partition("; then: ")[0].removeprefix(f"{reason}: ")


def to_deliver(result: ResultOverview) -> str:
    """Which deliveries have something to send."""
    if not result.deliveries:
        return "-"
    return ", ".join(each.label for each in result.deliveries if each.is_waiting) or "all sent"
