"""Windows as the answer of a result: made of panes, which are kept."""

from dataclasses import dataclass

from jobs.answers.windows import days
from jobs.answers.windows.calendar import Calendar
from jobs.answers.windows.calendar_month import CalendarMonth
from jobs.answers.windows.calendar_week import CalendarWeek
from jobs.answers.windows.calendar_year import CalendarYear
from jobs.answers.windows.window import Window
from jobs.facts.panes import Panes
from jobs.running.errors import Mistake


@dataclass(frozen=True, init=False)
class Windows:
    """Windows of panes: Windows(PANES, Tumbling("1 hour"), CalendarDay("Europe/Berlin"))."""

    panes: Panes
    """What is kept per pane."""
    windows: tuple[Window, ...]
    """What is published. Windows may come and go: new ones are made of the panes that are stored."""

    @property
    def from_days(self) -> tuple[Calendar, ...]:
        """Those that are longer than a day: they are merged from days of their zone, if these have several panes."""
        if self.panes.every_seconds >= days.DAY_SECONDS:
            return ()
        longer = (CalendarWeek, CalendarMonth, CalendarYear)
        return tuple(window for window in self.windows if isinstance(window, longer))

    @property
    def from_panes(self) -> tuple[Window, ...]:
        """The others: they are merged from panes."""
        return tuple(window for window in self.windows if window not in self.from_days)

    def __init__(self, panes: Panes, *windows: Window) -> None:
        object.__setattr__(self, "panes", panes)
        object.__setattr__(self, "windows", windows)
        if not windows:
            raise Mistake(
                'Windows takes panes, and then one kind of windows or more: Windows(PANES, Tumbling("1 hour"))'
            )
        for window in windows:
            window.check(panes.every_seconds)
        labels = [window.name for window in windows]
        if len(set(labels)) < len(labels):
            raise Mistake(f"the same window twice: {', '.join(label for label in labels if labels.count(label) > 1)}")
