"""headrace rollback: the name that readers use is pointed back to the result before."""

from typing import Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile


def rollback(
    name: Annotated[str, typer.Argument(help="Name that readers use, such as departure_delay.")],
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Point a name back to the result before its last promotion, in one commit. Needs no Java.

    Again goes back one promotion more. A result that was retired meanwhile is refused.
    """
    from jobs.admin.versions import promotion
    from jobs.running.places import read_places

    switch = promotion.rollback(read_places(places), name)
    typer.echo(f"{name} points to {switch.to_result} again, instead of {switch.from_result}")
