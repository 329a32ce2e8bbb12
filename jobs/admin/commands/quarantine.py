"""headrace quarantine: records that a job could not read, why, and what to do."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile

if TYPE_CHECKING:
    from rich.console import Console

    from jobs.admin.waiting_records import Reason
    from jobs.keeping.ledger import Row


def quarantine(
    name: Annotated[str, typer.Argument(help="Result, or a name that headrace promote has given.")],
    reason: Annotated[str | None, typer.Option(help="Only records with this reason, such as wrong_type.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Most records.")] = 10,
    show_values: Annotated[
        bool, typer.Option("--show-values", help="Also key and value of each record, as they came.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each record.")] = False,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Show how many records wait in quarantine for which reason and field, the newest of them, and what to do. Needs no
    Java.
    """
    from jobs.admin import terminal, waiting_records
    from jobs.keeping import ledger
    from jobs.lake import pointers
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    home = read_places(places)
    meant = pointers.read(home).targets.get(name, name)
    last = ledger.last(home, meant)
    if last is None:
        raise Refused(f"no result {meant} in {home.tables}; there are {', '.join(ledger.results(home)) or 'none yet'}.")
    reasons = waiting_records.reasons(home, meant, reason)
    records = waiting_records.records(home, meant, reason, limit, with_content=show_values)
    if as_json:
        for record in records:
            typer.echo(json.dumps(_plain(record)))
        return
    out = terminal.console()
    _show_reasons(out, meant, reasons, last)
    _show_records(out, records, sum(each[2] for each in reasons))


def _show_reasons(out: "Console", name: str, reasons: "list[Reason]", last: "Row") -> None:
    from rich.table import Table
    from rich.text import Text

    from jobs.admin import remedies, terminal

    waiting = [(reason, field) for reason, field, count, _ in reasons if count]
    total, requeued = sum(each[2] for each in reasons), sum(each[3] for each in reasons)
    terminal.say(out, f"{name}: {total:,} records wait in quarantine, {requeued:,} were requeued")
    if reasons:
        table = Table("reason", "field")
        for heading in ("waiting", "requeued"):
            table.add_column(heading, justify="right")
        for reason, field, count, again in reasons:
            table.add_row(reason, Text(terminal.printable(field or "-"), overflow="fold"), f"{count:,}", f"{again:,}")
        out.print(table)
    if waiting:
        terminal.say(out, f"what to do: {remedies.advice(name, last.definition, waiting)}")


def _show_records(out: "Console", records: list[dict[str, Any]], waiting: int) -> None:
    from rich.table import Table
    from rich.text import Text

    from jobs.admin import terminal

    if not records:
        return
    plain = [_plain(record) for record in records]
    headings = list(dict.fromkeys(heading for record in plain for heading in record))
    table = Table(*("time (UTC)" if heading == "timestamp" else heading for heading in headings))
    for record, kept in zip(plain, records, strict=True):
        time = kept["timestamp"]
        record["timestamp"] = "-" if time is None else f"{time:%Y-%m-%d %H:%M:%S}"
        cells = (record.get(heading) for heading in headings)
        shown = ("-" if cell is None else terminal.printable(str(cell)) for cell in cells)
        table.add_row(*(Text(cell, overflow="fold") for cell in shown))
    out.print(table)
    if waiting > len(records):
        terminal.say(out, f"{waiting - len(records):,} more: --limit shows more of them")


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """The record as JSON has it."""
    from jobs.admin.record_texts import texts
    from jobs.admin.waiting_records import CONTENT

    time = record["timestamp"]
    plain = {name: value for name, value in record.items() if name not in CONTENT}
    plain["timestamp"] = None if time is None else time.isoformat().replace("+00:00", "Z")
    for name in CONTENT:
        plain |= texts(name, record[name]) if name in record else {}
    return plain
