"""headrace compare: two versions of a result at equal offsets, row by row and column by column."""

from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile

if TYPE_CHECKING:
    from rich.console import Console

    from jobs.admin.versions.equal_offsets import Equal
    from jobs.admin.versions.table_comparison import Comparison

EXAMPLES = {"missing": "in {old} only", "added": "in {new} only", "different": "different"}
"""What a title says of examples, by what is the matter with their rows."""


def compare(
    old: Annotated[str, typer.Argument(help="Result, or a name that points to one, such as departure_delay.")],
    new: Annotated[str, typer.Argument(help="Result with another definition, such as departure_delay_v2.")],
    show_keys: Annotated[
        int, typer.Option(min=0, metavar="N", help="Show keys of so many rows that differ. Keys are values of records.")
    ] = 0,
    key: Annotated[
        str, typer.Option(metavar="COLUMNS", help="Columns that tell rows apart, with commas; else as in the ledger.")
    ] = "",
    tolerance: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Doubles may differ by this part of the larger one.")
    ] = 1e-9,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Compare what two results have published, at the last offsets to which both have read. Needs no Java.

    Shows how many rows one of them alone has, how many differ, and in which columns. The tables are read as they were
    at these offsets, so both jobs may go on meanwhile. revision, updated_time and sequence are not compared: they say
    how a row came about. Exit code 0: equal; 1: different.
    """
    from jobs.admin import terminal
    from jobs.admin.versions import result_comparison
    from jobs.answers import table_names
    from jobs.lake import pointers
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    home = read_places(places)
    targets = pointers.read(home).targets
    old, new = targets.get(old, old), targets.get(new, new)
    if old == new:
        raise Refused(f"both are {old}: name two results.")
    columns = tuple(filter(None, (name.strip() for name in key.split(","))))
    found = result_comparison.compare(home, old, new, columns, tolerance, show_keys)
    console = terminal.console()
    _show_moment(console, found.at)
    for answer, comparison in found.answers.items():
        tables = table_names.part(old, answer), table_names.part(new, answer)
        _show(console, *tables, comparison)
    for table in found.lone_tables:
        console.print(f"{table}: the other result has no such table", soft_wrap=True)
    console.print("equal" if found.is_equal else "different")
    if not found.is_equal:
        raise typer.Exit(1)


def _show_moment(console: "Console", at: "Equal") -> None:
    from jobs.admin.versions import equal_offsets

    rows = f"ledger row {at.old.sequence} of {at.old.name}, row {at.new.sequence} of {at.new.name}"
    console.print(f"at equal offsets: {equal_offsets.text(at.offsets)} ({rows})", soft_wrap=True)
    if not at.begin_alike:
        console.print("note: they began at unlike offsets, so one has records that the other has not", soft_wrap=True)
    if at.lone_topics:
        console.print(f"note: one of them alone reads {', '.join(at.lone_topics)}", soft_wrap=True)
    if at.old.shows_open != at.new.shows_open:
        which = at.old.name if at.old.shows_open else at.new.name
        console.print(f"note: {which} alone shows rows that nothing decides yet, as its run had ended", soft_wrap=True)


def _show(console: "Console", old: str, new: str, found: "Comparison") -> None:
    from rich.table import Table

    console.print(f"{old}: {found.old_rows:,} rows; {new}: {found.new_rows:,} rows; by {', '.join(found.key)}")
    console.print(f"  missing {found.missing:,}, added {found.added:,}, different {found.different:,}")
    for name, alone in zip((old, new), found.lone_columns, strict=True):
        if alone:
            console.print(f"  columns of {name} alone: {', '.join(alone)}", soft_wrap=True)
    for column in found.unlike_types:
        console.print(f"  not compared, as the types are unlike: {column}", soft_wrap=True)
    if found.columns:
        table = Table("column", "rows that differ", "largest difference")
        for name, count in found.columns.most_common():
            largest = found.largest[name].value
            table.add_row(name, f"{count:,}", "-" if largest is None else f"{largest:,}")
        console.print(table)
    for sort, keys in found.examples.items():
        for each in keys:
            shown = ", ".join(f"{name}={value!s}" for name, value in zip(found.key, each, strict=True))
            shown = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in shown)
            console.print(f"  {EXAMPLES[sort].format(old=old, new=new)}: {shown}", soft_wrap=True)
