"""A schema registry on this machine, with the few answers that its clients need: subjects, versions, schemas by id.

The registry of confluent-kafka's mock:// lives in one process; Spark's workers are others. Of Protobuf it holds what
its clients register, which is the serialised descriptor, and gives that for format=serialized.
"""

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


class RegistryServer(ThreadingHTTPServer):
    """Its schemas by id, and the ids of each subject in the order of versions."""

    def __init__(self, login: str | None = None) -> None:
        """`login`: USER:PASSWORD that it asks for."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.login = login
        self.schemas: dict[int, dict[str, Any]] = {}
        self.subjects: dict[str, list[int]] = {}
        self.asked: list[str] = []
        """Paths, in the order of requests."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def register(self, subject: str, schema: dict[str, Any]) -> int:
        """The id of the schema: its own if it is there already."""
        schema = {"schemaType": "AVRO", "references": []} | schema
        known = [number for number, each in self.schemas.items() if each == schema]
        schema_id = known[0] if known else len(self.schemas) + 1
        self.schemas[schema_id] = schema
        ids = self.subjects.setdefault(subject, [])
        ids += [] if schema_id in ids else [schema_id]
        return schema_id

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        match [unquote(part) for part in path.strip("/").split("/")]:
            case ["schemas", "ids", number] if int(number) in self.schemas:
                return 200, self.schemas[int(number)]
            case ["subjects"]:
                return 200, sorted(self.subjects)
            case ["subjects", subject, "versions"] if method == "POST":
                return 200, {"id": self.register(subject, body)}
            case ["subjects", subject, "versions", version] if subject in self.subjects:
                ids = self.subjects[subject]
                place = len(ids) if version == "latest" else int(version)
                return 200, {"subject": subject, "version": place, "id": ids[place - 1], **self.schemas[ids[place - 1]]}
            case ["subjects", subject] if method == "POST" and subject in self.subjects:
                schema_id = self.register(subject, body)
                place = self.subjects[subject].index(schema_id) + 1
                return 200, {"subject": subject, "version": place, "id": schema_id, **self.schemas[schema_id]}
        return 404, {"error_code": 40403, "message": "not found"}


class _Handler(BaseHTTPRequestHandler):
    server: RegistryServer

    def _handle(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        path = urlsplit(self.path).path
        self.server.asked.append(path)
        login = self.server.login
        expected = f"Basic {b64encode(login.encode()).decode()}" if login else None
        if expected and self.headers.get("Authorization") != expected:
            status, answer = 401, {"error_code": 40101, "message": "Unauthorized"}
        else:
            status, answer = self.server.answer(self.command, path, body)
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = _handle  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serve(login: str | None = None) -> Iterator[RegistryServer]:
    """A registry, until the block ends."""
    with RegistryServer(login) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
