"""Weeks of a time zone."""

from dataclasses import dataclass
from typing import ClassVar

from jobs.answers.windows.calendar import Calendar
from jobs.answers.windows.days import Period


@dataclass(frozen=True)
class CalendarWeek(Calendar):
    """Weeks from Monday to Monday in `zone`, each of seven days as days.py has them. Labelled "week ZONE".

    Mostly 168 hours long; an hour less or more when clocks change.
    """

    period: ClassVar[Period] = "week"
