"""Asks a fork server for the process that Python would be with these arguments, waits for its end, and ends as it does.

Run as a program with: address of the server, path of Python, arguments of Python. It imports little, as it is started
again and again. What is not started by -m MODULE, and everything where no server answers, is left to Python itself.
"""

import json
import os
import socket
import sys

TYPE_CHECKING = False  # to import typing takes long, too
if TYPE_CHECKING:
    from typing import Any

MOST_BYTES = 1 << 20


def ask(address: str, arguments: list[str]) -> int | None:
    """The exit code of the process; None if there is no server."""
    folder = os.getcwd()  # noqa: PTH109  to import pathlib takes as long as all else here
    request = {"arguments": arguments, "environment": dict(os.environ), "folder": folder}
    text = json.dumps(request).encode()
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(address)
            socket.send_fds(server, [len(text).to_bytes(4, "big")], [0, 1, 2])
            server.sendall(text)
        except OSError:
            return None
        code = server.recv(1)
    return code[0] if code else 1


def receive(client: socket.socket) -> "tuple[dict[str, Any], list[int]]":
    """What `ask` has sent, and its standard streams. Raises ValueError or OSError if it is something else."""
    head, streams, _, _ = socket.recv_fds(client, 4, 3)
    size = int.from_bytes(head, "big")
    text = b""
    while len(text) < size <= MOST_BYTES:
        part = client.recv(size - len(text))
        if not part:
            break
        text += part
    if len(head) < 4 or len(streams) < 3 or len(text) < size:
        for stream in streams:
            os.close(stream)
        raise ValueError("this is no request")
    return json.loads(text), streams


def main(address: str, python: str, *arguments: str) -> None:
    """As a program."""
    code = ask(address, list(arguments)) if arguments[:1] == ("-m",) else None
    if code is None:
        os.execv(python, [python, *arguments])
    sys.exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
