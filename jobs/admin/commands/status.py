"""headrace status: how far each result is, and how well it is."""

from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile

if TYPE_CHECKING:
    from rich.table import Table

    from jobs.admin.standing import Facts

WIDTH = 150
"""Columns of the output when it goes to no terminal."""


def status(
    name: Annotated[str | None, typer.Argument(help="Result to show in detail, such as departure_delay_v1.")] = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Show how far each result is: read and waiting records, quarantine, lateness, filters, tables. Needs no Java."""
    import sys

    from rich.console import Console

    from jobs.admin import standing
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    home = read_places(places)
    console = Console(
        markup=False, highlight=False, emoji=False, soft_wrap=False, width=None if sys.stdout.isatty() else WIDTH
    )
    try:
        names = standing.results(home)
    except OSError as error:
        console.print(f"cannot read the folder of tables {home.tables}: {error.strerror or error}.", soft_wrap=True)
        return
    if name is not None:
        if name not in names:
            known = f"there are {', '.join(names)}" if names else "there are none yet"
            raise Refused(f"no result {name} in {home.tables}; {known}.")
        facts = standing.read(home, name)
        if isinstance(facts, str):
            console.print(f"{name}: {facts}", soft_wrap=True)
            return
        for table in _details(facts):
            console.print(table)
        return
    if not names:
        console.print(f"no results yet in {home.tables}: run a job.", soft_wrap=True)
        return
    by_name = {result: standing.read(home, result) for result in names}
    console.print(_summary([facts for facts in by_name.values() if not isinstance(facts, str)]))
    for result, facts in by_name.items():
        if isinstance(facts, str):
            console.print(f"{result}: {facts}", soft_wrap=True)


def _summary(results: "list[Facts]") -> "Table":
    from rich.table import Table

    table = Table("result", "last batch (UTC)")
    for heading in ("records", "lag", "lag minutes", "quarantined", "late", "p99 late", "false positives"):
        table.add_column(heading, justify="right")
    table.add_column("windows")
    for facts in results:
        rate = facts.last.filter_false_positive_rate
        table.add_row(
            facts.name,
            facts.last_batch,
            f"{facts.records:,}",
            facts.lag.records_shown,
            facts.lag.minutes_shown,
            f"{facts.waiting:,}",
            f"{facts.late:,}",
            seconds(facts.lateness[1]),
            "-" if rate is None else f"{rate:.2g}",
            facts.windows_state,
        )
    return table


def _details(facts: "Facts") -> "list[Table]":
    from rich.table import Table

    first = Table("", facts.name, show_header=True, title_justify="left")
    half, most, latest = facts.lateness
    last = facts.last
    lines = [
        ("topic", facts.topic),
        ("last batch", f"generation {last.generation}, batch {last.batch_id}, {facts.last_batch} UTC"),
        ("records", f"{facts.records:,} read, {facts.records - facts.waiting:,} good"),
        ("lag", f"{facts.lag.records_shown} records, {facts.lag.minutes_shown} minutes of record time"),
        ("quarantined", f"{facts.waiting:,} waiting, {facts.requeued:,} requeued"),
        ("out of order", f"{facts.out_of_order:,}, late {facts.late:,}"),
        ("lateness", f"p50 {seconds(half)}, p99 {seconds(most)}, largest {seconds(latest)}"),
        ("windows", facts.windows_state),
    ]
    if last.filter_fill is not None:
        rate = f"{last.filter_false_positive_rate or 0:.2g}"
        lines.append(("filters", f"{last.filter_fill:.1%} of the bits are set in the fullest, false positives {rate}"))
    if facts.lag.deleted_time is not None:
        lines.append(
            ("retention", f"begins to delete unread records at {facts.lag.deleted_time:%Y-%m-%d %H:%M:%S} UTC")
        )
    lines += [("note", note) for note in facts.notes]
    for line in lines:
        first.add_row(*line)
    partitions = Table("partition", "read to offset", "log ends at", "waiting")
    for partition, (read, end) in sorted(facts.lag.offsets.items()):
        partitions.add_row(str(partition), f"{read:,}", "-" if end is None else f"{end:,}", _unread(read, end))
    reasons = Table("quarantined for", "field", "waiting", "requeued")
    for reason, field, waiting, requeued in facts.reasons:
        reasons.add_row(reason, field or "-", f"{waiting:,}", f"{requeued:,}")
    tables = Table("table", "rows", "version", "path")
    for name, rows, version, path in facts.tables:
        tables.add_row(name, "-" if rows is None else f"{rows:,}", str(version), path)
    return [first, partitions, *([reasons] if facts.reasons else []), tables]


def _unread(read: int, end: int | None) -> str:
    return "-" if end is None else f"{max(0, end - read):,}"


def seconds(length: float) -> str:
    """A length of time in the unit that suits it."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if length >= 2 * size:
            return f"{length / size:.1f} {unit}"
    return f"{length:.3g} s"
