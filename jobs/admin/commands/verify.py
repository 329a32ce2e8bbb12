"""headrace verify: does a view have the rows that its SQL gives?"""

import sys
from typing import Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, JobFile, PlacesFile


def verify(
    name: Annotated[str, typer.Argument(help="Result with a view, such as timeline_v1.")],
    show_keys: Annotated[bool, typer.Option(help="List keys that differ, 20 of a kind at most. Never values.")] = False,
    job: JobFile = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Compare the views of a result with what their whole SQL gives. Exit code 1 if they differ. Needs no Java."""
    from jobs.admin import view_check
    from jobs.admin.catalogue import find
    from jobs.running.places import read_places

    found = view_check.check(read_places(places), find(name, job))
    for each in found:
        for line in view_check.lines(each, show_keys):
            typer.echo(line)
    sys.exit(0 if all(each.is_right for each in found) else 1)
