"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

PlacesFile = Annotated[Path, typer.Option("--places", help="File that says where things are.")]

DEFAULT_PLACES = Path("conf/local.toml")
"""Below the current directory."""
