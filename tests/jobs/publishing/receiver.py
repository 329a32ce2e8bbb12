"""An HTTP server of this machine that keeps what is sent to it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class Receiver:
    """What has come, and how it is answered."""

    def __init__(self) -> None:
        self.answer = 200
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        """Path, headers and body of each."""
        self.url = ""

    def messages(self) -> list[dict[str, Any]]:
        """Those of all requests that were answered with 200, in order."""
        return [json.loads(line) for _, _, body in self.requests for line in body.splitlines()]


@contextmanager
def listening() -> Iterator[Receiver]:
    """A receiver that answers."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if receiver.answer == 200:
                receiver.requests.append((self.path, dict(self.headers), body))
            self.send_response(receiver.answer)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
