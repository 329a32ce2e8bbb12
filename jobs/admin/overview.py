"""Results side by side, with the columns that fit into the terminal."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from jobs.admin.assessment import Assessment, complete_text
from jobs.admin.standing import Facts
from jobs.admin.states import State
from jobs.admin.terminal import printable
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


@dataclass(frozen=True)
class _Column:
    heading: str
    cell: Callable[[Facts], str]
    rank: int
    """The column with the highest rank is left out first; one of rank 0 stays."""
    is_text: bool = False


def _time(time: datetime | None) -> str:
    return "-" if time is None else f"{time:%Y-%m-%d %H:%M:%S}"


def _false_positives(facts: Facts) -> str:
    rate = facts.last.filter_false_positive_rate
    return "-" if rate is None else f"{rate:.2g}"


COLUMNS = (
    _Column("records", lambda facts: f"{facts.records:,}", 2),
    _Column("unread", lambda facts: facts.lag.records_shown, 1),
    _Column("lag", lambda facts: facts.lag.time_shown, 0),
    _Column("quarantined", lambda facts: f"{facts.waiting:,}", 0),
    _Column("late", lambda facts: f"{facts.late:,}", 3),
    _Column("p99 late", lambda facts: length(facts.lateness[1]), 5),
    _Column("false positives", _false_positives, 8),
    _Column("published", lambda facts: facts.published_state, 4, is_text=True),
    _Column("last batch (UTC)", lambda facts: _time(facts.batch_time), 6, is_text=True),
    _Column("newest record (UTC)", lambda facts: _time(facts.newest_record_time), 7, is_text=True),
)
"""After the name of a result and its state."""


def parts(assessments: list[Assessment], console: Console) -> Iterator[RenderableType]:
    """A table, or a block for each result where not even the narrowest table fits."""
    columns = list(COLUMNS)
    while True:
        table = _table(assessments, columns)
        width = Measurement.get(console, console.options.update(width=10_000), table).maximum
        if width <= console.width:
            yield table
            return
        dropped = max(columns, key=lambda column: column.rank)
        if not dropped.rank:
            break
        columns.remove(dropped)
    for each in assessments:
        yield Text(printable(each.name), overflow="fold")
        yield _block(each)


def _table(assessments: list[Assessment], columns: list[_Column]) -> Table:
    table = Table("result", "state")
    for column in columns:
        table.add_column(column.heading, justify="left" if column.is_text else "right", no_wrap=True)
    for each in assessments:
        cells = ("-" if each.facts is None else column.cell(each.facts) for column in columns)
        table.add_row(Text(printable(each.name)), _state(each), *cells)
    return table


def _block(assessment: Assessment) -> Table:
    block = Table.grid(padding=(0, 2), pad_edge=True)
    block.add_row("state", _state(assessment))
    for column in COLUMNS if assessment.facts else ():
        assert assessment.facts
        block.add_row(column.heading, column.cell(assessment.facts))
    return block


def _state(assessment: Assessment) -> Text:
    return Text(str(assessment.state), style=STYLES.get(assessment.state, ""))


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
