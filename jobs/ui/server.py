"""The server: a socket, the application, and the link by which one opens it."""

import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass

import uvicorn

from jobs.running.errors import Refused
from jobs.running.places import Places
from jobs.ui import access, app
from jobs.ui.site_facts import SiteFacts


@dataclass(frozen=True)
class Listening:
    """Where to listen, and who may come."""

    host: str
    port: int
    """0: any free one."""
    allowed_hosts: tuple[str, ...]
    """Further names by which the server is asked, such as that of a proxy before it."""
    no_token: bool


def serve(places: Places, listening: Listening, show_values: bool) -> None:
    """Serve the pages until Ctrl-C. Raises Refused if that cannot be."""
    is_local = access.is_loopback(listening.host)
    if listening.no_token and not is_local:
        raise Refused(
            f"--no-token is for this machine alone, and {listening.host} is reached from others: leave it out."
        )
    given = os.environ.get(access.TOKEN_VARIABLE)
    token = None if listening.no_token else access.make_token(given)
    listener = _listen(listening.host, listening.port)
    port = listener.getsockname()[1]
    shown = f"[{listening.host}]" if ":" in listening.host else listening.host
    names = {*(("127.0.0.1", "localhost", "[::1]") if is_local else ()), shown, *listening.allowed_hosts}
    application = app.make(SiteFacts(places, show_values), token, names, f"headrace-{port}")
    query = "" if token is None or given else f"?token={token}"
    print(f"the results in {places.tables}: http://{shown}:{port}/{query}", flush=True)
    if token and given:
        print(f"the token is that of {access.TOKEN_VARIABLE}: add ?token=... to the link", flush=True)
    print("Ctrl-C ends it", file=sys.stderr, flush=True)
    # No log of requests: the address of the first one has the token.
    config = uvicorn.Config(application, log_level="error", access_log=False, server_header=False)
    with suppress(KeyboardInterrupt):  # which uvicorn passes on after it has ended
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # who comes before the server is ready waits
    except OSError as error:
        listener.close()
        raise Refused(
            f"cannot listen on port {port} of {host}: {error.strerror or error}. Take another one: --port 0 is any "
            "that is free."
        ) from None
    return listener
