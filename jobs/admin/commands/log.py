"""headrace log: what a topic holds."""

from datetime import datetime
from typing import Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile


def log(
    topic: Annotated[str, typer.Argument(help="Topic to describe.")],
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Show the partitions of a topic: first and last offset, records, time span (UTC)."""
    from rich.console import Console
    from rich.table import Table

    from jobs.log import home
    from jobs.running.places import read_places

    partitions = home.extents(read_places(places), topic)
    table = Table("partition", "first offset", "last offset", "records", "first time", "last time")
    for extent in partitions:
        numbers = (extent.partition, extent.first_offset, extent.last_offset, extent.records)
        table.add_row(*(_text(number) for number in numbers), _time(extent.first_time), _time(extent.last_time))
    Console().print(table)


def _text(number: int | None) -> str:
    return "-" if number is None else str(number)


def _time(time: datetime | None) -> str:
    return "-" if time is None else f"{time:%Y-%m-%d %H:%M:%S}"
