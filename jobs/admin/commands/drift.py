"""headrace drift: how the clocks of devices drift."""

from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile

if TYPE_CHECKING:
    from rich.table import Table

SECONDS = ("median_offset_seconds", "first_offset_seconds", "last_offset_seconds", "drift_seconds_per_day")
HEADINGS = ("records", "refusals", "median offset", "first", "last", "drift a day")


def drift(
    name: Annotated[str, typer.Argument(help="Result with clocks, such as tap_clock_v1.")],
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="A row for each value of it, too, such as the firmware.")
    ] = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Show by how much the clock of each device is off, and how it drifts. Needs no Java.

    Offsets are seconds that are added to the times of the device: above zero its clock is behind. The drift is by how
    many seconds the offset grows in a day: above zero its clock is slow. Takes about 250 bytes of memory for each row
    of the result.
    """
    from jobs.admin import clock_table, terminal
    from jobs.running.places import read_places

    rows = clock_table.drift(read_places(places), name, by).to_pylist()
    console = terminal.console()
    if rows:
        console.print(_table(rows, by))
    else:
        console.print(f"{name} has no rows yet.", soft_wrap=True)


def _table(rows: list[dict[str, object]], by: str | None) -> "Table":
    from rich.table import Table

    table = Table("device", *([by] if by else []))
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    for row in rows:
        names = [row["device"], *([row["version"]] if by else [])]
        texts = ["-" if text is None else str(text) for text in names]
        counts = [f"{row[column]:,}" for column in ("records", "refusals")]
        table.add_row(*texts, *counts, *(_seconds(row[column]) for column in SECONDS))
    return table


def _seconds(number: object) -> str:
    return "-" if number is None else f"{number:,.3f} s"
