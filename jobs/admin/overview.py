"""Results side by side, with the columns that fit into the terminal."""

from collections.abc import Callable, Iterator
from datetime import datetime

from rich.console import Console, RenderableType
from rich.text import Text

from jobs.admin import fitting
from jobs.admin.assessment import Assessment, complete_text
from jobs.admin.fitting import Column
from jobs.admin.standing import Facts
from jobs.admin.states import State
from jobs.admin.units import length

STYLES = {
    State.WRONG: "bold red",
    State.UNKNOWN: "magenta",
    State.BEHIND: "yellow",
    State.NEW: "cyan",
    State.RUNNING: "cyan",
    State.OK: "green",
}
"""On a terminal with colours; a state is a word in any case."""
MOST_NAMES = 3
"""Of results with the same reason so many are named."""


def _time(time: datetime | None) -> str:
    return "-" if time is None else f"{time:%Y-%m-%d %H:%M:%S}"


def _false_positives(facts: Facts) -> str:
    rate = facts.last.filter_false_positive_rate
    return "-" if rate is None else f"{rate:.2g}"


def _state(assessment: Assessment) -> Text:
    return Text(str(assessment.state), style=STYLES.get(assessment.state, ""))


def _column(heading: str, cell: Callable[[Facts], str], rank: int, is_text: bool = False) -> Column[Assessment]:
    """A column with numbers of a result; "-" if it has none."""
    return Column(heading, lambda each: "-" if each.facts is None else cell(each.facts), rank, is_text)


COLUMNS: tuple[Column[Assessment], ...] = (
    Column("result", lambda each: each.name, 0, is_text=True),
    Column("state", _state, 0, is_text=True),
    _column("records", lambda facts: f"{facts.records:,}", 2),
    _column("unread", lambda facts: facts.lag.records_shown, 1),
    _column("lag", lambda facts: facts.lag.time_shown, 0),
    _column("quarantined", lambda facts: f"{facts.waiting:,}", 0),
    _column("late", lambda facts: f"{facts.late:,}", 3),
    _column("p99 late", lambda facts: length(facts.lateness[1]), 5),
    _column("false positives", _false_positives, 8),
    _column("published", lambda facts: facts.published_state, 4, is_text=True),
    _column("last batch (UTC)", lambda facts: _time(facts.batch_time), 6, is_text=True),
    _column("newest record (UTC)", lambda facts: _time(facts.newest_record_time), 7, is_text=True),
)


def parts(assessments: list[Assessment], console: Console) -> Iterator[RenderableType]:
    """A table of the results, or a block of lines for each."""
    return fitting.parts(assessments, COLUMNS, console)


def reasons(assessments: list[Assessment]) -> Iterator[str]:
    """A line for each reason why results are not ok, with their names; the worst first."""
    by_reason: dict[tuple[State, str], list[str]] = {}
    for each in assessments:
        if each.reason:
            by_reason.setdefault((each.state, each.reason), []).append(each.name)
    for (state, reason), names in sorted(by_reason.items(), key=lambda item: list(State).index(item[0][0])):
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        yield f"{', '.join(names[:MOST_NAMES])}{more}: {state}: {reason}"


def completeness(assessments: list[Assessment]) -> Iterator[str]:
    """A line for each result that publishes: to when it is complete, and who holds it back."""
    for each in assessments:
        if each.facts and each.facts.completeness:
            yield f"{each.name}: complete {complete_text(each.facts.completeness)}"
