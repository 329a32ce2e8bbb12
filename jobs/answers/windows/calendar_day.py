"""Days of a time zone."""

from dataclasses import dataclass
from typing import ClassVar

from jobs.answers.windows.calendar import Calendar
from jobs.answers.windows.days import Period


@dataclass(frozen=True)
class CalendarDay(Calendar):
    """Days from midnight to midnight in `zone`, or as days.py says where clocks change then. Labelled "day ZONE".

    Mostly 24 hours long; 23 or 25 when clocks change by an hour, 27 where they have gone back by three.
    """

    period: ClassVar[Period] = "day"
