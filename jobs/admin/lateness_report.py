"""What `headrace lateness` prints of the records that were measured."""

from typing import Any

from rich.table import Table

from jobs.admin.second_counts import Spread
from jobs.admin.topic_lateness import TopicLateness
from jobs.admin.units import length
from jobs.running import durations

CHOICES = ("1 minute", "5 minutes", "10 minutes", "30 minutes", "1 hour", "6 hours", "1 day", "7 days")
"""Allowed lateness, as a job file says it."""
ENOUGH_PER_CENT = 99
"""The shortest of CHOICES that keeps this share of the records is named."""
PER_MILLE = {"p50": 500, "p90": 900, "p99": 990, "p99.9": 999}
MOST_ROWS = 20
"""Values of a column that are shown."""
LONGEST_VALUE = 40
"""Characters of a value that are shown."""


def parts(measured: TopicLateness, name: str, by: str | None) -> list[Table | str]:
    """What is printed, part by part; `name`: what was measured, `by`: the column whose values were measured, too."""
    whole, ahead = measured.behind.spread(), measured.ahead.spread()
    shown: list[Table | str] = [_partitions(measured, name)]
    if by is not None:
        shown.append(_values(measured, by))
        if len(measured.values) > MOST_ROWS:
            shown.append(f"the {MOST_ROWS} latest of {len(measured.values):,} values of {by}, by p99")
    shown += [_choices(whole), _recommendation(whole), _clocks(ahead, whole.total)]
    if measured.columns_left_out:
        names = ", ".join(measured.columns_left_out)
        shown.append(f"only Spark decodes {names}: a record that is bad in these alone is measured")
    left_out = measured.records - measured.measured
    if left_out:
        shown.append(
            f"left out: {left_out:,} of {measured.records:,} records, which cannot be decoded without Spark: bad ones, "
            "times that are not ISO-8601 or further ahead than MAX_AHEAD"
        )
    return shown


def _spread_table(first: str, title: str) -> Table:
    table = Table(first, title=title, title_justify="left")
    for heading in ("records", "out of order", *PER_MILLE, "max", "ahead", "most ahead"):
        table.add_column(heading, justify="right")
    return table


def _cells(behind: Spread, ahead: Spread) -> list[str]:
    late = [length(behind.percentile(per_mille)) for per_mille in PER_MILLE.values()]
    out_of_order = behind.total - behind.within(0)
    clock = [f"{ahead.total:,}", length(ahead.largest)]
    return [f"{behind.total:,}", f"{out_of_order:,}", *late, length(behind.largest), *clock]


def _partitions(measured: TopicLateness, name: str) -> Table:
    table = _spread_table("partition", f"lateness of {name}")
    numbers = measured.behind.groups()
    for number in numbers:
        table.add_row(str(number), *_cells(measured.behind.spread(number), measured.ahead.spread(number)))
    if len(numbers) > 1:
        table.add_section()
        table.add_row("all", *_cells(measured.behind.spread(), measured.ahead.spread()))
    return table


def _values(measured: TopicLateness, by: str) -> Table:
    """The values of the column with the largest p99, and of two alike that with the larger maximum first."""
    table = _spread_table(by, f"the latest values of {by}")
    spreads = [(measured.value_behind.spread(group), value, group) for value, group in measured.values.items()]
    spreads.sort(key=lambda each: (-each[0].percentile(990), -each[0].largest, each[2]))
    for behind, value, group in spreads[:MOST_ROWS]:
        table.add_row(_as_text(value), *_cells(behind, measured.value_ahead.spread(group)))
    return table


def _as_text(value: Any) -> str:
    text = "null" if value is None else str(value)
    text = text if text.isprintable() and text else repr(text)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _choices(whole: Spread) -> Table:
    table = Table("allowed lateness", title="what an allowed lateness keeps", title_justify="left")
    for heading in ("keeps", "late"):
        table.add_column(heading, justify="right")
    for choice in CHOICES:
        kept = whole.within(durations.seconds(choice))
        table.add_row(choice, _share(kept, whole.total), f"{whole.total - kept:,}")
    return table


def _recommendation(whole: Spread) -> str:
    enough = [c for c in CHOICES if 100 * whole.within(durations.seconds(c)) >= ENOUGH_PER_CENT * whole.total]
    choice = enough[0] if enough else CHOICES[-1]
    kept = whole.within(durations.seconds(choice))
    late = f"{whole.total - kept:,}" if kept < whole.total else "none"
    words = f"{choice} keeps {_share(kept, whole.total)} of {whole.total:,} records; {late} would be late"
    if enough:
        return f"{words}. It is the shortest of these that keeps {ENOUGH_PER_CENT} %"
    return f"even {words}. The latest is {length(whole.largest)} behind: look at its producer"


def _clocks(ahead: Spread, records: int) -> str:
    if not ahead.total:
        return "no event time is ahead of its record timestamp"
    far = f"p99 of them by {length(ahead.percentile(990))}, at most by {length(ahead.largest)}"
    return f"{ahead.total:,} of {records:,} event times are ahead of their record timestamp: {far}"


def _share(part: int, whole: int) -> str:
    """The share in per cent, rounded down: 100 only if it is all."""
    return f"{10_000 * part // whole / 100:.2f} %"
