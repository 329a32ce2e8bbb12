"""Months of a time zone."""

from dataclasses import dataclass
from typing import ClassVar

from jobs.answers.windows.calendar import Calendar
from jobs.answers.windows.days import Period


@dataclass(frozen=True)
class CalendarMonth(Calendar):
    """Months of the calendar in `zone`, each of 28 to 31 days as days.py has them. Labelled "month ZONE".

    An hour shorter or longer than its days when clocks change.
    """

    period: ClassVar[Period] = "month"
