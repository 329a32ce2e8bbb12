"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

PlacesFile = Annotated[Path, typer.Option("--places", help="File that says where things are.")]

JobFile = Annotated[
    Path | None, typer.Option("--job", metavar="FILE", help="Job file of your own that has the result.")
]

DEFAULT_PLACES = Path("conf/local.toml")
"""Below the current directory."""
