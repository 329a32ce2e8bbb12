"""How far a long piece of work is: a bar on a terminal, else a line now and then."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pyarrow as pa

from jobs.running import diagnostics

LINE_SECONDS = 10.0
"""Time between two lines where there is no terminal."""


@contextmanager
def show(what: str, total: int | None = None, unit: str = "records") -> Iterator[Callable[[int], None]]:
    """Show how far `what` is, such as "trips: sending"; gives the function that is told of so many more.

    Without a `total` the bar has no end. Without a terminal, and in JSON, there is a line after each LINE_SECONDS.
    """
    if sys.stderr.isatty() and not diagnostics.is_json():
        with _bar(what, total, unit) as advance:
            yield advance
    else:
        yield _lines(what, total, unit)


@contextmanager
def show_wait(what: str) -> Iterator[None]:
    """Show that `what` is at work, of which nothing can be counted: the time that it takes, or one line."""
    if not sys.stderr.isatty() or diagnostics.is_json():
        diagnostics.inform(what)
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(what, total=None)
        yield


def count_rows(batches: Iterable[pa.RecordBatch], advance: Callable[[int], None]) -> Iterator[pa.RecordBatch]:
    """The batches; `advance` is told of the rows of each when the next one is asked for."""
    for batch in batches:
        yield batch
        advance(batch.num_rows)


@contextmanager
def _bar(what: str, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    count = "{task.completed:,}" if total is None else "{task.completed:,} of {task.total:,}"
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn(f"{count} {unit}"),
        TimeElapsedColumn() if total is None else TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda more: progress.advance(task, more)


def _lines(what: str, total: int | None, unit: str) -> Callable[[int], None]:
    done, last = 0, time.monotonic()
    whole = "" if total is None else f" of {total:,}"

    def advance(more: int) -> None:
        nonlocal done, last
        done += more
        if time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            diagnostics.inform(f"{what}: {done:,}{whole} {unit}", done=done, total=total)

    return advance
