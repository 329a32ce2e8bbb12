"""Windows as values: each says which windows a pane belongs to; a window's row is the merge of its panes."""

from jobs.answers.windows.calendar_day import CalendarDay
from jobs.answers.windows.calendar_hour import CalendarHour
from jobs.answers.windows.calendar_month import CalendarMonth
from jobs.answers.windows.calendar_week import CalendarWeek
from jobs.answers.windows.calendar_year import CalendarYear
from jobs.answers.windows.hopping import Hopping
from jobs.answers.windows.of_panes import Windows
from jobs.answers.windows.tumbling import Tumbling
from jobs.answers.windows.window import EARLIER_KIND, KEYS, KIND, Window, first_start, last_end

__all__ = [
    "EARLIER_KIND",
    "KEYS",
    "KIND",
    "CalendarDay",
    "CalendarHour",
    "CalendarMonth",
    "CalendarWeek",
    "CalendarYear",
    "Hopping",
    "Tumbling",
    "Window",
    "Windows",
    "first_start",
    "last_end",
]
