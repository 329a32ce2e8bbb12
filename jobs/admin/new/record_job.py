"""The text of the job file of a first result, and the query that looks at it."""

import re
from collections.abc import Iterable

from jobs.admin.new.event_time_guess import EventTimeGuess
from jobs.admin.new.first_result import COUNT, Column, FirstResult
from jobs.admin.new.record_schema import literal
from jobs.events.topic_schema import quote


def text(name: str, topic: str, result: FirstResult, time: EventTimeGuess) -> str:
    """The job file: windows of days if the event time says days alone, else of hours."""
    unit, pane = ("day", "1 day") if time.is_date else ("hour", "5 minutes")
    window = 'CalendarDay("UTC")' if time.is_date else 'Tumbling("1 hour")'
    by = f" and {_words(result.by)}" if result.by else ""
    needs_functions = any(not _is_plain(column) for column in result.columns)
    return f'''"""How many records of {topic} are there, by the {unit}{by}?

in    topic {topic} (schemas/{name}.py)
out   table {name}_v1: a row for each {unit}{by}, with
{_out(result)}
late  a record that comes late is counted all the same, and its {unit} corrected. The ledger counts those that are more
      than LATENESS behind
"""

from pyspark.sql import DataFrame
{"from pyspark.sql import functions as F" + chr(10) if needs_functions else ""}
from jobs import keeping
from jobs.answers.result import Late, Reads, Result
from jobs.answers.windows import {window.partition("(")[0]}, Windows
from jobs.facts.panes import Panes
from jobs.run import Run, start
from schemas import {name}

# What is kept of the records. There are also sums=, deviations=, percentiles={{"x": (0.5, 0.95)}}, firsts= and lasts=.
# After a change here give the result a new version in its name, {name}_v2.
PANES = Panes(
    every="{pane}",
{_panes(result)})
# Which windows are published. More of them cost little, and may be added at any time: CalendarDay("Europe/Berlin"),
# Hopping("1 hour", every="5 minutes"), CalendarWeek, CalendarMonth.
WINDOWS = Windows(PANES, {window})
# A record that is further behind is called late. `headrace lateness {topic}` says how late records are.
LATENESS = "1 hour"


def transform(records: DataFrame) -> DataFrame:
    """The columns that PANES names, at the time of the event; `where` and `withColumn` may be used, too."""
    return records.select(
        "event_time",
{_selection(result)}    )


RESULT = Result("{name}_v1", Reads({name}, transform), WINDOWS, late=Late(LATENESS))


def main(run: Run) -> None:
    """Read the log, bring the table up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
'''


def query(name: str, result: FirstResult) -> str:
    """SQL that shows the first rows of the table."""
    shown = ["window_start", *(column.name for column in result.by), COUNT]
    shown += [f"{column.name}_mean" for column in result.averages] + [
        f"{column.name}_count" for column in result.counts
    ]
    shown += [f"{column.name}_estimate" for column in result.uniques]
    quoted = (name if re.fullmatch("[a-z_][a-z0-9_]*", name) else f'"{name}"' for name in shown)
    return f"select {', '.join(quoted)} from {name}_v1 order by window_start limit 20"


def _out(result: FirstResult) -> str:
    """A line for each kind of numbers."""
    lines = [f"{COUNT}: their number"]
    lines += [f"{column.name}_mean, {column.name}_min, {column.name}_max" for column in result.averages]
    lines += [f"{column.name}_count: of how many it is true" for column in result.counts]
    lines += [f"{column.name}_estimate: how many different ones there are" for column in result.uniques]
    return "\n".join(f"      - {line}" for line in lines)


def _words(columns: Iterable[Column]) -> str:
    return ", ".join(column.name for column in columns)


def _panes(result: FirstResult) -> str:
    parts = {"by": result.by, "averages": result.averages, "uniques": result.uniques, "counts": result.counts}
    lines = ""
    for field, columns in parts.items():
        names = [f'"{column.name}"' for column in columns]
        if names:
            line = f"    {field}=({', '.join(names)}{',' if len(names) == 1 else ''}),\n"
            spread = "".join(f"        {name},\n" for name in names)
            lines += line if len(line) <= 121 else f"    {field}=(\n{spread}    ),\n"
    return lines


def _is_plain(column: Column) -> bool:
    return column.field.path == (column.name,)


def _selection(result: FirstResult) -> str:
    lines = ""
    for column in result.columns:
        is_word = all(re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) for name in column.field.path)
        path = column.field.name if is_word else quote(*column.field.path)
        field = f'F.col({literal(path)}).alias("{column.name}")'
        lines += f'        "{column.name}",\n' if _is_plain(column) else f"        {field},\n"
    return lines
