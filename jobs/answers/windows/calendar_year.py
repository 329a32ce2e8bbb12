"""Years of a time zone."""

from dataclasses import dataclass
from typing import ClassVar

from jobs.answers.windows.calendar import Calendar
from jobs.answers.windows.days import Period


@dataclass(frozen=True)
class CalendarYear(Calendar):
    """Years of the calendar in `zone`, each of 365 or 366 days as days.py has them. Labelled "year ZONE".

    They begin with the first of January. A year is mostly a whole number of hours also where clocks change.
    """

    period: ClassVar[Period] = "year"
