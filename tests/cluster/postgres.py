"""A real PostgreSQL for tests: the one that notebooks start, with a role that replicates."""

from typing import Self

import psutil

from jobs.admin.database.embedded_server import DATABASE, OWNER, EmbeddedServer

__all__ = ["DATABASE", "OWNER", "REPLICATOR", "REPLICATOR_PASSWORD", "Postgres"]
OWNER_PASSWORD = "0wner-pa55word"
"""Of the superuser, who owns the tables and the publications."""
REPLICATOR, REPLICATOR_PASSWORD = "replicator", "repl1cator-pa55word"
"""A role that is no superuser: it may replicate, and read the tables that are granted to it."""


class Postgres(EmbeddedServer):
    """One server. Its data outlive also `kill`."""

    def __init__(self, **settings: str) -> None:
        more = {"max_wal_senders": "20", "max_replication_slots": "20", "autovacuum": "off"}
        super().__init__(OWNER_PASSWORD, **(more | settings))

    def start(self) -> Self:
        """Start it, and wait until it answers. The first time, the role that replicates is made."""
        super().start()
        if not self.rows("SELECT FROM pg_roles WHERE rolname = %s", REPLICATOR):
            self.execute(f"CREATE ROLE {REPLICATOR} LOGIN REPLICATION PASSWORD '{REPLICATOR_PASSWORD}'")
        return self

    def kill(self) -> None:
        """Stop the server and the processes of its connections as a power cut would."""
        if self.process is None or self.process.poll() is not None:
            return
        server = psutil.Process(self.process.pid)
        server.suspend()  # or it would start others, and recover
        processes = [*server.children(recursive=True), server]
        for process in processes:
            process.kill()
        self.process.wait(60)
        psutil.wait_procs(processes, timeout=60)

    def publish(self, publication: str, *tables: str, signals: str | None = None) -> None:
        """A publication of tables, which the role that replicates may read. To the table `signals`, which becomes part
        of it, that role may write as well: a connector marks there where an incremental snapshot is.
        """
        named = ", ".join([*tables, *([signals] if signals else [])])
        self.execute(f"CREATE PUBLICATION {publication} FOR TABLE {named}", f"GRANT SELECT ON {named} TO {REPLICATOR}")
        if signals:
            self.execute(f"GRANT INSERT, DELETE ON {signals} TO {REPLICATOR}")
