"""Hours of a time zone."""

from dataclasses import dataclass
from typing import ClassVar

from jobs.answers.windows.calendar import Calendar
from jobs.answers.windows.days import Period


@dataclass(frozen=True)
class CalendarHour(Calendar):
    """Hours from one full hour on the clock of `zone` to the next. Labelled "hour ZONE".

    Those of Asia/Kolkata begin at half past the hours of UTC. Each is 60 minutes long where clocks change by whole
    hours: an hour that is shown twice makes two windows, and one that is skipped makes none. Where clocks change by a
    part of an hour, the change ends the window too: see days.py.
    """

    period: ClassVar[Period] = "hour"
