"""headrace promote: the name that readers use is pointed to another result."""

from typing import Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile


def promote(
    name: Annotated[str, typer.Argument(help="Name that readers use, such as departure_delay.")],
    to: Annotated[str, typer.Option(metavar="RESULT", help="Result to read from now on, such as departure_delay_v2.")],
    behind: Annotated[
        bool, typer.Option("--behind", help="Also if it has not read as far as the result that readers have now.")
    ] = False,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Point a name to a result, in one commit: whoever reads by the name reads the new tables. Needs no Java.

    The tables of the result before stay as they are. Of two that switch at the same time one is refused.
    """
    from jobs.admin.versions import promotion
    from jobs.running.places import read_places

    home = read_places(places)
    switch = promotion.promote(home, name, to, behind)
    before = f"instead of {switch.from_result}" if switch.from_result else "a new name"
    typer.echo(f"{name} points to {to}, {before}")
    for label in promotion.shared_deliveries(home, switch):
        typer.echo(f"both deliver to {label}: stop the job of {switch.from_result}, or take the delivery out of it")
