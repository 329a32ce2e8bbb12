"""headrace ui: a page that shows all results."""

from typing import Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile


def ui(
    places: PlacesFile = DEFAULT_PLACES,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0: any that is free.")
    ] = 8321,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on. Others than 127.0.0.1 are for a network.")
    ] = ("127.0.0.1"),
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="Further name of the server, such as a proxy's; repeat it."),
    ] = None,
    no_token: Annotated[bool, typer.Option("--no-token", help="Let every user of this machine in.")] = False,
    show_values: Annotated[bool, typer.Option("--show-values", help="Show what is in quarantined records.")] = False,
) -> None:
    """Serve a page that shows all results: how they are, their numbers, quarantine, the log. Needs no Java.

    It only reads. It prints a link with a token, which each request needs. /metrics is for Prometheus,
    /api/overview.json for programs.
    """
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    home = read_places(places)
    try:
        from jobs.ui.server import Listening, serve
    except ModuleNotFoundError as error:
        raise Refused(f"headrace ui needs {error.name}, which is not installed: pip install 'headrace[ui]'") from None
    serve(home, Listening(host, port, tuple(allow_host or ()), no_token), show_values)
