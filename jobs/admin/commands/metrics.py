"""headrace metrics: the numbers of all results for Prometheus, without a server."""

from pathlib import Path
from typing import Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile


def metrics(
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Write them into this file, which is replaced at once, such as headrace.prom."),
    ] = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Print all numbers of all results in the text format of Prometheus, as /metrics of headrace ui has them.

    For scheduled runs: node_exporter reads files that end with .prom from its folder of text files. Needs no Java.
    """
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    home = read_places(places)
    try:
        from jobs.ui import metrics
        from jobs.ui.overview import Results
    except ModuleNotFoundError as error:
        raise Refused(f"headrace metrics needs {error.name}: pip install 'headrace[ui]'") from None
    overview = Results(home).now(patience_seconds=None)
    if overview.fault:
        raise Refused(f"{overview.fault}.")
    text = metrics.text(overview)
    if file is None:
        typer.echo(text, nl=False)
        return
    part = file.with_name(f"{file.name}.part")  # not .prom: a half-written file is not read
    part.write_bytes(text)
    part.replace(file)
