"""Things side by side in a table, with the columns that fit into the terminal."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from jobs.admin.terminal import printable

Item = TypeVar("Item")


@dataclass(frozen=True)
class Column(Generic[Item]):
    """A column of a table."""

    heading: str
    cell: Callable[[Item], str | Text]
    rank: int
    """The column with the highest rank is left out first; one of rank 0 stays."""
    is_text: bool = False
    """Whether it stands on the left, as numbers do not."""


def parts(items: Sequence[Item], columns: Sequence[Column[Item]], console: Console) -> Iterator[RenderableType]:
    """A table, no cell of which is broken; or, where not even the narrowest one fits, a block of lines for each item,
    below its cell of the first column, with all columns.
    """
    fitting = list(columns)
    while True:
        table = _table(items, fitting)
        width = Measurement.get(console, console.options.update(width=10_000), table).maximum
        if width <= console.width:
            yield table
            return
        dropped = max(fitting, key=lambda column: column.rank)
        if not dropped.rank:
            break
        fitting.remove(dropped)
    title, *others = columns
    for item in items:
        yield _cell(title, item)
        block = Table.grid(padding=(0, 2), pad_edge=True)
        for column in others:
            block.add_row(column.heading, _cell(column, item))
        yield block


def _table(items: Sequence[Item], columns: list[Column[Item]]) -> Table:
    table = Table()
    for column in columns:
        table.add_column(column.heading, justify="left" if column.is_text else "right", no_wrap=True)
    for item in items:
        table.add_row(*(_cell(column, item) for column in columns))
    return table


def _cell(column: Column[Item], item: Item) -> Text:
    cell = column.cell(item)
    return Text(printable(cell), overflow="fold") if isinstance(cell, str) else cell
