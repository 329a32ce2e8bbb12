"""Of which kind each of the answers of a result is."""

from typing import Any

from jobs.answers.changes.as_of_answer import AsOfAnswer
from jobs.answers.changes.change_answer import ChangeAnswer
from jobs.answers.event_rows.event_answer import EventAnswer
from jobs.answers.sessions import Sessions
from jobs.answers.top import Top
from jobs.answers.views.view import View
from jobs.answers.windows import Windows

_OTHERS = (Windows, Sessions, Top, ChangeAnswer, AsOfAnswer, View)


def in_order(answers: Any) -> tuple[Any, ...]:
    """The answers that a job file gives: one, several, or none."""
    return tuple(each for each in (answers if isinstance(answers, tuple) else (answers,)) if each)


def of_events(answers: Any) -> tuple[EventAnswer, ...]:
    """Those of kept events."""
    return tuple(each for each in in_order(answers) if not isinstance(each, _OTHERS))


def of_changes(answers: Any) -> tuple[ChangeAnswer, ...]:
    """Those of the changes of a table."""
    return tuple(each for each in in_order(answers) if isinstance(each, ChangeAnswer))


def as_of(answers: Any) -> tuple[AsOfAnswer, ...]:
    """Those of events and the versions that were valid at their time."""
    return tuple(each for each in in_order(answers) if isinstance(each, AsOfAnswer))


def views(answers: Any) -> tuple[View, ...]:
    """Those in SQL over the latest rows of tables."""
    return tuple(each for each in in_order(answers) if isinstance(each, View))


def rankings(answers: Any) -> tuple[Top, ...]:
    """What ranks the rows of the windows before it."""
    return tuple(each for each in answers if isinstance(each, Top)) if isinstance(answers, tuple) else ()
