"""Brokers that are away: ports of this machine on which nobody listens, or somebody who never answers."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

KINDS = ("closed", "silent")


@contextmanager
def away(kind: str) -> Iterator[str]:
    """host:port of a broker that is away. "closed": connections are refused; "silent": they are taken, and no more."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == "silent":
            taken.listen(100)
        yield f"127.0.0.1:{taken.getsockname()[1]}"
