"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from jobs.running import project

PlacesFile = Annotated[
    Path,
    typer.Option(
        "--places",
        callback=lambda path: project.places_file() if path == DEFAULT_PLACES else path,
        help="File that says where things are. If it is not there, that of a folder above is taken.",
    ),
]

JobFile = Annotated[
    Path | None, typer.Option("--job", metavar="FILE", help="Job file of your own that has the result.")
]

DEFAULT_PLACES = project.PLACES
"""Below the current folder, or the nearest one above it that has one; HEADRACE_PLACES names another."""
