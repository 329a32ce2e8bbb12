"""headrace status: how far each result is, and how well it is."""

from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile

if TYPE_CHECKING:
    from rich.table import Table

    from jobs.admin.completeness import Completeness, Holder
    from jobs.admin.standing import Facts
    from jobs.lake.pointers import Pointers

WIDTH = 150
"""Columns of the output when it goes to no terminal."""
NARROW = 130
"""On a terminal with fewer columns than that, results are shown without WIDE_COLUMNS."""
COLUMNS = (
    *("last batch (UTC)", "records", "lag", "lag minutes", "quarantined", "late", "p99 late", "false positives"),
    "published",
)
"""Of the overview, beside the name of the result."""
WIDE_COLUMNS = ("last batch (UTC)", "lag minutes", "late", "p99 late", "false positives")
TEXTS = ("last batch (UTC)", "published")
"""Columns that are no numbers."""


def status(
    name: Annotated[str | None, typer.Argument(help="Result to show in detail, such as departure_delay_v1.")] = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Show how far each result is: read and waiting records, quarantine, lateness, filters, tables; and which result
    each name points to. Needs no Java.
    """
    import sys

    from rich.console import Console

    from jobs.admin import run_end, standing
    from jobs.keeping import ledger
    from jobs.lake import pointers
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    home = read_places(places)
    console = Console(
        markup=False, highlight=False, emoji=False, soft_wrap=False, width=None if sys.stdout.isatty() else WIDTH
    )
    try:
        names = ledger.results(home)
    except OSError as error:
        console.print(f"cannot read the folder of tables {home.tables}: {error.strerror or error}.", soft_wrap=True)
        return
    known_pointers = pointers.read(home)
    if name is not None:
        for line in _pointer_lines(known_pointers, [name], names):
            console.print(line, soft_wrap=True)
        name = known_pointers.targets.get(name, name)
        if name not in names:
            known = f"there are {', '.join(names)}" if names else "there are none yet"
            raise Refused(f"no result {name} in {home.tables}; {known}.")
        facts = standing.read(home, name)
        if isinstance(facts, str):
            console.print(f"{name}: {facts}", soft_wrap=True)
            return
        for table in _details(facts):
            console.print(table)
        if (last_run := run_end.text(home, name)) is not None:
            console.print(f"the last run: {last_run}", soft_wrap=True)
        return
    if not names:
        console.print(f"no results yet in {home.tables}: run a job.", soft_wrap=True)
        return
    by_name = {result: standing.read(home, result) for result in names}
    readable = [facts for facts in by_name.values() if not isinstance(facts, str)]
    console.print(_summary(readable, is_narrow=console.width < NARROW))
    for result, facts in by_name.items():
        if isinstance(facts, str):
            console.print(f"{result}: {facts}", soft_wrap=True)
        elif facts.completeness is not None:
            console.print(f"{result}: complete {_complete_text(facts.completeness)}", soft_wrap=True)
    for result in names:
        if (last_run := run_end.trouble(home, result)) is not None:
            console.print(f"{result}: the last run {last_run}", soft_wrap=True)
    for line in _pointer_lines(known_pointers, sorted(known_pointers.targets), names):
        console.print(line, soft_wrap=True)


def _pointer_lines(pointers: "Pointers", names: list[str], results: list[str]) -> list[str]:
    """Which result each of the names points to, since when, and which it would go back to; whether it is gone."""
    lines = []
    for name in names:
        for last in pointers.of_name(name)[-1:]:
            earlier = pointers.results_before(name)
            back = f"; before: {earlier[-1]}" if earlier else ""
            by = "".join(filter(str.isprintable, last.switched_by))
            since = f"since {last.switched_time:%Y-%m-%d %H:%M} UTC, by {by}"
            gone = "" if last.to_result in results else ", which is GONE,"
            lines.append(f"{name} points to {last.to_result}{gone} {since}{back}")
    return lines


def _summary(results: "list[Facts]", is_narrow: bool) -> "Table":
    """A row for each result; `is_narrow`: without the columns that would not fit."""
    from rich.table import Table

    table = Table("result")
    columns = [column for column in COLUMNS if column not in WIDE_COLUMNS or not is_narrow]
    for heading in columns:
        table.add_column(heading, justify="left" if heading in TEXTS else "right")
    for facts in results:
        rate = facts.last.filter_false_positive_rate
        cells = (
            facts.last_batch,
            f"{facts.records:,}",
            facts.lag.records_shown,
            facts.lag.minutes_shown,
            f"{facts.waiting:,}",
            f"{facts.late:,}",
            seconds(facts.lateness[1]),
            "-" if rate is None else f"{rate:.2g}",
            facts.published_state,
        )
        by_heading = dict(zip(COLUMNS, cells, strict=True))
        table.add_row(facts.name, *(by_heading[heading] for heading in columns))
    return table


def _details(facts: "Facts") -> "list[Table]":
    from rich.table import Table

    first = Table("", facts.name, show_header=True, title_justify="left")
    half, most, latest = facts.lateness
    last = facts.last
    lines = [
        ("topic" if len(facts.topics) == 1 else "topics", ", ".join(facts.topics)),
        ("last batch", f"generation {last.generation}, batch {last.batch_id}, {facts.last_batch} UTC"),
        ("records", f"{facts.records:,} read, {facts.records - facts.waiting:,} good"),
        ("lag", f"{facts.lag.records_shown} records, {facts.lag.minutes_shown} minutes of record time"),
        ("quarantined", f"{facts.waiting:,} waiting, {facts.requeued:,} requeued"),
        ("out of order", f"{facts.out_of_order:,}, late {facts.late:,}"),
        ("lateness", f"p50 {seconds(half)}, p99 {seconds(most)}, largest {seconds(latest)}"),
        ("published", facts.published_state),
    ]
    waiting = sum(each["waiting"] for each in last.transactions.values())
    if waiting:
        lines.append(("transactions", f"{waiting:,} changes wait for the rest of their transactions"))
    if facts.stragglers:
        lines.append(("stragglers", ", ".join(f"{count:,} {done}" for done, count in facts.stragglers)))
    if facts.completeness is not None:
        lines.append(("complete", _complete_text(facts.completeness)))
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
    for (topic, partition), (read, end) in sorted(facts.lag.offsets.items()):
        shown = str(partition) if len(facts.topics) == 1 else f"{topic}/{partition}"
        partitions.add_row(shown, f"{read:,}", "-" if end is None else f"{end:,}", _unread(read, end))
    reasons = Table("quarantined for", "field", "waiting", "requeued")
    for reason, field, waiting, requeued in facts.reasons:
        reasons.add_row(reason, field or "-", f"{waiting:,}", f"{requeued:,}")
    tables = Table("table", "rows", "version", "path")
    for name, rows, version, path in facts.tables:
        tables.add_row(name, "-" if rows is None else f"{rows:,}", str(version), path)
    return [first, partitions, *([reasons] if facts.reasons else []), tables]


def _complete_text(found: "Completeness") -> str:
    """To when a result is complete, and who holds it back, such as: to TIME, held by clicks/3, silent for 2 h."""
    when = f"to {found.time:%Y-%m-%d %H:%M:%S} UTC"
    if found.is_set:
        return f"{when}, set by headrace complete"
    return when if found.holder is None else f"{when}, held by {_holder_text(found.holder)}"


def _holder_text(holder: "Holder") -> str:
    place = f"{holder.topic}/{holder.partition}"
    if holder.unread:
        return f"{place}, which has {holder.unread:,} unread records"
    return f"{place}, silent for {seconds(holder.silent_seconds)}" if holder.silent_seconds else place


def _unread(read: int, end: int | None) -> str:
    return "-" if end is None else f"{max(0, end - read):,}"


def seconds(length: float) -> str:
    """A length of time in the unit that suits it."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if length >= 2 * size:
            return f"{length / size:.1f} {unit}"
    return f"{length:.3g} s"
